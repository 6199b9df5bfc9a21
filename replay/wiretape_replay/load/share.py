"""One worker's share of a load, from its preparation to its last count."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Self
from urllib.parse import urlsplit

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Counted, Emit
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.engine.plan import Plan
from wiretape_replay.engine.selection import Selection
from wiretape_replay.load.alarm import clock
from wiretape_replay.load.arrivals import bin_width
from wiretape_replay.load.item import Item
from wiretape_replay.load.keeper import Keeper
from wiretape_replay.load.player import Player, Way
from wiretape_replay.load.pool import Address, Pool
from wiretape_replay.load.samples import Samples
from wiretape_replay.load.scenario import Scenario, arrivals_of, until_of
from wiretape_replay.load.spec import Go, LoadSpec, WorkerSpec
from wiretape_replay.load.stages import Level
from wiretape_replay.loopback import is_loopback
from wiretape_replay.signing.signer import Signer

SECOND_NS = 1_000_000_000
MOST_CONNECTIONS = 10_000
SPARE_FILES = 64
EARLY_S = 0.002
"""By so much a sleep may end too early (epoll counts milliseconds); what is sent before the start is not timed."""
COLLECT = 50_000, 20, 20
"""Thresholds of the garbage collector while requests are sent: each of its rounds is a delay, and cycles are rare."""


@dataclass(slots=True)
class Share:
    """Everything that can be done beforehand."""

    scenario: Scenario
    spec: WorkerSpec
    pool: Pool
    items: list[list[Item]]
    session: Callable[[int], LiveSession]
    samples: Samples
    cpu_s: float = 0.0
    """Processor time that sending took."""
    stopped: bool = False
    """Whether it was told to end before its schedule did."""

    @classmethod
    async def prepared(cls, scenario: Scenario, spec: WorkerSpec) -> Self:
        """Find the target, and make every request ready."""
        own = spec.load.connections == "session"
        pool = Pool(await _address(spec.target), spec.load.replay.timeout, _connections(), own=own)
        return cls(scenario, spec, pool, scenario.items(), _sessions(scenario, spec),
                   Samples(Random(f"{scenario.seed} {spec.shard}")))  # fmt: skip

    async def play(self, go: Go, emit: Emit, stop: asyncio.Event) -> None:
        """Send it and tell its counts; what is compared later is in `samples`."""
        load, scenario = self.spec.load, self.scenario
        arrivals = islice(arrivals_of(scenario, load), self.spec.shard, None, self.spec.of)
        keeper = Keeper(self.samples, self.session, go.wall_ns - go.start_ns, keeps=load.compare == "full")
        player = Player(_way(load, scenario, go), self.items, arrivals, self.pool, keeper)
        self.pool.serve(player)
        # What was made ready lives as long as the load: looking through it again and again would stall requests.
        gc.collect()
        gc.freeze()
        before = gc.get_threshold()
        gc.set_threshold(*COLLECT)
        began = time.process_time()
        teller = _Teller(player, emit, go.start_ns)
        sweeping, telling = asyncio.create_task(self.pool.sweep()), asyncio.create_task(teller.tell_each_second())
        try:
            await self._until_over(player, go, stop)
        finally:
            for task in (sweeping, telling):
                task.cancel()
            await asyncio.gather(sweeping, telling, return_exceptions=True)
            player.end()
            await self.pool.close()
            gc.unfreeze()
            gc.set_threshold(*before)
            self.cpu_s = time.process_time() - began
        teller.tell()

    async def _until_over(self, player: Player, go: Go, stop: asyncio.Event) -> None:
        load = self.spec.load
        if load.arrivals == "closed":
            await asyncio.sleep(max(go.start_ns - clock(), 0) / 1e9 + EARLY_S)
        player.start(_users(self.spec))
        until = until_of(load, Level.of(load.scale, load.stages))
        over, stopped = asyncio.create_task(player.ended.wait()), asyncio.create_task(stop.wait())
        limit = None if until is None else max(go.start_ns / 1e9 + until - clock() / 1e9, 0)
        await asyncio.wait({over, stopped}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        self.stopped = stopped.done() and not over.done()
        if not over.done():
            player.close()
            await over
        stopped.cancel()


@dataclass(slots=True)
class _Teller:
    """Tells what was counted, each second of the schedule for itself: so seconds of several workers can be added."""

    player: Player
    emit: Emit
    start_ns: int
    told: int = 0
    """Seconds that are over."""

    async def tell_each_second(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(max(self._ends_ns - clock(), 0) / 1e9)
            if clock() < self._ends_ns:  # timers of the loop may ring a little early
                continue
            if self.player.tally:
                self.tell()
            self.told = max(self.told + 1, (clock() - self.start_ns) // SECOND_NS)

    def tell(self) -> None:
        """What was counted in this second until now; a timer that is late makes it no other second."""
        at_ns = min(clock(), self._ends_ns - 1) - self.start_ns
        self.emit(Counted(counts=self.player.taken().encoded(), at=at_ns / 1e9))

    @property
    def _ends_ns(self) -> int:
        return self.start_ns + (self.told + 1) * SECOND_NS


def _way(load: LoadSpec, scenario: Scenario, go: Go) -> Way:
    until = until_of(load, Level.of(load.scale, load.stages))
    shaped = load.arrivals == "recorded"
    return Way(
        thinks=load.arrivals != "closed", warm_ns=go.start_ns + int(load.warmup * 1e9), start_ns=go.start_ns,
        bin_ns=int(bin_width(scenario.rhythm.period, until) * 1e9) if shaped else 0,
        users=load.arrivals == "closed",
    )  # fmt: skip


def _users(spec: WorkerSpec) -> int:
    whole = int(spec.load.rate or 1)
    return whole // spec.of + (spec.shard < whole % spec.of)


def _sessions(scenario: Scenario, spec: WorkerSpec) -> Callable[[int], LiveSession]:
    """What makes a session for a clone, with identities of its own."""
    replay = spec.load.replay
    signer = Signer(replay.sign, os.environ, replay.sign_dir) if replay.sign else None
    nothing = Selection((), (), whole=False)
    plan = Plan([], scenario.bindings, scenario.route_table, scenario.sessions, nothing, scenario.seed, signer)
    netloc = urlsplit(spec.target).netloc
    return lambda clone: plan.session(netloc, f"clone {clone}")


async def _address(target: str) -> Address:
    parts = urlsplit(target)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise WiretapeError(f"the name {host} cannot be resolved: {error.strerror}", "correct the target") from None
    return Address(str(found[0][4][0]), port, host, _tls(host) if parts.scheme == "https" else None,
                   parts.path.rstrip("/"), parts.netloc)  # fmt: skip


def _tls(host: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if is_loopback(host):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _connections() -> int:
    """As many as there may be open files, which is raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(min(soft - SPARE_FILES, MOST_CONNECTIONS), 1)
