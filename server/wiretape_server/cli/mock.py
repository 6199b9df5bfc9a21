"""`wiretape mock`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from wiretape_server.cli.app_flags import APP, MOCK, MOCK_PORT, STORE, add
from wiretape_server.cli.command import Command, json_option, open_workspace, setting, snapshot_argument
from wiretape_server.cli.table import visible
from wiretape_server.cli.terminal import near, out, out_json, plural, say

if TYPE_CHECKING:
    from wiretape_replay.mock.spec import Candidate, MockAnswer, MockResult

TIMING = (
    setting("mock.timing", "--timing", "--speed", metavar="PACE", help="none, recorded, or 2x for twice as fast"),
)


@click.command(
    "mock",
    cls=Command,
    takes_app=True,
    short_help="Answer an app's outbound calls from a snapshot",
    example="wiretape mock checkout -- python app.py",
)
@snapshot_argument
@add((MOCK_PORT,), MOCK, TIMING, APP, (STORE,))
@json_option
def command(as_json: bool) -> None:
    """Answer an app's outbound calls from a snapshot.

    What matches no recorded call gets an error that names the closest ones; nothing reaches the network unless
    --allow says so. Ends with Ctrl-C or with the app. The exit code is 1 when a call matched nothing.
    """
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_capture.snapshot.listing import passed_over
    from wiretape_replay.mock.spec import MockResult
    from wiretape_server.cli import endpoints, job_view
    from wiretape_server.store.bringing import bring_snapshot
    from wiretape_server.workspace.specs import mock_spec

    ws = open_workspace()
    bring_snapshot(ws, Direction.OUTBOUND, say)
    files = endpoints.job_files(ws, "mock", datetime.now(UTC))
    spec = mock_spec(ws, log=files.app, journal=files.journal)
    ws.create()
    if not ws.config.snapshot and (note := passed_over(ws.snapshots_dir, spec.tape, Direction.OUTBOUND)):
        say(f"note: {note}")
    view = job_view.View(
        on_ready=lambda ready: endpoints.tell_mock(ready, spec, files),
        doing="answering",
        app_output=None if ws.config.app.log else files.app,
    )
    result = MockResult.model_validate(job_view.run("wiretape_replay.mock", spec, view, log=files.job))
    if as_json:
        out_json(result)
    else:
        for line in result_lines(result):
            out(line)
        out(f"journal: {near(files.journal)}")
    click.get_current_context().exit(_exit_code(result))


def result_lines(result: MockResult) -> list[str]:
    """How the mock did: answers by tier, then what missed and why."""
    tally = result.tally
    tiers = [f"{count} {name}" for name, count in (
        ("exact", tally.exact), ("normalized", tally.normalized), ("nearest", tally.nearest),
        ("passed through", tally.passthrough), ("missed", tally.miss),
    ) if count]  # fmt: skip
    lines = [f"mock {result.snapshot}: {plural(tally.total, 'call')}" + (f", {', '.join(tiers)}" if tiers else "")]
    for miss in result.misses:
        lines += _miss_lines(miss)
    if result.refused:
        lines.append(f"refused: {plural(result.refused, 'request')} malformed, too large, too slow or broken off")
    lines += [f"  {visible(note)}" for note in result.notes[:NOTES_SHOWN]]
    if result.unused:
        lines.append(f"never asked for: {plural(len(result.unused), 'recorded call')}")
        lines += [f"  {visible(unused)}" for unused in result.unused[:UNUSED_SHOWN]]
        if len(result.unused) > UNUSED_SHOWN:
            lines.append(f"  and {len(result.unused) - UNUSED_SHOWN} more")
    return lines


UNUSED_SHOWN = 10
NOTES_SHOWN = 20


def _miss_lines(miss: MockAnswer) -> list[str]:
    path = miss.location.startswith("/")
    what = f"{miss.command} {miss.service}{miss.location}" if path else f"{miss.service}: {miss.location}"
    lines = [f"missed: {visible(what)}"]
    for candidate in miss.closest:
        lines += _near_lines(candidate)
    return lines if miss.closest else [*lines, "  nothing recorded is near it"]


def _near_lines(candidate: Candidate) -> list[str]:
    said = candidate.location.upper().startswith(candidate.command.upper())  # as statements of databases do
    place = visible(candidate.location if said else f"{candidate.command} {candidate.location}")
    return [f"  closest: exchange {candidate.sequence}, {place}"] + [
        f"    {visible(leaf.where)}: recorded {_leaf(leaf.recorded)}, came {_leaf(leaf.live)}"
        for leaf in candidate.differences
    ]


def _leaf(value: str | None) -> str:
    return "nothing" if value is None else visible(value)


def _exit_code(result: MockResult) -> int:
    if result.app_exit:
        say(f"wiretape: the app ended by itself with status {result.app_exit}; its last output says why")
        return 3
    return 1 if result.tally.miss else 0
