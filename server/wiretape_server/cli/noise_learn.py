"""`wiretape noise learn`."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import WiretapeError
from wiretape_server.cli.app_flags import APP, MOCK, REPLAY, add
from wiretape_server.cli.command import Command, json_option, open_workspace, setting, snapshot_argument
from wiretape_server.cli.terminal import near, out, out_json, out_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wiretape_replay.compare.learned import LearnedRule
    from wiretape_replay.engine.spec import ReplaySpec
    from wiretape_replay.verdict.model import Run

FINDINGS_TOLD = 5
TARGET = (setting("replay.target", "--target", metavar="URL", help="Where the unchanged app answers"),)


@click.command(
    "learn",
    cls=Command,
    takes_app=True,
    short_help="Replay unchanged code and write down what varies",
    example="wiretape noise learn\nwiretape noise learn checkout --baseline-runs 5",
)
@snapshot_argument
@add(TARGET, REPLAY, MOCK, APP)
@json_option
def command(as_json: bool) -> None:
    """Replay unchanged code and write down what varies.

    The app as it is now must be unchanged code, unless the baseline flags say where that is. What varied is written to
    wiretape-noise.toml with its evidence; rules that somebody accepted stay as they are.
    """
    from wiretape_replay.verdict.model import Run
    from wiretape_server.cli import endpoints, job_view
    from wiretape_server.workspace.noise_file import FILE_NAME, merged, read_rules, write_rules
    from wiretape_server.workspace.specs import replay_spec

    ws = open_workspace()
    now = datetime.now(UTC)
    files = endpoints.job_files(ws, "noise", now)
    spec = replay_spec(ws, now=now, verify=True, log=files.app, command=f"wiretape {shlex.join(sys.argv[1:])}")
    ws.create()
    say(f"replaying {spec.tape.stem} against unchanged code")
    view = job_view.View(on_ready=lambda _: None, doing="replaying")
    run = Run.model_validate(job_view.run("wiretape_replay.engine", _learning(spec), view, log=files.job))
    for note in run.notes:
        if "is not counted" in note or "may hide data" in note:
            say(f"note: {note}")
    if not run.baseline_answers:
        raise WiretapeError(f"nothing could be learned: {run.verdict.reason}", f"look at: wiretape diff {run.id}")
    path = ws.root / FILE_NAME
    known = read_rules(path)
    fresh = [rule.model_copy(update={"date": f"{now:%Y-%m-%d}"}) for rule in run.noise]
    write_rules(path, merged(known, fresh), keep=True)  # an empty one shows that it was learned
    if not as_json:
        _tell(fresh, {rule.id for rule in known}, path, run)
    else:
        out_json(fresh)


def _learning(spec: ReplaySpec) -> ReplaySpec:
    """The same replay with the app itself for a baseline, without old rules and without measuring response times."""
    from wiretape_replay.engine.spec import BaselineSpec
    from wiretape_server.workspace.baseline import commit_of

    against = spec.against
    if against is None:
        commit = commit_of(spec.app.cwd) if spec.app is not None and spec.app.cwd is not None else ""
        against = BaselineSpec(target=spec.target, app=spec.app, mock=spec.mock, commit=commit)
    return spec.model_copy(update={"against": against, "learned": (), "latency_seconds": 0, "baseline": None})


def _tell(rules: Sequence[LearnedRule], known: set[str], path: Path, run: Run) -> None:
    left = stays(run)
    if not rules:
        out("nothing varied that can be learned" if left else
            "nothing varied: every answer of the unchanged code was like the recorded one")  # fmt: skip
        out(f"{near(path)} says so; commit it")
    else:
        out_table(
            ("rule", "kind", "route", "pointer", "evidence", ""),
            [(one.id, one.kind, one.route, one.pointer, one.said, "" if one.id in known else "new") for one in rules],
            flexible=("evidence", "pointer", "route"),
        )
        out(f"written to {near(path)}; review and commit it")
    for line in left:
        out(line)


def stays(run: Run) -> list[str]:
    """What unchanged code itself is found to do and no rule covers."""
    from wiretape_replay.explain.finding import STAYS
    from wiretape_replay.verdict.model import Part, Severity

    findings = [one for one in run.verdict.findings if one.severity is not Severity.INFO]
    if not findings:
        return []
    many = "a finding" if len(findings) == 1 else f"{len(findings)} findings"
    told = [f"  {one.id}  {one.route}  {one.pointer}" for one in findings[:FINDINGS_TOLD]]
    more = [f"  and {len(findings) - FINDINGS_TOLD} more"] if len(findings) > FINDINGS_TOLD else []
    calls = [one for one in findings if one.part is Part.OUTBOUND]
    advice = [f"of one on calls to services {STAYS}"] if calls else []
    racy = [note for note in run.notes if note.startswith("the recording is racy")]
    return [f"this unchanged code itself has {many} that no rule covers:", *told, *more, *advice, *racy,
            f"what they are: wiretape diff {run.id}; unchanged code that differs calls for a new snapshot, recorded "
            "with its clients one after the other where they raced"]  # fmt: skip
