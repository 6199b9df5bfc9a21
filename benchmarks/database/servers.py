"""What is compared: a real server, a plain forwarder, a recording and a mock in front of or instead of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.database.client import KEYS
from benchmarks.mock.pinned import CLIENT_CORE, SERVER_CORE, on_core
from benchmarks.ports import listening
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_replay.mock.spec import MockSpec

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
ROWS = f"""
create table item as select n as id, 'item ' || n as name, n % 40 as qty, n * 1.25 as price,
  timestamptz '2024-02-03 04:05:06+00' + n * interval '1 minute' as changed from generate_series(1, {KEYS}) n;
alter table item add primary key (id);
"""


@dataclass(frozen=True)
class Kind:
    """One kind of database."""

    name: str
    driver: str
    url: str
    """Of the real server."""
    port: int


@contextmanager
def postgres() -> Iterator[Kind]:
    """A private server with a table of a few hundred rows. Raises FileNotFoundError where there is none."""
    import psycopg
    from postgres_server import binaries, running

    found = binaries()
    if found is None:
        raise FileNotFoundError("postgres")
    with running(found) as server:
        postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        for each in (postmaster, *_children(postmaster)):
            hold(each, SERVER_CORE)  # what serves a connection is a child that is held like its parent
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(ROWS)
        yield Kind("postgres", "psycopg", server.dsn + "?sslmode=disable", server.port)


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[Kind]:
    """A private server with as many values. Raises FileNotFoundError where there is none."""
    import redis as driver

    program = shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("redis-server")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = await asyncio.create_subprocess_exec(*on_core(SERVER_CORE, command), stdout=asyncio.subprocess.DEVNULL)
    try:
        await listening(port)
        client = driver.Redis(port=port)
        for key in range(1, KEYS + 1):
            client.set(f"item:{key}", f"{key} " + "x" * 60)
        client.close()
        yield Kind("redis", "redis", f"redis://127.0.0.1:{port}/0", port)
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def plain_tee(to: int) -> AsyncIterator[tuple[int, int]]:
    """The plain forwarder; gives its process and port."""
    process = await asyncio.create_subprocess_exec(
        *on_core(SERVER_CORE, [sys.executable, "-m", "benchmarks.database.tee", str(to)]),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process.pid, int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def recording(folder: Path, kind: Kind, name: str) -> AsyncIterator[tuple[Job, int, str]]:
    """`python -m wiretape_capture.record`; gives the job, the process that forwards, and the URL for the app."""
    spec = RecordSpec(tape=folder / f"{name}.tape", name=name, ca_dir=folder / "ca",
                      maps=(parse_map(f"db={kind.url}"),))  # fmt: skip
    job = await Job.start("wiretape_capture.record", spec)
    try:
        ready = await job.ready()
        forwarding = next(child for child in _children(job.pid) if b"wiretape_capture.databases" in _command(child))
        hold(forwarding, SERVER_CORE)
        yield job, forwarding, ready.environment["WIRETAPE_DB_URL"]
    finally:
        job.kill()


@asynccontextmanager
async def mock(folder: Path, kind: Kind, name: str) -> AsyncIterator[tuple[int, str]]:
    """`python -m wiretape_replay.mock` from a recording; gives its process and the URL for the app."""
    spec = MockSpec(tape=folder / f"{name}.tape", ca_dir=folder / "ca", maps=(parse_map(f"db={kind.url}"),),
                    journal=folder / f"{name}.journal")  # fmt: skip
    job = await Job.start("wiretape_replay.mock", spec)
    try:
        ready = await job.ready()
        hold(job.pid, SERVER_CORE)
        yield job.pid, ready.environment["WIRETAPE_DB_URL"]
    finally:
        job.kill()


def hold(pid: int, core: int) -> None:
    """Hold every thread of a process to a core, where there are several."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core} & os.sched_getaffinity(0) or {0})


async def read(kind: Kind, url: str, seconds: float) -> tuple[int, float]:
    """Let the client read for so long; gives operations and seconds. Raises RuntimeError with what it said."""
    command = [sys.executable, "-m", "benchmarks.database.client", kind.driver, url, f"{seconds:g}"]
    process = await asyncio.create_subprocess_exec(*on_core(CLIENT_CORE, command), stdout=asyncio.subprocess.PIPE,
                                                   stderr=asyncio.subprocess.PIPE)  # fmt: skip
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(err.decode(errors="replace")[-2000:])
    said = json.loads(out)
    return said["operations"], said["seconds"]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
