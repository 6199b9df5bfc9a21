"""start_mock: answer the app's outbound calls from a snapshot."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_server.mcp.commands import check_command
from wiretape_server.mcp.environment_text import app_lines, app_log, app_url, environment_lines
from wiretape_server.mcp.holders import refuse_held
from wiretape_server.mcp.names import inside, plain
from wiretape_server.mcp.results import Result, answer
from wiretape_server.mcp.snapshots import expect_some
from wiretape_server.mcp.starting import started
from wiretape_server.mcp.state import ServerState


class Mocking(Result):
    """The answer of start_mock."""

    mock: str
    snapshot: str
    endpoints: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    app_started: bool = False
    app_url: str = ""
    app_log: str = ""


async def start_mock(
    ctx: Context[ServerState],
    snapshot: Annotated[str | None, Field(description="Snapshot name; default: the newest.")] = None,
    start_app: Annotated[bool, Field(
        description="Also start the app of wiretape.toml against the mocks. Default false.")] = False,
    timing: Annotated[str | None, Field(
        description='When to answer: none (at once), recorded, or a multiple such as "2x". Default none.')] = None,
    command: Annotated[list[str] | None, Field(
        description="Another command to start, as a list of words; refused unless the server allows commands.")] = None,
) -> Annotated[CallToolResult, Mocking]:  # fmt: skip
    """Start servers that answer the app's outbound calls from a snapshot; anything not recorded fails. run_replay \
starts its own mocks: use this to run or debug the app by hand without its real services."""
    from wiretape_server.workspace.specs import mock_spec

    state = ctx.request_context.lifespan_context
    check_command(state.options, command)
    settings = {"snapshot": plain(snapshot, "snapshot"), "mock.timing": timing, "app.command": command,
                "app.start": start_app or command is not None}  # fmt: skip
    workspace = state.workspace().with_settings({key: value for key, value in settings.items() if value is not None})
    expect_some(workspace)
    state.prepare(workspace)
    name = workspace.new_mock_name()
    spec = mock_spec(workspace, log=workspace.jobs_dir / f"{name}.app.log",
                     journal=workspace.jobs_dir / f"{name}.journal", name=name)  # fmt: skip
    inside(spec.tape, workspace.snapshots_dir)
    refuse_held(state.jobs, spec.app, wait_for_runs=False)
    live = await state.jobs.start("mock", name, spec, state.log_path(name))
    live.app_log = spec.app.log if spec.app is not None else None
    ready = await started(ctx, live, spec.app)
    result = Mocking(
        summary=f"{name} answers from snapshot {spec.tape.stem}" + (", the app is running" if spec.app else ""),
        next=f'use it, then stop_mock(mock="{name}") tells hits and misses', mock=name, snapshot=spec.tape.stem,
        endpoints=ready.endpoints, environment={} if spec.app else ready.environment, app_started=spec.app is not None,
        app_url=app_url(spec.app), app_log=app_log(workspace.root, spec.app),
    )  # fmt: skip
    return answer(result, environment_lines(result.endpoints, result.environment)
                  + app_lines(result.app_url, result.app_log))  # fmt: skip
