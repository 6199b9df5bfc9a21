"""Which running job a stop call means."""

from __future__ import annotations

from wiretape_capture.errors import UsageError
from wiretape_server.mcp.live_jobs import Kind, LiveJob, LiveJobs


def the_one(jobs: LiveJobs, kind: Kind, name: str | None) -> LiveJob:
    """The job called `name`, or the only one there is."""
    candidates = jobs.of(kind)
    names = ", ".join(live.name for live in candidates)
    if name:
        found = jobs.find(kind, name)
        if found is None:
            raise UsageError(f"no {kind} called {name!r} was started here", _choice(kind, names))
        return found
    if len(candidates) != 1:
        raise UsageError(f"{len(candidates)} {kind}s were started here", _choice(kind, names))
    return candidates[0]


def _choice(kind: Kind, names: str) -> str:
    return f"name one of: {names}" if names else f"start_{kind} starts one"
