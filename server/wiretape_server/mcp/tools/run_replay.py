"""run_replay: is the changed code safe? Starts app and mocks where wiretape.toml says how, replays, judges."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_capture.errors import UsageError
from wiretape_replay.verdict.model import Run
from wiretape_server.mcp.commands import check_target, targets_of
from wiretape_server.mcp.holders import refuse_held
from wiretape_server.mcp.live_jobs import LiveJob
from wiretape_server.mcp.names import inside, plain
from wiretape_server.mcp.results import answer
from wiretape_server.mcp.runs import RunResult, finished_result, open_run, result_lines, running_result
from wiretape_server.mcp.snapshots import expect_some
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.times import now
from wiretape_server.mcp.waiting import wait_or_stop

if TYPE_CHECKING:
    from wiretape_replay.engine.spec import ReplaySpec
    from wiretape_server.workspace.workspace import Workspace


async def run_replay(
    ctx: Context[ServerState],
    snapshot: Annotated[str | None, Field(description="Snapshot name; default: the newest.")] = None,
    target: Annotated[str | None, Field(
        description="Base URL of an app that already runs, such as http://127.0.0.1:8000 (loopback only unless "
                    "configured). Default: start the app and its mocks as wiretape.toml says.")] = None,
    only: Annotated[list[int | str] | None, Field(
        description='Replay only these: sequence numbers, ranges "3-7" or routes "GET /orders/*"; '
                    "what they need is replayed too. Default: all.")] = None,
    failed_of: Annotated[str | None, Field(
        description='Run id, or "newest": replay only what failed in that run and what it needs.')] = None,
    fail_if: Annotated[list[str] | None, Field(
        description='Further evals, such as "latency.p95 > 50"; METRIC OP VALUE. They join those of wiretape.toml, '
                    'which by default are "requests.failed > 0".')] = None,
    mock: Annotated[bool | None, Field(
        description="Answer the app's outbound calls from the snapshot. Default: true when wiretape starts the app.",
    )] = None,
    baseline: Annotated[str | None, Field(description='Run id that "baseline" in an eval refers to.')] = None,
    wait_seconds: Annotated[int, Field(
        ge=0, le=240, description="How long to wait for the verdict, 0 to 240, default 45; then answers running.",
    )] = 45,
) -> Annotated[CallToolResult, RunResult]:  # fmt: skip
    """Check changed code against recorded traffic: replay a snapshot's inbound exchanges and answer pass, fail or \
inconclusive with findings. Call it after every edit; without arguments it starts the app and its mocks itself."""
    state = ctx.request_context.lifespan_context
    workspace = state.workspace()
    if failed_of is not None:
        only = [*(only or ()), _failed(failed_of)]
    settings = _settings(workspace, snapshot, target, only, fail_if, mock, baseline)
    spec, note = await _spec(state, workspace, settings)
    refuse_held(state.jobs, spec.app, wait_for_runs=True)
    live = await state.jobs.start("run", spec.run.stem, spec, state.log_path(spec.run.stem))
    live.app_log = spec.app.log if spec.app is not None else None
    if not (settings.get("snapshot") or workspace.config.snapshot or note):
        note = _note(workspace, spec)
    return await awaited(ctx, live, spec.tape.stem, wait_seconds, note)


def _note(workspace: Workspace, spec: ReplaySpec) -> str:
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_capture.snapshot.listing import passed_over

    return passed_over(workspace.snapshots_dir, spec.tape, Direction.INBOUND)


async def awaited(ctx: Context[ServerState], live: LiveJob, snapshot: str, seconds: float,
                  note: str = "") -> CallToolResult:  # fmt: skip
    """The run's verdict, or that it still runs after `seconds`."""
    state = ctx.request_context.lifespan_context
    if not await wait_or_stop(state.jobs, live, lambda job: job.ended, seconds, ctx.report_progress):
        result = running_result(live, snapshot)
    else:
        workspace = state.workspace()
        result = finished_result(await _finished(workspace, live), state.mask(), workspace)
    if note:
        result = result.model_copy(update={"notes": (note, *result.notes)})
    return answer(result, result_lines(result))


async def _finished(workspace: Workspace, live: LiveJob) -> Run:
    """The run of a job that ended, from its file where there is one: that is whole, whatever the job said last."""
    if not (workspace.runs_dir / f"{live.name}.run").is_file():
        return Run.model_validate(live.outcome().result)
    async with await open_run(workspace, live.name) as reader:
        return await reader.run()


def _settings(workspace: Workspace, snapshot: str | None, target: str | None,
              only: list[int | str] | None, fail_if: list[str] | None, mock: bool | None,
              baseline: str | None) -> dict[str, object]:  # fmt: skip
    settings = {
        "snapshot": plain(snapshot, "snapshot"), "replay.target": target,
        "replay.fail_if": _joined(workspace, fail_if or []),
        "replay.only": None if only is None else [str(each) for each in only],
        "replay.mock": mock, "app.start": False if target else None, "replay.baseline": plain(baseline, "run"),
        # Two runs at once must not meet on one port.
        "mock.proxy_port": 0 if workspace.config.mock.proxy_port is None else None,
    }  # fmt: skip
    return {key: value for key, value in settings.items() if value is not None}


def _joined(workspace: Workspace, asked: list[str]) -> list[str] | None:
    """Evals of a call are added: leaving out one that somebody wrote down would make a red run green unseen."""
    return list(dict.fromkeys([*workspace.config.replay.fail_if, *asked])) if asked else None


def _failed(run: str) -> str:
    """The item of `only` that stands for what failed in a run."""
    named = "" if run.strip().lower() in ("", "newest", "latest") else plain(run, "run")
    return f"failed:{named}" if named else "failed"


async def _spec(state: ServerState, workspace: Workspace, settings: dict[str, object]) -> tuple[ReplaySpec, str]:
    from wiretape_replay.verdict.evals import parse
    from wiretape_replay.verdict.judge import MISSES, speaks_of_mock
    from wiretape_server.workspace.failed import with_failed
    from wiretape_server.workspace.specs import app_spec, replay_spec

    configured = workspace.with_settings(settings)
    for url in targets_of(configured):
        check_target(state, workspace, url)
    app = configured.config.app
    if not configured.config.replay.target and not app.command and app.port is None:
        raise UsageError("nothing to replay against: wiretape.toml has no app.command and app.port",
                         "set both there, or give target, the URL of an app that already runs")  # fmt: skip
    for condition in configured.config.replay.fail_if:
        parse(condition)  # a typo is told before anything starts
    expect_some(workspace)
    configured, note = await with_failed(configured)
    state.prepare(configured)
    verify = app_spec(configured) is not None
    spec = replay_spec(configured, now=now(), verify=verify, command=_command(settings, verify=verify))
    if spec.mock is not None and not speaks_of_mock(workspace.config.replay.fail_if):
        spec = spec.model_copy(update={"fail_if": (*spec.fail_if, MISSES)})
    inside(spec.tape, workspace.snapshots_dir)
    if spec.app is not None and spec.app.log is None:
        log = workspace.jobs_dir / f"{spec.run.stem}.app.log"
        spec = spec.model_copy(update={"app": spec.app.model_copy(update={"log": log})})
    return spec, note


def _command(settings: dict[str, object], *, verify: bool) -> str:
    """The command line that repeats this run."""
    words = ["wiretape", "verify" if verify else "replay"]
    flags = {"replay.target": "--target", "replay.fail_if": "--fail-if", "replay.only": "--only",
             "replay.baseline": "--baseline"}  # fmt: skip
    if "snapshot" in settings:
        words.append(str(settings["snapshot"]))
    for key, flag in flags.items():
        value = settings.get(key)
        for item in value if isinstance(value, list) else [value] if value else []:
            words += [flag, str(item)]
    if "replay.mock" in settings:
        words.append("--mock" if settings["replay.mock"] else "--no-mock")
    return shlex.join(words)
