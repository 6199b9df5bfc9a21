"""What `replay`, `verify` and `load` share: run the engine's job, show the run, give the exit code of its verdict."""

from __future__ import annotations

import asyncio
import shlex
import sys
from datetime import UTC, datetime

import click
from pydantic import BaseModel

from wiretape_capture.jobs.events import Ready
from wiretape_capture.snapshot.exchange import Direction
from wiretape_capture.snapshot.listing import passed_over
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.report.terminal import run_lines
from wiretape_replay.verdict.evals import parse
from wiretape_replay.verdict.model import FindingClass, Part, Run, Severity
from wiretape_server.cli import endpoints, job_view
from wiretape_server.cli.command import open_workspace
from wiretape_server.cli.pushing import Pushing
from wiretape_server.cli.terminal import near, out, out_json, say
from wiretape_server.store.bringing import bring_runs, bring_snapshot
from wiretape_server.workspace.failed import with_failed
from wiretape_server.workspace.noise_file import FILE_NAME as NOISE_FILE
from wiretape_server.workspace.specs import load_spec, replay_spec
from wiretape_server.workspace.workspace import Workspace

NEVER_NOISE = (FindingClass.ERROR, FindingClass.STATUS, FindingClass.LATENCY)
COLOURS = {" ✔": "green", " ✖": "red", " ?": "yellow", " ▲": "yellow", " !": "yellow"}


def run_replay(*, verify: bool, push: bool, as_json: bool) -> None:
    """Replay the workspace's snapshot and end the command with the verdict's exit code."""
    ws, now = _opened(), datetime.now(UTC)
    pushing = Pushing.of(ws, wanted=push)
    files = endpoints.job_files(ws, "verify" if verify else "replay", now)
    spec = replay_spec(ws, now=now, verify=verify, log=files.app, command=_typed())
    _announce(ws, spec, "replaying " + spec.tape.stem + ("" if spec.mock is None else ", its services mocked"))
    learned = (ws.root / NOISE_FILE).exists()
    _run("wiretape_replay.engine", spec, spec, "replaying", files, pushing, learned=learned, as_json=as_json)


def run_load(*, push: bool, as_json: bool) -> None:
    """Put the workspace's snapshot on a target as load and end the command with the verdict's exit code."""
    ws, now = _opened(), datetime.now(UTC)
    pushing = Pushing.of(ws, wanted=push)
    files = endpoints.job_files(ws, "load", now)
    spec = load_spec(ws, now=now, log=files.app, command=_typed())
    _announce(ws, spec.replay, "loading with " + spec.replay.tape.stem)
    learned = (ws.root / NOISE_FILE).exists()
    _run("wiretape_replay.load", spec, spec.replay, "loading", files, pushing, learned=learned, as_json=as_json)


def _opened() -> Workspace:
    ws = open_workspace()
    bring_runs(ws, say)
    ws, note = asyncio.run(with_failed(ws))
    bring_snapshot(ws, Direction.INBOUND, say)
    for condition in ws.config.replay.fail_if:
        parse(condition)  # a typo is told before anything starts
    if note:
        say(f"note: {note}")
    return ws


def _typed() -> str:
    return f"wiretape {shlex.join(sys.argv[1:])}"


def _announce(ws: Workspace, spec: ReplaySpec, doing: str) -> None:
    ws.create()
    if not ws.config.snapshot and (note := passed_over(ws.snapshots_dir, spec.tape, Direction.INBOUND)):
        say(f"note: {note}")
    say(doing)
    if spec.app is not None and spec.app.log is not None:
        say(f"the app's output goes to {near(spec.app.log)}")


def _run(module: str, spec: BaseModel, replay: ReplaySpec, doing: str, files: endpoints.JobFiles,
         pushing: Pushing, *, learned: bool, as_json: bool) -> None:  # fmt: skip
    view = job_view.View(on_ready=lambda ready: _tell_target(ready, replay), doing=doing)
    run = Run.model_validate(job_view.run(module, spec, view, log=files.job))
    if as_json:
        out_json(run)
    else:
        for line in run_lines(run):
            out(coloured(line))
        if run.verdict.verdict == "fail" and not learned and replay.against is None and may_be_noise(run):
            out("no noise was learned yet: if unchanged code fails like this too, run there: wiretape noise learn")
    pushed = pushing.run(replay.run)
    click.get_current_context().exit(run.exit_code or pushed)


def may_be_noise(run: Run) -> bool:
    """Whether the run failed by something that varies in unchanged code and can be learned: a value, not an outage."""
    return any(one.severity is not Severity.INFO and one.kind not in NEVER_NOISE and one.part is not Part.OUTBOUND
               for one in run.verdict.findings)  # fmt: skip


def coloured(line: str) -> str:
    """A report's line with its mark in colour."""
    colour = COLOURS.get(line[:2])
    return click.style(line[:2], fg=colour, bold=True) + line[2:] if colour else line


def _tell_target(ready: Ready, spec: ReplaySpec) -> None:
    if target := ready.endpoints.get("target", spec.target):
        say(f"sending to {target}")
