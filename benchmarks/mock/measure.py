"""The rounds: each measures every server once, so that what the machine does beside meets all of them alike."""

from __future__ import annotations

import asyncio
import math
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.mock import servers, wrk
from benchmarks.mock.idle import held_connections
from benchmarks.mock.pinned import cpu_seconds, machine, resident_bytes
from benchmarks.mock.recordings import HOST, distinct_bytes, endpoints, sequences, write

FEW = 1_000
WARM_UPS = 20


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: int
    many: int
    """Recorded endpoints of the large snapshot."""
    idle: int
    """Connections that are held open."""


FULL = Size(rounds=7, seconds=3, many=100_000, idle=10_000)
QUICK = Size(rounds=3, seconds=1, many=10_000, idle=2_000)


@dataclass(slots=True)
class Row:
    """The measurements of one subject."""

    loads: list[wrk.Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    resident: int = 0

    @property
    def per_second(self) -> list[float]:
        """Requests per second, round by round."""
        return [load.per_second for load in self.loads]


@dataclass(slots=True)
class Results:
    """Everything that was measured."""

    size: Size
    machine: str = ""
    rows: dict[str, Row] = field(default_factory=dict)
    distinct: int = 0
    """Distinct bytes of the large snapshot."""
    connections: int = 0
    left_out: list[str] = field(default_factory=list)

    def ratio(self, name: str, reference: str) -> float | None:
        """Median of the ratios of each round."""
        one, other = self.rows.get(name), self.rows.get(reference)
        if one is None or other is None:
            return None
        return median(a / b for a, b in zip(one.per_second, other.per_second, strict=True))


@dataclass(frozen=True, slots=True)
class Target:
    """What is loaded for one row."""

    name: str
    pid: int
    url: str
    sends: Path
    through: Path | None = None
    journal: Path | None = None


async def measure(folder: Path, size: Size) -> Results:
    """Start every server, load them in turns, and note what each did."""
    results = Results(size, machine())
    async with AsyncExitStack() as stack:
        targets = await _targets(folder, size, results, stack)
        for target in targets:
            await _warm(target, size)
        for _ in range(size.rounds):
            for target in targets:
                await _round(results.rows.setdefault(target.name, Row()), target, size.seconds)
        mock = next(target for target in targets if target.name == "mock")
        row = results.rows["mock_idle"] = Row()
        async with held_connections(mock.url, size.idle) as held:
            results.connections = held
            for _ in range(size.rounds):
                await _round(row, mock, size.seconds)
    return results


async def _targets(folder: Path, size: Size, results: Results, stack: AsyncExitStack) -> list[Target]:
    few = await write(folder / "few.tape", endpoints(FEW))
    await write(folder / "tls.tape", endpoints(FEW, "https"))
    many = await write(folder / "many.tape", endpoints(size.many))
    carts = await write(folder / "carts.tape", sequences())
    results.distinct = distinct_bytes(many)
    scripts = {
        "few": wrk.script(folder, "few", few),
        "absolute": wrk.script(folder, "absolute", few, prefix=f"http://{HOST}"),
        "many": wrk.script(folder, "many", many),
        "carts": wrk.script(folder, "carts", carts, shuffled=False),
    }
    os.sync()
    nginx = await stack.enter_async_context(servers.nginx(folder / "nginx", few))
    mock = await stack.enter_async_context(servers.mock(folder, folder / "few.tape"))
    tls = await stack.enter_async_context(servers.mock(folder, folder / "tls.tape"))
    large = await stack.enter_async_context(servers.mock(folder, folder / "many.tape"))
    cart = await stack.enter_async_context(servers.mock(folder, folder / "carts.tape", "cycle"))
    targets = [
        Target("nginx_static", nginx.pid, nginx.static, scripts["few"]),
        Target("nginx_return", nginx.pid, nginx.constant, scripts["few"]),
        Target("mock", mock.pid, mock.mapped, scripts["few"], journal=mock.journal),
        Target("mock_many", large.pid, large.mapped, scripts["many"], journal=large.journal),
        Target("mock_proxy", mock.pid, mock.proxy, scripts["absolute"], journal=mock.journal),
        Target("mock_stateful", cart.pid, cart.mapped, scripts["carts"], journal=cart.journal),
        Target("nginx_tls_static", nginx.pid, nginx.static_tls, scripts["few"]),
        Target("nginx_tls_return", nginx.pid, nginx.constant_tls, scripts["few"]),
        Target("mock_tls", tls.pid, f"https://{HOST}", scripts["few"], servers.chain(folder, tls.proxy), tls.journal),
    ]
    wiremock = await stack.enter_async_context(servers.wiremock(folder, few))
    if wiremock is None:
        results.left_out.append("WireMock: it needs java and npm")
    else:
        targets.append(Target("wiremock", wiremock[0], wiremock[1], scripts["few"]))
    return targets


async def _warm(target: Target, size: Size) -> None:
    """Until every request was sent three times: caches, the JVM's compiler, what the mock remembers.

    Each run of wrk begins with the first request, so that one run must be long enough for all of them.
    """
    wanted = 3 * sum(1 for _ in target.sends.with_suffix(".txt").open()) if target.journal is not None else 0
    seconds = size.seconds
    for _ in range(WARM_UPS):
        load = await _load(target, seconds)
        if load.requests >= wanted:
            return
        seconds = math.ceil(1.2 * seconds * wanted / max(load.requests, 1))


async def _round(row: Row, target: Target, seconds: int) -> None:
    before = cpu_seconds(target.pid)
    load = await _load(target, seconds)
    row.loads.append(load)
    row.cpu_us.append(1e6 * (cpu_seconds(target.pid) - before) / max(1.0, load.per_second * seconds))
    row.resident = max(row.resident, resident_bytes(target.pid))
    if target.journal is not None:
        # The mock appends: a run's worth of lines would fill a small disk.
        await asyncio.to_thread(os.truncate, target.journal, 0)


async def _load(target: Target, seconds: int) -> wrk.Load:
    return await wrk.run(target.url, target.sends, seconds, target.through)
