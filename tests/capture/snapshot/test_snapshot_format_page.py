"""docs/snapshot-format.md names the tables and columns that a tape really has, and the rows' digest is what it says."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import orjson

from wiretape_capture.snapshot import bodies, folder, har, schema, tape_writer
from wiretape_capture.snapshot.exchange import Exchange, SnapshotInfo

PAGE = (Path(__file__).parents[3] / "docs" / "snapshot-format.md").read_text()


def documented() -> dict[str, list[str]]:
    sections = re.findall(r"### `(\w+)`(.*?)(?=\n##)", PAGE, re.DOTALL)
    return {table: re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) for table, text in sections}


def test_the_page_names_every_column_in_order() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema.creation_script())
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    real = {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    connection.close()
    assert documented() == real
    assert f"`{mark:#x}`" in PAGE
    assert f"the format version, {schema.FORMAT_VERSION};" in PAGE


def test_the_page_states_the_bounds_of_the_code() -> None:
    assert f"{bodies.CHUNK:,} bytes of the body" in PAGE
    assert f"{tape_writer.QUEUE_LIMIT >> 20} MiB of bodies wait" in PAGE
    assert f"up to {har.HAR_LIMIT >> 20} MiB" in PAGE
    assert folder.FOLDER_FORMAT == har.HAR_FORMAT == 1


async def test_a_stranger_can_recompute_the_hash_from_the_page(
    tmp_path: Path, exchanges: list[Exchange], tape_of: Callable[[Path, Iterable[Exchange]], Awaitable[SnapshotInfo]]
) -> None:
    info = await tape_of(tmp_path / "a.tape", exchanges)
    *columns, _ = documented()["exchange"]
    connection = sqlite3.connect(tmp_path / "a.tape")
    whole = hashlib.sha256()
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM exchange ORDER BY sequence"):
        whole.update(hashlib.sha256(orjson.dumps(row)).hexdigest().encode() + b"\n")
    connection.close()
    assert whole.hexdigest() == info.sha256
