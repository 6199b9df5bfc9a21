"""What a tape says about itself, read through any open connection: the numbers of `SnapshotInfo`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import aiosqlite
import orjson

from wiretape_capture.snapshot.exchange import SnapshotInfo
from wiretape_capture.snapshot.file_errors import corrupt

WAL = "-wal"


async def read_info(connection: aiosqlite.Connection, path: Path) -> SnapshotInfo:
    """Count, hash and describe; a closed tape whose hash is not the sealed one is corrupt."""
    ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
    ((name, created_ns, app_command, closed, sealed),) = await connection.execute_fetchall("SELECT * FROM snapshot")
    ((total, inbound),) = await connection.execute_fetchall(
        "SELECT count(*), count(*) FILTER (WHERE direction = 'inbound') FROM exchange"
    )
    services = await connection.execute_fetchall("SELECT DISTINCT service FROM exchange ORDER BY service")
    notes = await connection.execute_fetchall("SELECT text, count FROM note ORDER BY text")
    sha256 = await hash_exchanges(connection)
    if closed and sha256 != sealed:
        raise corrupt(path, "its exchanges are not those that were recorded")
    return SnapshotInfo(
        name=name, created_ns=created_ns, exchanges=total, inbound=inbound, outbound=total - inbound,
        services=tuple(row[0] for row in services), size_bytes=size_on_disk(path), sha256=sha256,
        closed=bool(closed), format_version=version, app_command=tuple(orjson.loads(app_command)),
        notes=tuple(text if count == 1 else f"{text} ({count} times)" for text, count in notes),
    )  # fmt: skip


async def hash_exchanges(connection: aiosqlite.Connection) -> str:
    """The snapshot's content hash: SHA-256 over the exchanges' digests by sequence, each followed by a newline."""
    whole = hashlib.sha256()
    async with connection.execute("SELECT digest FROM exchange ORDER BY sequence") as cursor:
        async for (digest,) in cursor:
            whole.update(f"{digest}\n".encode())
    return whole.hexdigest()


def size_on_disk(path: Path) -> int:
    """Bytes of the tape and of the write-ahead log beside it."""
    log = path.with_name(path.name + WAL)
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)
