"""A killed recorder, a full disk and a 200 MB body, each in a real process."""

# ruff: noqa: ASYNC220, ASYNC240 - nothing else runs on a test's loop meanwhile

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wiretape_capture.errors import WiretapeError
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.listing import delete_snapshot, rename_snapshot
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import TapeWriter

PRELUDE = """
import asyncio, os, resource, signal, sys
from pathlib import Path
from wiretape_capture.errors import WiretapeError
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.folder import export_folder, import_folder
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import TapeWriter
path = Path(sys.argv[1])
def made(number, body):
    return Exchange(sequence=number, direction=Direction.INBOUND, service="a:1", command="GET", location="/",
                    status="200", started_ns=number, duration_us=1, request=Request(method="GET", target="/"),
                    response=Response(status=200, body=body))
"""
RECORD_FOREVER = (
    PRELUDE
    + """
async def main():
    tape = await TapeWriter.create(path, name="a", created_ns=1)
    number = 0
    while True:
        number += 1
        tape.put(made(number, body_of(os.urandom(2000))))
        if number % 50 == 0:
            print(number, flush=True)
        await asyncio.sleep(0.001)
asyncio.run(main())
"""
)
FULL = (
    PRELUDE
    + """
async def main():
    tape = await TapeWriter.create(path, name="a", created_ns=1)
    for number in range(1, 100):
        tape.put(made(number, body_of(os.urandom(2000))))
    await tape.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
    sink = await tape.body()
    for _ in range(40):
        sink.write(os.urandom(100_000))
    body = await sink.close()
    print(body.complete, body.size < 4_000_000)
    for number in range(100, 1000):
        tape.put(made(number, body_of(os.urandom(2000))))
    try:
        await tape.close()
    except WiretapeError as error:
        print(tape.failure is error, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        await TapeWriter.create(path.with_name("b.tape"), name="b", created_ns=1)
    except WiretapeError as error:
        print(error, path.with_name("b.tape").exists())
asyncio.run(main())
"""
)
LARGE = (
    PRELUDE
    + """
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
async def main():
    folder = path.parent / "out"
    async with await TapeWriter.create(path, name="a", created_ns=1) as tape:
        before = peak()
        sink = await tape.body()
        for _ in range(200):
            sink.write(os.urandom(1 << 20))
            await asyncio.sleep(0)
        tape.put(made(1, await sink.close()))
    wrote = peak() - before
    async with await TapeReader.open(path) as reader:
        sha256 = (await reader.info()).sha256
        body = (await reader.exchange(1, max_body=0)).response.body
        size = sum([len(piece) async for piece in reader.body_chunks(body.sha256)])
        await export_folder(reader, folder)
    read = peak() - before
    again = await import_folder(folder, path.with_name("b.tape"))
    print(size, again.sha256 == sha256, wrote, read, peak() - before)
asyncio.run(main())
"""
)
FLAT_MB = 48
"""Far above chunk and queue sizes, far below the body."""


def run(code: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def killed(path: Path, after: int) -> int:
    """Record in a process of its own, kill it; the number it had put one second before is at least what it printed."""
    with subprocess.Popen([sys.executable, "-c", RECORD_FOREVER, str(path)], stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        put = 0
        while put < after:
            put = int(await asyncio.to_thread(recorder.stdout.readline))
        await asyncio.sleep(0.6)  # the promise is about what was put more than a second ago
        recorder.kill()
    return put


async def test_a_killed_recording_opens_with_all_but_its_last_moment(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    put = await killed(path, 300)
    before = {name: (tmp_path / name).read_bytes() for name in ("a.tape", "a.tape-wal")}
    for _ in range(2):
        async with await TapeReader.open(path) as reader:
            info = await reader.info()
            exchanges = await reader.exchanges()
        assert not info.closed
        assert len(exchanges) == info.exchanges >= put
        assert [exchange.sequence for exchange in exchanges] == list(range(1, len(exchanges) + 1))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


async def test_a_killed_recording_can_be_renamed_and_deleted(tmp_path: Path) -> None:
    put = await killed(tmp_path / "a.tape", 50)
    renamed = await rename_snapshot(tmp_path, "a", "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b.tape"]
    async with await TapeReader.open(renamed) as reader:
        assert (await reader.info()).exchanges >= put
    await killed(tmp_path / "c.tape", 50)
    await delete_snapshot(tmp_path, "c")
    assert [path.name for path in tmp_path.iterdir()] == ["b.tape"]


def test_a_full_disk_keeps_what_was_flushed_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    body, failure, begun = run(FULL, path).splitlines()
    assert body == "False True"
    assert failure.startswith(f"True the disk under {path} is full or failed (")
    assert failure.endswith("; free some space and record again")

    assert begun.startswith(f"the disk under {tmp_path}/b.tape is full or failed (")
    assert begun.endswith(" False")

    async def count() -> int:
        async with await TapeReader.open(path) as reader:
            return len(await reader.exchanges())

    assert 99 <= asyncio.run(count()) < 999


async def test_a_full_database_stops_at_a_whole_batch(tmp_path: Path, plain: Callable[..., Exchange]) -> None:
    tape = await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    tape.put(plain(1))
    await tape.flush()
    await tape._connection.execute("PRAGMA max_page_count = 40")
    for number in range(2, 200):
        tape.put(plain(number, body=os.urandom(5000)))
    with pytest.raises(WiretapeError, match=r"is full or failed \(database or disk is full\)"):
        await tape.close()
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        assert [exchange.sequence for exchange in await reader.exchanges()] == [1]


def test_a_body_of_200_mb_goes_in_and_out_with_flat_memory(tmp_path: Path) -> None:
    size, same, *growth = run(LARGE, tmp_path / "a.tape").split()
    assert (int(size), same) == (200 << 20, "True")
    assert max(map(int, growth)) < FLAT_MB


async def test_the_tape_of_a_closed_recording_needs_no_log(tmp_path: Path, plain: Callable[..., Exchange]) -> None:
    """A reader that stays open over the close only delays the folding; the tape alone is whole."""
    tape = await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    tape.put(plain(1))
    await tape.flush()
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        await reader.exchanges()
        assert (await tape.close()).closed
    (tmp_path / "copy.tape").write_bytes((tmp_path / "a.tape").read_bytes())
    connection = sqlite3.connect(tmp_path / "copy.tape")
    assert connection.execute("SELECT closed FROM snapshot").fetchall() == [(1,)]
    connection.close()
