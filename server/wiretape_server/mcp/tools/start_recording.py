"""start_recording: begin a snapshot of the app's traffic."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_capture.errors import UsageError
from wiretape_server.mcp.commands import check_command
from wiretape_server.mcp.environment_text import app_lines, app_log, app_url, environment_lines
from wiretape_server.mcp.holders import refuse_held
from wiretape_server.mcp.results import Result, answer
from wiretape_server.mcp.starting import started
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.times import now


class Recording(Result):
    """The answer of start_recording."""

    name: str
    endpoints: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    app_started: bool = False
    app_url: str = ""
    app_log: str = ""


async def start_recording(
    ctx: Context[ServerState],
    name: Annotated[str | None, Field(
        description="Name of the new snapshot: a-z, 0-9, . _ -; default: date and time.")] = None,
    app_port: Annotated[int | None, Field(
        ge=1, le=65535, description="Port the app listens on, 1 to 65535; default: app.port of wiretape.toml.")] = None,
    maps: Annotated[list[str] | None, Field(
        description="Services with a listener of their own, as NAME=URL, such as payments=https://api.example.com; "
                    "the app is told where. Those of wiretape.toml are there anyway.")] = None,
    start_app: Annotated[bool | None, Field(
        description="false when the app runs already. Default: start it if wiretape.toml has its command.")] = None,
    command: Annotated[list[str] | None, Field(
        description="Another command to start, as a list of words; refused unless the server allows commands.")] = None,
) -> Annotated[CallToolResult, Recording]:  # fmt: skip
    """Start recording the app's traffic into a new snapshot. Send requests to the inbound URL it answers, then call \
stop_recording. The app's own calls reach its real services."""
    from wiretape_server.workspace.specs import record_spec, services_table

    state = ctx.request_context.lifespan_context
    check_command(state.options, command)
    settings = {"app.port": app_port, "app.command": command, "app.start": start_app if command is None else True,
                "services": services_table(maps) if maps else None}  # fmt: skip
    workspace = state.workspace().with_settings({key: value for key, value in settings.items() if value is not None})
    state.prepare(workspace)
    moment = now()
    name = name or workspace.new_snapshot_name(moment)
    spec = record_spec(workspace, now=moment, name=name, log=workspace.jobs_dir / f"{name}.app.log")
    if spec.app is None and spec.app_port is None:
        raise UsageError("nothing to record: no app is configured and no app_port was given",
                         "set app.command and app.port in wiretape.toml, or give app_port")  # fmt: skip
    refuse_held(state.jobs, spec.app, wait_for_runs=False)
    live = await state.jobs.start("recording", name, spec, state.log_path(f"record-{name}"))
    live.app_log = spec.app.log if spec.app is not None else None
    ready = await started(ctx, live, spec.app)
    inbound = ready.endpoints.get("inbound")
    send = (f"send the app its requests at {inbound}" if inbound else
            "let the app make its calls (requests to the app itself are recorded once app.port is set)")  # fmt: skip
    result = Recording(
        summary=f"recording snapshot {name}" + (f", inbound at {inbound}" if inbound else ""),
        next=f'{send}, then stop_recording(name="{name}")', name=name, endpoints=ready.endpoints,
        environment={} if spec.app else ready.environment, app_started=spec.app is not None,
        app_url=app_url(spec.app), app_log=app_log(workspace.root, spec.app),
    )  # fmt: skip
    return answer(result, environment_lines(result.endpoints, result.environment)
                  + app_lines(result.app_url, result.app_log))  # fmt: skip
