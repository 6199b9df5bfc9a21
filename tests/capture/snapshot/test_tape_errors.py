"""Every way in which a file is no whole tape of ours has its own sentence, and reading never changes the file."""

# ruff: noqa: ASYNC220, ASYNC240 - nothing else runs on a test's loop meanwhile

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from wiretape_capture.errors import SnapshotUnreadable
from wiretape_capture.snapshot.exchange import Exchange, SnapshotInfo
from wiretape_capture.snapshot.schema import FORMAT_VERSION
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import TapeWriter

type WriteTape = Callable[[Path, Iterable[Exchange]], Awaitable[SnapshotInfo]]
type Made = Callable[..., Exchange]


async def read_all(path: Path) -> None:
    async with await TapeReader.open(path) as reader:
        await reader.info()
        await reader.exchanges()


async def refusal(path: Path) -> str:
    with pytest.raises(SnapshotUnreadable) as caught:
        await read_all(path)
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.fixture
async def tape(tmp_path: Path, tape_of: WriteTape, plain: Made) -> Path:
    await tape_of(tmp_path / "a.tape", [plain(number, body=os.urandom(3000)) for number in range(1, 60)])
    return tmp_path / "a.tape"


async def test_missing(tmp_path: Path) -> None:
    problem = await refusal(tmp_path / "a.tape")
    assert problem == f"there is no snapshot at {tmp_path}/a.tape; list the snapshots with: wiretape snapshots"
    assert [path.name for path in tmp_path.iterdir()] == []


async def test_a_folder(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in await refusal(tmp_path)


async def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.tape").touch()
    assert "is empty: its recording never began" in await refusal(tmp_path / "a.tape")


@pytest.mark.parametrize("content", [b"hello", b"x" * 5000, b'{"log": {}}' * 999])
async def test_not_sqlite(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tape").write_bytes(content)
    assert "is not a snapshot: it is no SQLite file" in await refusal(tmp_path / "a.tape")
    assert (tmp_path / "a.tape").read_bytes() == content


async def test_foreign_sqlite(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.tape") as connection:
        connection.execute("CREATE TABLE exchange (sequence)")
    connection.close()
    assert "it is another program's SQLite file" in await refusal(tmp_path / "a.tape")


async def test_newer_version(tape: Path) -> None:
    connection = sqlite3.connect(tape)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    connection.close()
    before = tape.read_bytes()
    assert f"has format version 2; this wiretape reads up to {FORMAT_VERSION}; upgrade" in await refusal(tape)
    assert tape.read_bytes() == before


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.999])
async def test_truncated(tape: Path, kept: float) -> None:
    whole = tape.read_bytes()
    tape.write_bytes(whole[: int(len(whole) * kept)])
    assert f"is truncated: {int(len(whole) * kept)} of {len(whole)} bytes are there" in await refusal(tape)


async def test_any_flipped_bit_is_told_and_never_handed_out(tape: Path, tmp_path: Path) -> None:
    """A flip may hit a free byte, where it does no harm; what is read must be what was written or an error."""
    async with await TapeReader.open(tape) as reader:
        wanted = await reader.exchanges()
    whole = tape.read_bytes()
    told = 0
    for position in range(200, len(whole), len(whole) // 97):
        broken = tmp_path / "b.tape"
        broken.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        try:
            async with await TapeReader.open(broken) as reader:
                await reader.info()
                assert await reader.exchanges() == wanted
        except SnapshotUnreadable as error:
            assert "is corrupt" in str(error)
            told += 1
    assert told > 50


async def test_a_wiped_middle_is_corrupt(tape: Path) -> None:
    whole = tape.read_bytes()
    middle = len(whole) // 2
    tape.write_bytes(whole[:middle] + b"\0" * 8192 + whole[middle + 8192 :])
    assert "is corrupt" in await refusal(tape)


async def test_a_changed_row_is_corrupt(tape: Path) -> None:
    connection = sqlite3.connect(tape, autocommit=True)
    connection.execute("UPDATE exchange SET status = '500' WHERE sequence = 7")
    connection.close()
    assert "exchange 7 is not what was recorded" in await refusal(tape)


async def test_a_removed_row_is_corrupt(tape: Path) -> None:
    connection = sqlite3.connect(tape, autocommit=True)
    connection.execute("DELETE FROM exchange WHERE sequence = 7")
    connection.close()
    assert "its exchanges are not those that were recorded" in await refusal(tape)


async def test_a_removed_body_is_corrupt(tape: Path) -> None:
    connection = sqlite3.connect(tape, autocommit=True)
    connection.execute("DELETE FROM body_chunk")
    connection.close()
    assert "is damaged or missing" in await refusal(tape)


async def test_locked_by_another_process(tape: Path) -> None:
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], autocommit=True); c.execute('BEGIN EXCLUSIVE');"
        "print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tape)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:  # fmt: skip
        assert other.stdout is not None
        assert await asyncio.to_thread(other.stdout.readline) == b"locked\n"
        assert f"{tape} is locked by another process; wait until" in await refusal(tape)
        other.communicate()
    await read_all(tape)


def as_nobody(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


READ = """
import asyncio, encodings.idna, os, sys
from pathlib import Path
from wiretape_capture.errors import WiretapeError
from wiretape_capture.snapshot.tape_reader import TapeReader
async def main():
    try:
        async with await TapeReader.open(Path(sys.argv[1])) as reader:
            print((await reader.info()).exchanges)
    except WiretapeError as error:
        print(error)
asyncio.run(asyncio.to_thread(int))
os.setresuid(65534, 65534, 65534)  # the interpreter itself may lie where only root reads
asyncio.run(main())
"""
WRITE = """
import asyncio, encodings.idna, os, sys
from pathlib import Path
from wiretape_capture.errors import WiretapeError
from wiretape_capture.snapshot.tape_writer import TapeWriter
async def main():
    try:
        await TapeWriter.create(Path(sys.argv[1]), name="a", created_ns=1)
    except WiretapeError as error:
        print(error)
asyncio.run(asyncio.to_thread(int))
os.setresuid(65534, 65534, 65534)  # the interpreter itself may lie where only root reads
asyncio.run(main())
"""


def open_to_all(folder: Path) -> None:
    """pytest's own folders are closed to other users."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o005 != 0o005:
            parent.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without rights")
async def test_permission_denied(tape: Path) -> None:
    open_to_all(tape.parent)
    assert as_nobody(READ, tape) == f"permission denied: {tape} cannot be read; check the file's owner and mode\n"
    assert "permission denied" in as_nobody(WRITE, tape.parent / "b.tape")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without rights")
async def test_a_killed_tape_in_a_folder_without_write_rights_is_read(tmp_path: Path, plain: Made) -> None:
    tape = await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    tape.put(plain(1))
    await tape.flush()
    (tmp_path / "ro").mkdir()
    for end in ("", "-wal"):
        (tmp_path / f"ro/a.tape{end}").write_bytes((tmp_path / f"a.tape{end}").read_bytes())
    await tape.close()
    open_to_all(tmp_path / "ro")
    assert as_nobody(READ, tmp_path / "ro" / "a.tape") == "1\n"
    assert sorted(path.name for path in (tmp_path / "ro").iterdir()) == ["a.tape", "a.tape-wal"]


async def test_reading_changes_nothing(tape: Path) -> None:
    before = (tape.read_bytes(), tape.stat().st_mtime_ns, [path.name for path in tape.parent.iterdir()])
    await read_all(tape)
    assert (tape.read_bytes(), tape.stat().st_mtime_ns, [path.name for path in tape.parent.iterdir()]) == before
