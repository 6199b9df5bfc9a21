"""The run: record each app through the tools, show that unchanged code passes, then plant one bug at a time."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.agent.bugs import BUGS, Bug
from benchmarks.agent.policy import Localised, localise
from benchmarks.agent.projects import Project, project
from benchmarks.agent.session import Session, connected
from benchmarks.agent.start import COUNT, Start, cold_starts

QUICK_BUGS = ("type", "missing call")
QUICK_STARTS = 3
LEARNED_FROM = 3
"""Replays of unchanged code from which `wiretape noise learn` learns, where the first one did not pass."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One bug and what became of it."""

    bug: Bug
    found: Localised

    @property
    def localised(self) -> bool:
        """Whether the claim names the right field of the right route."""
        claim = self.found.claim
        return claim is not None and any(place.holds(claim) for place in self.bug.places)


@dataclass
class Results:
    """All figures."""

    trials: list[Trial] = field(default_factory=list)
    unchanged: dict[str, str] = field(default_factory=dict)
    """What became of unchanged code, by app."""
    starts: list[Start] = field(default_factory=list)
    tool_list_tokens: int = 0
    seconds: float = 0.0

    @property
    def initialize_s(self) -> float:
        """The median cold start until the handshake is answered."""
        return statistics.median(each.initialize_s for each in self.starts)

    @property
    def tools_s(self) -> float:
        """The median cold start until the tools are listed."""
        return statistics.median(each.tools_s for each in self.starts)


async def measure(work: Path, *, quick: bool = False, bugs: Sequence[Bug] = BUGS, starts: int | None = None) -> Results:
    """Run it; `starts` is the number of cold starts that are timed."""
    began = time.monotonic()
    results = Results()
    chosen = [bug for bug in bugs if not quick or bug.kind in QUICK_BUGS]
    for app in dict.fromkeys(bug.app for bug in chosen):
        await _play(project(app, work), [bug for bug in chosen if bug.app == app], results)
    starts = starts or (QUICK_STARTS if quick else COUNT)
    results.starts = await asyncio.to_thread(cold_starts, work, starts)
    results.seconds = time.monotonic() - began
    return results


async def _play(app: Project, bugs: Sequence[Bug], results: Results) -> None:
    async with app.services(), connected(app.folder) as session:
        results.tool_list_tokens = await session.tool_list_tokens()
        await _record(app, session)
    async with connected(app.folder) as session:
        results.unchanged[app.app] = await _unchanged(app, session)
        for bug in bugs:
            original = bug.plant(app.source)
            try:
                results.trials.append(Trial(bug, await localise(session)))
            finally:
                app.source.write_text(original, encoding="utf-8")


async def _record(app: Project, session: Session) -> None:
    started = await session.call("start_recording", {"name": "before"})
    await app.visit(started.fields["endpoints"]["inbound"])
    await session.call("stop_recording")


async def _unchanged(app: Project, session: Session) -> str:
    """Unchanged code passes, or it does after its noise was learned; anything else ends the benchmark."""
    if (await localise(session)).status == "pass":
        return "pass"
    learn = ["noise", "learn", "--baseline-runs", str(LEARNED_FROM)]
    wiretape = Path(sys.executable).parent / "wiretape"
    ran = await asyncio.create_subprocess_exec(wiretape, *learn, cwd=app.folder, stdout=PIPE, stderr=PIPE)
    _, said = await ran.communicate()
    assert ran.returncode == 0, said.decode()[-2000:]
    again = await localise(session)
    assert again.status == "pass", f"unchanged {app.app} does not pass: {again.claim}"
    return "pass after noise learn"
