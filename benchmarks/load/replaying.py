"""A regression replay with every answer compared in full, beside mitmproxy's client replay, which compares nothing.

Each is a process. What it needs to start, measured with one request, is taken off, so that requests are left.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from mitmproxy.connection import Client, Server
from mitmproxy.http import HTTPFlow, Request
from mitmproxy.io import FlowWriter

from benchmarks.load.origin import cores
from benchmarks.load.ours import reading, taped
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.engine.spec import ReplaySpec

SESSION = 20
"""Requests of one session, which a replay keeps in order."""

type Took = tuple[float, float]
"""Seconds of wall and of processor time."""


class Speed(NamedTuple):
    """Requests a second, and by a second of processor time."""

    per_second: float
    per_cpu_second: float


async def replay_speeds(ours: int, theirs: int, url: str, folder: Path) -> tuple[Speed, Speed]:
    """Of wiretape and of mitmproxy, for so many recorded requests each."""
    tape, one = await taped("many", _sessions(ours), folder), await taped("one", _sessions(1), folder)
    return (_speed(ours, _replayed(one, url, folder), _replayed(tape, url, folder)),
            _speed(theirs, _played(1, url, folder), _played(theirs, url, folder)))  # fmt: skip


def _speed(count: int, start: Took, whole: Took) -> Speed:
    wall, cpu = (max(after - before, 0.001) for before, after in zip(start, whole, strict=True))
    return Speed(count / wall, count / cpu)


def _sessions(count: int) -> list[Exchange]:
    return [one.model_copy(update={"session": f"s{one.sequence // SESSION}"}) for one in reading(count)]


def _replayed(tape: Path, url: str, folder: Path) -> Took:
    run = folder / "replay.run"
    run.unlink(missing_ok=True)
    spec = ReplaySpec(tape=tape, run=run, target=url).model_dump_json()
    return _took([sys.executable, "-P", "-m", "wiretape_replay.engine"], f"{spec}\n")


def _played(count: int, url: str, folder: Path) -> Took:
    flows, place = folder / "requests.flows", urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    with flows.open("wb") as file:
        writer = FlowWriter(file)
        for _ in range(count):
            flow = HTTPFlow(Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0.0),
                            Server(address=(place.hostname, place.port)))  # fmt: skip
            flow.request = Request.make("GET", f"{url}/tea")
            writer.add(flow)
    return _took([str(Path(sys.executable).with_name("mitmdump")), "-q", "-n", "-C", str(flows), "--set",
                  "client_replay_concurrency=-1", "--set", f"confdir={folder / 'mitmproxy'}"])  # fmt: skip


def _took(command: Sequence[str], said: str = "") -> Took:
    """A process on the clients' core from its start to its end."""
    _, client = cores()
    began, before = time.perf_counter(), _cpu()
    ran = subprocess.run(["taskset", "-c", str(client), *command], input=said, capture_output=True, text=True,
                         timeout=300, check=False)  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"{command[0]} ended with {ran.returncode}: {(ran.stderr or ran.stdout)[-500:]}")
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
