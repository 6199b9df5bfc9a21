"""The rounds: each measures every subject once, so that what the machine does beside meets all of them alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.capture import load, servers
from benchmarks.mock.pinned import cpu_seconds, machine, resident_bytes
from benchmarks.mock.servers import chain
from benchmarks.mock.wrk import Load

MANY, ONE = 32, 1
"""Connections for throughput, and for latency."""
SETTLED = 0.03
"""Processor seconds in half a second below which a recorder has written what it got."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: float
    sustained: int
    """Requests of the sustained load."""


FULL = Size(rounds=7, seconds=3, sustained=40_000)
QUICK = Size(rounds=2, seconds=1, sustained=4_000)


@dataclass(slots=True)
class Row:
    """The measurements of one subject."""

    loads: list[Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    resident: int = 0


@dataclass(slots=True)
class Results:
    """Everything that was measured."""

    size: Size
    machine: str = ""
    rows: dict[str, Row] = field(default_factory=dict)
    answered: int = 0
    """Requests of the sustained load that were answered."""
    recorded: int = 0
    rate: float = 0.0
    recorded_p50_us: float = 0.0
    notes: tuple[str, ...] = ()

    def ratio(self, name: str, reference: str) -> float:
        """Median of the rounds' ratios of throughput."""
        return self._median(name, reference, lambda row, at: row.loads[at].per_second)

    def cpu_ratio(self, name: str, reference: str) -> float:
        """Median of the rounds' ratios of requests by the carrier's own processor time."""
        return self._median(reference, name, lambda row, at: row.cpu_us[at])

    def added_p50(self, name: str, reference: str, origin: str) -> float:
        """Median of the rounds' ratios of what p50 is longer than at the origin itself."""
        base = self.rows[origin].loads
        return self._median(name, reference, lambda row, at: max(row.loads[at].p50_us - base[at].p50_us, 1.0))

    def _median(self, name: str, reference: str, value: Callable[[Row, int], float]) -> float:
        one, other = self.rows[name], self.rows[reference]
        return median(value(one, at) / value(other, at) for at in range(len(one.loads)))


@dataclass(frozen=True, slots=True)
class Target:
    """What is loaded for one row."""

    name: str
    pid: int
    carrier: int
    """The process that carries bytes."""
    url: str
    sends: Path
    connections: int
    through: Path | None = None
    """A configuration of proxychains, which makes each connection a CONNECT."""


async def measure(folder: Path, size: Size) -> Results:
    """Start everything, load it in turns, then a new recording at a steady rate."""
    results = Results(size, machine())
    async with AsyncExitStack() as stack:
        servers.certify(folder)
        origin, to = await stack.enter_async_context(servers.origin(folder))
        targets = [*await _targets(folder, stack, origin, to), *await _tls_targets(folder, stack)]
        for _ in range(size.rounds):
            for target in targets:
                await _round(results.rows.setdefault(target.name, Row()), target, size.seconds)
    async with servers.origin(folder) as (_, to):
        await _sustained(folder, results, to)
    return results


async def _targets(folder: Path, stack: AsyncExitStack, origin: int, to: int) -> list[Target]:
    nginx, port = await stack.enter_async_context(servers.reverse_proxy(folder, to))
    tee = await stack.enter_async_context(servers.recording(folder, "tee", "tee", to))
    stock = await stack.enter_async_context(servers.recording(folder, "mitmproxy", "mitmproxy", to))
    direct, absolute = load.script(folder, "direct"), load.script(folder, "absolute", f"http://127.0.0.1:{to}/a")
    at_origin, at_nginx = f"http://127.0.0.1:{to}/a", f"http://127.0.0.1:{port}/a"
    carrier = tee.carriers[0]
    return [
        Target("origin", origin, origin, at_origin, direct, MANY),
        Target("nginx", nginx, nginx, at_nginx, direct, MANY),
        Target("tee", tee.job.pid, carrier, f"{tee.inbound}/a", direct, MANY),
        Target("tee_proxy", tee.job.pid, carrier, tee.proxy, absolute, MANY),
        Target("mitmproxy", stock.job.pid, stock.job.pid, f"{stock.inbound}/a", direct, MANY),
        Target("origin_one", origin, origin, at_origin, direct, ONE),
        Target("nginx_one", nginx, nginx, at_nginx, direct, ONE),
        Target("tee_one", tee.job.pid, carrier, f"{tee.inbound}/a", direct, ONE),
    ]


async def _tls_targets(folder: Path, stack: AsyncExitStack) -> list[Target]:
    """TLS from the client and TLS to the service, ended in between by nginx and by the tee."""
    origin, to = await stack.enter_async_context(servers.origin(folder, tls=True))
    nginx, port = await stack.enter_async_context(servers.reverse_proxy(folder, to, tls=True))
    tee = await stack.enter_async_context(servers.recording(folder, "tee-tls", "tee", to))
    direct, service = load.script(folder, "tls"), f"https://127.0.0.1:{to}/a"
    return [
        Target("origin_tls", origin, origin, service, direct, MANY),
        Target("nginx_tls", nginx, nginx, f"https://127.0.0.1:{port}/a", direct, MANY),
        Target("tee_tls", tee.job.pid, tee.carriers[0], service, direct, MANY, chain(folder, tee.proxy)),
    ]


async def _round(row: Row, target: Target, seconds: float) -> None:
    before = cpu_seconds(target.carrier)
    done = await load.as_fast_as_it_goes(target.url, target.sends, target.connections, seconds, target.through)
    row.loads.append(done)
    row.cpu_us.append(1e6 * (cpu_seconds(target.carrier) - before) / max(1, done.requests))
    row.resident = max(row.resident, resident_bytes(target.pid))
    if target.pid != target.carrier or target.name == "mitmproxy":
        await _settled(target.pid)


async def _settled(pid: int) -> None:
    """Wait until a recorder has written what it got, so that the next subject has the machine for itself."""
    for _ in range(60):
        before = cpu_seconds(pid)
        await asyncio.sleep(0.5)
        if cpu_seconds(pid) - before < SETTLED:
            return


async def _sustained(folder: Path, results: Results, to: int) -> None:
    async with servers.recording(folder, "sustained", "tee", to) as tee:
        results.answered, results.rate = await load.at_a_rate(f"{tee.inbound}/a", results.size.sustained)
        ended = await tee.stop()
    results.recorded, results.notes = ended.exchanges, ended.notes
    results.recorded_p50_us = ended.summary[0].p50_ms * 1000 if ended.summary else 0.0
