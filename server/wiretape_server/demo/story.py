"""The demo's acts: record the shop, replay it unchanged, edit it, replay again. Says each step through a callback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Failed, Finished, Progress
from wiretape_capture.jobs.parent import Job, failure
from wiretape_capture.proxy.spec import RecordResult
from wiretape_replay.verdict.model import Run
from wiretape_server.demo.stage import Ports, free_ports, plant, send_traffic, services, set_stage
from wiretape_server.workspace.specs import record_spec, replay_spec
from wiretape_server.workspace.workspace import Workspace

SNAPSHOT = "shop"
RECORDER = "wiretape_capture.record"
ENGINE = "wiretape_replay.engine"

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Story:
    """What happened, for the closing screen and `--json`."""

    folder: Path
    recording: RecordResult
    unchanged: Run
    edit: list[str]
    """The planted edit as a unified diff."""
    edited: Run

    @property
    def as_told(self) -> bool:
        """Whether wiretape did what the demo is there to show."""
        return self.unchanged.verdict.verdict == "pass" and self.edited.verdict.verdict == "fail"


async def tell(folder: Path, say: Say) -> Story:
    """Play all acts in `folder`, which becomes a workspace of its own."""
    ports = free_ports()
    set_stage(folder, ports)
    workspace = Workspace.find(folder).with_settings({"record.listen": 0, "record.proxy_port": 0, "mock.proxy_port": 0})
    workspace.create()
    async with services(folder, ports):
        say("the shop's catalog (HTTP) and payment service (HTTPS) run")
        recording = await _record(workspace, say)
    await _assert_stopped(ports)
    say("both services are stopped: from here on only their recordings answer")
    unchanged = await _replay(workspace, say)
    say(f"the unchanged shop was replayed: {unchanged.verdict.verdict}")
    edit = plant(folder)
    say("three regressions are planted in shop.py")
    edited = await _replay(workspace, say)
    say(f"the edited shop was replayed: {edited.verdict.verdict}")
    return Story(folder, recording, unchanged, edit, edited)


async def _record(workspace: Workspace, say: Say) -> RecordResult:
    log = workspace.jobs_dir / "shop-recorded.log"
    spec = record_spec(workspace, now=datetime.now(UTC), name=SNAPSHOT, log=log)
    job = await Job.start(RECORDER, spec, log=workspace.jobs_dir / "record.log")
    try:
        ready = await job.ready()
        say("the shop runs under wiretape; two customers visit it")
        sent = await send_traffic(workspace.root, ready.endpoints["inbound"])
        finished = await job.stop(grace=20)
    finally:
        await job.close()
    if finished is None:
        raise WiretapeError("the recording did not finish", f"see {workspace.jobs_dir / 'record.log'}")
    recording = RecordResult.model_validate(finished.result)
    say(f"{sent} requests were sent; {recording.inbound} inbound and {recording.outbound} outbound exchanges recorded")
    return recording


async def _replay(workspace: Workspace, say: Say) -> Run:
    log = workspace.jobs_dir / "shop-replayed.log"
    spec = replay_spec(workspace, now=datetime.now(UTC), verify=True, log=log, command="wiretape verify")
    job = await Job.start(ENGINE, spec, log=workspace.jobs_dir / "replay.log")
    try:
        async for event in job.events():
            if isinstance(event, Progress) and event.message:
                say(event.message)
            if isinstance(event, Failed):
                raise failure(event)
            if isinstance(event, Finished):
                return Run.model_validate(event.result)
    finally:
        await job.close()
    raise WiretapeError("the replay ended without a run", f"see {workspace.jobs_dir / 'replay.log'}")


async def _assert_stopped(ports: Ports) -> None:
    for port in (ports.catalog, ports.payments):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            raise WiretapeError(f"a service still answers on port {port}", "end the process that listens there")
