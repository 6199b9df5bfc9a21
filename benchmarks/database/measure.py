"""The rounds: each measures every subject once, so that what the machine does beside meets all of them alike."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.database import servers
from benchmarks.database.client import KEYS
from benchmarks.database.servers import Kind
from benchmarks.mock.pinned import cpu_seconds, machine

SETTLED = 0.03
"""Processor seconds in half a second below which a recorder has written what it got."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: float


FULL = Size(rounds=7, seconds=3)
QUICK = Size(rounds=2, seconds=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the client talks to for one row."""

    name: str
    url: str
    carrier: int | None = None
    """The process whose processor time counts; None: nobody's."""
    recorder: int | None = None
    """The whole recorder, which reads and writes what was copied."""


@dataclass(slots=True)
class Row:
    """The measurements of one subject, one for each round."""

    per_second: list[float] = field(default_factory=list)
    carrier_us: list[float] = field(default_factory=list)
    """Of one operation, as the next."""
    recorder_us: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Results:
    """Everything that was measured."""

    size: Size
    machine: str = ""
    kinds: dict[str, dict[str, Row]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    """Of each kind how many reads went through the recording."""
    recorded: Counter[str] = field(default_factory=Counter)
    """And how many are on its tape."""
    left_out: list[str] = field(default_factory=list)

    def faster(self, kind: str, name: str, reference: str) -> float:
        """Median of the rounds' ratios of throughput."""
        rows = self.kinds[kind]
        return median(a / b for a, b in zip(rows[name].per_second, rows[reference].per_second, strict=True))

    def dearer(self, kind: str, name: str, reference: str) -> float:
        """Median of the rounds' ratios of the carrier's processor time for an operation."""
        rows = self.kinds[kind]
        return median(a / b for a, b in zip(rows[name].carrier_us, rows[reference].carrier_us, strict=True))


async def measure(folder: Path, size: Size) -> Results:
    """Measure each kind of database whose server is installed."""
    results = Results(size, machine())
    try:
        with servers.postgres() as kind:
            await _one(folder, results, kind)
    except FileNotFoundError as error:
        results.left_out.append(f"{error}: not installed")
    try:
        async with servers.redis(folder) as kind:
            await _one(folder, results, kind)
    except FileNotFoundError as error:
        results.left_out.append(f"{error}: not installed")
    return results


async def _one(folder: Path, results: Results, kind: Kind) -> None:
    async with servers.recording(folder, kind, f"{kind.name}-learned") as (job, _, url):
        await servers.read(kind, url, 0.1)
        await job.stop()
    rows = results.kinds.setdefault(kind.name, {})
    async with AsyncExitStack() as stack:
        tee, port = await stack.enter_async_context(servers.plain_tee(kind.port))
        job, forwarding, recorded = await stack.enter_async_context(
            servers.recording(folder, kind, f"{kind.name}-measured")
        )
        mock, mocked = await stack.enter_async_context(servers.mock(folder, kind, f"{kind.name}-learned"))
        subjects = [
            Subject("server", kind.url),
            Subject("tee", kind.url.replace(f":{kind.port}", f":{port}"), tee),
            Subject("recorder", recorded, forwarding, job.pid),
            Subject("mock", mocked, mock),
        ]
        for _ in range(results.size.rounds):
            for subject in subjects:
                done = await _round(rows.setdefault(subject.name, Row()), kind, subject, results.size.seconds)
                results.asked[kind.name] += done if subject.recorder is not None else 0
        await job.stop()
    results.recorded[kind.name] = reads_on(folder / f"{kind.name}-measured.tape")


def reads_on(tape: Path) -> int:
    """How many reads a tape has."""
    with closing(sqlite3.connect(tape)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM exchange WHERE command IN ('SELECT', 'GET')").fetchone()
    return int(count)


async def _round(row: Row, kind: Kind, subject: Subject, seconds: float) -> int:
    carrier, recorder = _spent(subject.carrier), _spent(subject.recorder)
    operations, took = await servers.read(kind, subject.url, seconds)
    done = operations + KEYS  # those that warmed the connection passed too
    row.per_second.append(operations / took)
    row.carrier_us.append(1e6 * (_spent(subject.carrier) - carrier) / done)
    if subject.recorder is not None:
        await _settled(subject.recorder)
        row.recorder_us.append(1e6 * (_spent(subject.recorder) - recorder) / done)
    return done


def _spent(pid: int | None) -> float:
    return 0.0 if pid is None else cpu_seconds(pid)


async def _settled(pid: int) -> None:
    """Wait until a recorder has written what it got, so that the next subject has the machine for itself."""
    for _ in range(60):
        before = cpu_seconds(pid)
        await asyncio.sleep(0.5)
        if cpu_seconds(pid) - before < SETTLED:
            return
