"""Who has the app's port now, said with the tool that ends it: two jobs that started the app there would meet."""

from __future__ import annotations

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.port_lock import holder_of
from wiretape_capture.launch.spec import AppSpec
from wiretape_server.mcp.live_jobs import Kind, LiveJobs

STOPS: dict[str, tuple[Kind, str]] = {"recording": ("recording", "name"), "mock": ("mock", "mock")}


def refuse_held(jobs: LiveJobs, app: AppSpec | None, *, wait_for_runs: bool) -> None:
    """Refuse to start the app where a recording or a mock has it, and a run unless it is waited for."""
    holder = holder_of(app.claim.file) if app is not None and app.claim is not None else ""
    kind, _, name = holder.partition(" ")
    if app is None or kind not in (*STOPS, "run") or (kind == "run" and wait_for_runs):
        return
    problem = f"{holder} has the app on port {app.port}"
    if kind == "run":
        raise UsageError(problem, f'get_run(run="{name}") waits for it, then call again')
    own, argument = STOPS[kind]
    elsewhere = "it was started by another wiretape process: end it there"
    raise UsageError(problem, f'stop_{own}({argument}="{name}") ends it' if jobs.find(own, name) else elsewhere)
