"""Records an app with the real record job, some days in the past: the apps' clocks are set back, and so is the tape."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.verdict.client import STEP_HEADER, Journey, TrueEdge
from benchmarks.verdict.journeys import JOURNEYS
from wiretape_capture.jobs.events import Failed, Finished, Ready
from wiretape_capture.jobs.parent import Job, failure
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import TapeWriter

ROOT = Path(__file__).parents[2]
APPS = ROOT / "benchmarks" / "apps"
DAY = 86_400


@dataclass(frozen=True)
class Recording:
    """One app's tape, made with one seed, and what its client knows to be true."""

    app: str
    seed: int
    tape: Path
    work: Path
    services: str
    """Where the app believes its dependency to be."""
    edges: tuple[TrueEdge, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def inbound(self) -> list[Exchange]:
        """What the client sent."""
        return [one for one in self.exchanges if one.direction is Direction.INBOUND]

    @property
    def outbound(self) -> list[Exchange]:
        """What the app sent."""
        return [one for one in self.exchanges if one.direction is Direction.OUTBOUND]

    def app_spec(self, port: int, services: str = "", clock: int = 0) -> AppSpec:
        """The unchanged app on a port."""
        variables = {
            "BENCH_SEED": str(self.seed),
            "BENCH_SERVICES": services or self.services,
            "BENCH_CLOCK": str(clock),
        }
        return AppSpec(
            command=command_of(self.app, self.work.parent, port),
            cwd=ROOT,
            env=variables,
            port=port,
            log=self.work / "app.log",
        )


def command_of(app: str, classes: Path, port: int) -> tuple[str, ...]:
    """How an app starts."""
    if app == "ledger":
        return ("java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", str(classes), "Ledger", str(port))
    if app == "bookings":
        return ("node", str(APPS / "bookings.cjs"), str(port))
    return (sys.executable, "-m", f"benchmarks.apps.{app}", str(port))


def available(work: Path, only: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """The apps that can run on this machine, and why others cannot; the Java app is compiled."""
    wanted = [name for name in JOURNEYS if not only or name in only]
    needs = {"bookings": ("node", "node is not installed"), "ledger": ("javac", "javac (JDK 17) is not installed")}
    missing = [name for name in wanted if name in needs and shutil.which(needs[name][0]) is None]
    if "ledger" in wanted and "ledger" not in missing:
        subprocess.run(["javac", "-d", str(work), str(APPS / "Ledger.java")], check=True)
    return [name for name in wanted if name not in missing], [f"{name}: {needs[name][1]}" for name in missing]


@asynccontextmanager
async def dependency(work: Path, seed: int, clock: int) -> AsyncIterator[str]:
    """The real dependency, for as long as something is recorded."""
    port = free_port()
    spec = AppSpec(
        command=(sys.executable, "-m", "benchmarks.apps.services", str(port)),
        cwd=ROOT,
        port=port,
        env={"BENCH_SEED": str(seed), "BENCH_CLOCK": str(clock)},
        log=work / "services.log",
    )
    app = await App.start(spec, {})
    try:
        await app.wait_ready()
        yield f"http://127.0.0.1:{port}"
    finally:
        await app.stop()


async def record(app: str, seed: int, work: Path) -> Recording:
    """Record one journey."""
    folder = work / f"{app}-{seed}"
    await asyncio.to_thread(folder.mkdir, parents=True)
    clock = -random.Random(f"clock:{app}:{seed}").randint(2, 40) * DAY - 4321
    fresh, tape = folder / "fresh.tape", folder / f"{app}.tape"
    async with dependency(folder, seed, clock) as services:
        bare = Recording(app, seed, tape, folder, services, (), ())
        port = free_port()
        spec = RecordSpec(tape=fresh, name=app, ca_dir=work / "ca", app=bare.app_spec(port, clock=clock), app_port=port)
        job = await Job.start("wiretape_capture.record", spec, log=folder / "record.log", env=environment())
        try:
            journey = await _walk(job, app, seed)
        finally:
            await job.close()
    await _moved(fresh, tape, clock * 1_000_000_000)
    async with await TapeReader.open(tape) as reader:
        exchanges = tuple(await reader.exchanges())
    return Recording(app, seed, tape, folder, services, tuple(journey.edges), exchanges)


async def _walk(job: Job, app: str, seed: int) -> Journey:
    journey: Journey | None = None
    async for event in job.events():
        if isinstance(event, Ready):
            port = int(event.endpoints["inbound"].rpartition(":")[2])
            journey = Journey(port, random.Random(f"client:{app}:{seed}"))
            await asyncio.to_thread(JOURNEYS[app], journey)
            journey.close()
            job.request_stop()
        elif isinstance(event, Failed):
            raise failure(event)
        elif isinstance(event, Finished):
            break
    assert journey is not None
    return journey


async def _moved(fresh: Path, tape: Path, by_ns: int) -> None:
    """The tape at the time that the app's clock showed."""
    async with await TapeReader.open(fresh) as reader:
        info = await reader.info()
        async with await TapeWriter.create(tape, name=info.name, created_ns=info.created_ns + by_ns) as writer:
            for one in await reader.exchanges():
                writer.put(one.model_copy(update={"started_ns": one.started_ns + by_ns}))
    await asyncio.to_thread(fresh.unlink)


def environment() -> Mapping[str, str]:
    """This process's environment without a proxy of its own."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def step_of(exchange: Exchange) -> int:
    """The client's number of an inbound exchange."""
    return next(int(value) for name, value in exchange.request.headers if name.lower() == STEP_HEADER.lower())
