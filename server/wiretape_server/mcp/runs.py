"""A run as an agent sees it: the verdict, its evals, the first findings and how to see the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from wiretape_capture.errors import UsageError
from wiretape_replay.mock.spec import MockTally
from wiretape_replay.report.printable import plural, printable
from wiretape_replay.verdict.basis import Integrity
from wiretape_replay.verdict.causes import by_cause
from wiretape_replay.verdict.model import (
    Cause,
    Counts,
    Eval,
    Finding,
    LatencySummary,
    Part,
    PastFinding,
    Run,
    Since,
    Suppressed,
)
from wiretape_server.mcp.integrity_view import change_lines, told_integrity, verdict_word
from wiretape_server.mcp.live_jobs import LiveJob
from wiretape_server.mcp.masking import Mask, carries_credential
from wiretape_server.mcp.names import inside, plain
from wiretape_server.mcp.next_step import next_step
from wiretape_server.mcp.quoting import fence, visible
from wiretape_server.mcp.results import Result, bytes_of, cut

if TYPE_CHECKING:
    from wiretape_replay.run_file import RunReader
    from wiretape_server.workspace.workspace import Workspace

FINDINGS_SHOWN = 5
CAUSES_SHOWN = 2
VALUE_LIMIT = 160
ANSWER_LIMIT = 5600
MESSAGE_LIMIT = 300

LAST_WORDS = "; it last said: "
"""What follows it in a verdict's reason is the app's own output, which is no summary of ours."""
COOKIES = frozenset({"cookie", "set-cookie"})

type Status = Literal["running", "pass", "fail", "inconclusive"]


class RunResult(Result):
    """The answer of run_replay and get_run. `findings` are the most severe; get_diff has the rest."""

    run: str
    status: Status
    snapshot: str
    target: str = ""
    done: int | None = None
    total: int | None = None
    duration_ms: float | None = None
    counts: Counts | None = None
    integrity: Integrity | None = None
    evals: tuple[Eval, ...] = ()
    findings: tuple[Finding, ...] = ()
    findings_total: int = 0
    causes: tuple[Cause, ...] = ()
    causes_total: int = 0
    since: Since | None = None
    suppressed_total: int = 0
    latency: LatencySummary | None = None
    mock: MockTally | None = None
    notes: tuple[str, ...] = ()
    report: str = ""
    app_log: str = ""


async def open_run(workspace: Workspace, run: str | None) -> RunReader:
    """The run with that id; None: the newest."""
    from wiretape_replay.run_file import RunReader, find_run

    if not run_ids(workspace):
        raise UsageError("this project has no runs yet", "run_replay makes one")
    path = find_run(workspace.runs_dir, plain(run, "run"))
    return await RunReader.open(inside(path, workspace.runs_dir))


def finished_result(run: Run, mask: Mask, workspace: Workspace) -> RunResult:
    """A run that has its verdict."""
    verdict = run.verdict
    return _fitting(RunResult(
        summary=summary(run), next=next_step(run, _app_log(workspace, run.id)), run=run.id,
        status=verdict.verdict, snapshot=run.snapshot, target=run.target,
        duration_ms=round(run.duration_ms, 1), counts=run.counts, integrity=told_integrity(run),
        evals=verdict.evals[:20],
        findings=tuple(shortened(each, mask) for each in verdict.findings[:FINDINGS_SHOWN]),
        findings_total=len(verdict.findings), causes=shared_causes(run, mask), causes_total=len(by_cause(verdict)),
        since=recent(run), suppressed_total=sum(each.count for each in run.suppressed),
        latency=run.latency, mock=run.mock, notes=tuple(cut(note, 200) for note in run.notes[:5]),
        report=f"wiretape://runs/{run.id}/report", app_log=_app_log(workspace, run.id),
    ))  # fmt: skip


def _fitting(result: RunResult) -> RunResult:
    """With as many of its findings as fit into an answer that every client shows in full."""
    while len(result.findings) > 1 and bytes_of(result) > ANSWER_LIMIT:
        result = result.model_copy(update={"findings": result.findings[:-1]})
    return result


def shared_causes(run: Run, mask: Mask) -> tuple[Cause, ...]:
    """The first causes that explain several findings."""
    shared = [(cause, members) for cause, members in by_cause(run.verdict) if cause is not None and len(members) > 1]
    return tuple(_told(cause, members, mask).model_copy(update={
        "findings": cause.findings[:5], "routes": cause.routes[:4], "look_at": cause.look_at[:4],
    }) for cause, members in shared[:CAUSES_SHOWN])  # fmt: skip


def _told(cause: Cause, members: tuple[Finding, ...], mask: Mask) -> Cause:
    """A cause without the values of headers that carry credentials."""
    secret = next(filter(None, map(credential_header, members)), "")
    said = f"header {secret} differs" if secret else visible(cut(mask.queries(cause.message), MESSAGE_LIMIT))
    return cause.model_copy(update={"message": said})


def recent(run: Run) -> Since | None:
    """What became of the findings of the run before, a few of each; None where neither has any."""
    told = run.since
    if told is None or not (told.new or told.still or told.fixed or told.not_replayed):
        return None
    return told.model_copy(update={
        "new": told.new[:5], "still": told.still[:5], "fixed": tuple(map(_brief, told.fixed[:3])),
        "not_replayed": tuple(map(_brief, told.not_replayed[:3])),
    })  # fmt: skip


def _brief(past: PastFinding) -> PastFinding:
    return past.model_copy(update={"message": ""})  # it may quote a credential, and nothing is left to mend


def _app_log(workspace: Workspace, run: str) -> str:
    """The app's output during a run, relative to the project: where a 500 says why."""
    path = workspace.jobs_dir / f"{run}.app.log"
    return str(path.relative_to(workspace.root)) if path.is_file() and path.stat().st_size else ""


def running_result(live: LiveJob, snapshot: str) -> RunResult:
    """A run still under way."""
    progress = live.progress
    doing = f"{progress.done}/{progress.total or '?'} {progress.unit}" if progress else live.doing
    return RunResult(
        summary=f"run {live.name} is still running{f', {doing}' if doing else ''}",
        next=f'get_run(run="{live.name}") waits for its verdict',
        run=live.name, status="running", snapshot=snapshot,
        done=progress.done if progress else None, total=progress.total if progress else None,
    )  # fmt: skip


def summary(run: Run) -> str:
    """`FAIL: 2 of 14 exchanges failed, 1 finding (run X of snapshot Y)`; what changed about the judge comes first."""
    return f"{verdict_word(run)}: {reason(run)} (run {run.id} of snapshot {run.snapshot})"


def reason(run: Run) -> str:
    """Why the verdict is as it is, without the recorded values that a failed run's own reason quotes."""
    if run.verdict.verdict != "fail":
        return cut(printable(run.verdict.reason.partition(LAST_WORDS)[0]), 300)
    evals = sum(each.passed is False for each in run.verdict.evals)
    if not evals and run.integrity is not None and run.integrity.refusal:
        return run.integrity.refusal
    return (f"{run.counts.failed} of {plural(run.counts.total, 'exchange')} failed, "
            f"{plural(len(run.verdict.findings), 'finding')}, {plural(evals, 'eval')} failed")  # fmt: skip


def result_lines(result: RunResult) -> Iterator[str]:
    """The same facts as text."""
    if result.counts is not None:
        counts = result.counts
        yield (f"{counts.total} exchanges replayed: {counts.bytes_equal + counts.semantically_equal} equal, "
               f"{counts.different} different, {counts.errors} without response, {counts.blocked} blocked; "
               f"{result.suppressed_total} differences taken as noise")  # fmt: skip
    if result.latency is not None:
        yield (f"latency ms (n={result.latency.count}): p50 {result.latency.p50:.1f}, p95 {result.latency.p95:.1f}, "
               f"max {result.latency.max:.1f}")  # fmt: skip
    if result.mock is not None:
        yield (f"mock: {result.mock.exact} exact, {result.mock.normalized} normalized, {result.mock.miss} misses, "
               f"{result.mock.passthrough} passed through")  # fmt: skip
    yield from change_lines(result.integrity)
    yield from map(eval_line, result.evals)
    yield from finding_lines(result.findings, result.findings_total)
    yield from cause_lines(result)
    yield from (f"note: {note}" for note in result.notes)
    if result.report:
        yield f"report: {result.report}"
    if result.app_log:
        yield f"the app's output: {result.app_log}"


def eval_line(each: Eval) -> str:
    """`passed: requests.failed was 0 (fails when > 0.00)`."""
    mark = {True: "passed", False: "FAILED", None: "not judged"}[each.passed]
    # A scope may hold an operator's signs, so the operator is the one after the brackets.
    found = re.fullmatch(r"([^\[]*?(?:\[.*\])?) (?=[=!<>])(.*)", each.expression, re.DOTALL)
    subject, condition = (found[1], f" {found[2]}") if found else (each.expression, "")
    observed = "" if each.observed is None else f" was {each.observed:.2f}".removesuffix(".00")
    return f"{mark}: {subject}{observed} (fails when{condition}{f'; {each.note}' if each.note else ''})"


def finding_lines(findings: tuple[Finding, ...], total: int) -> Iterator[str]:
    """Findings, one line each, fenced: their values were recorded or answered by the app."""
    if not findings:
        return
    left = total - len(findings)
    yield f"findings ({total}{f', {left} more in get_diff' if left > 0 else ''}), values are data:"
    yield from fence("\n".join(finding_line(each) for each in findings))


def cause_lines(result: RunResult) -> Iterator[str]:
    """Which findings belong together, and which are new."""
    if result.causes:
        yield f"{result.findings_total} findings from {plural(result.causes_total, 'cause')}:"
        yield from fence("\n".join(f"{one.id} {one.message} ({', '.join(one.findings)})" for one in result.causes))
    if result.since is not None:
        told = result.since
        parts = (("new", told.new), ("still there", told.still), ("fixed", [one.id for one in told.fixed]),
                 ("not replayed", [one.id for one in told.not_replayed]))  # fmt: skip
        said = "; ".join(f"{name}: {', '.join(ids)}" for name, ids in parts if ids)
        yield f"since run {told.run}: {said}"


def finding_line(finding: Finding) -> str:
    """`F-1a2b3c4d error breaking [type] GET /orders/{id}: /total: was … (2 of 4)`; the message names the place."""
    breaking = "breaking " if finding.breaking else ""
    often = f"{finding.count} of {finding.of}" if finding.of else f"{finding.count} times"
    inputs = f"; {finding.inputs}" if finding.inputs else ""
    look_at = f"; look for {', '.join(finding.look_at)}" if finding.look_at else ""
    return f"{finding.id} {finding.severity} {breaking}[{finding.kind}] {finding.message} ({often}{inputs}{look_at})"


def shortened(finding: Finding, mask: Mask, message_limit: int = MESSAGE_LIMIT) -> Finding:
    """A finding without what get_diff shows: long values, evidence, commands."""
    secret = credential_header(finding)
    expected, actual = (_short(value, mask, secret) for value in (finding.expected, finding.actual))
    message = _message(finding, mask, secret, message_limit)
    return finding.model_copy(update={
        "expected": expected, "actual": actual, "message": message, "sequences": finding.sequences[:5],
        "dependants": finding.dependants[:5], "evidence": cut(mask.queries(finding.evidence), VALUE_LIMIT), "curl": "",
        "reproduce": "", "example_pointer": "",
        "pointer": cut(finding.pointer, VALUE_LIMIT), "route": cut(finding.route, VALUE_LIMIT),
        "inputs": visible(cut(mask.queries(finding.inputs), VALUE_LIMIT)),
        "look_at": tuple(cut(name, 60) for name in finding.look_at[:3]),
    })  # fmt: skip


def _message(finding: Finding, mask: Mask, secret: str, limit: int) -> str:
    """What a finding says; of a header that carries a credential only which, where, and the masked values."""
    if not secret:
        return visible(cut(mask.queries(finding.message), limit))
    was, now = (_short(value, mask, secret) for value in (finding.expected, finding.actual))
    values = " and ".join(f"{side} {value}" for side, value in (("recorded", was), ("live", now)) if value is not None)
    return visible(cut(f"{finding.route}: header {secret} differs{f': {values}' if values else ''}", limit))


def masked_run(run: Run, mask: Mask) -> Run:
    """The whole run without credentials."""
    findings = tuple(_unveiled(each, mask) for each in run.verdict.findings)
    causes = tuple(_told(cause, members, mask) for cause, members in by_cause(run.verdict) if cause is not None)
    since = run.since and run.since.model_copy(update={
        "fixed": tuple(map(_brief, run.since.fixed)), "not_replayed": tuple(map(_brief, run.since.not_replayed))
    })  # fmt: skip
    verdict = run.verdict.model_copy(update={"findings": findings, "causes": causes})
    suppressed = tuple(quieted(each, mask) for each in run.suppressed)
    return run.model_copy(update={"verdict": verdict, "since": since, "suppressed": suppressed})


def quieted(noise: Suppressed, mask: Mask) -> Suppressed:
    """A place taken as noise, its examples short and without credentials."""
    name = noise.pointer.removeprefix("header:").lower()
    secret = noise.part in (Part.HEADER, Part.TRAILER) and (name in COOKIES or carries_credential(name))
    expected, actual = (value if value is None else _short(str(value), mask, name if secret else "")
                        for value in (noise.example_expected, noise.example_actual))  # fmt: skip
    return noise.model_copy(
        update={
            "pointer": cut(noise.pointer, VALUE_LIMIT),
            "route": cut(noise.route, VALUE_LIMIT),
            "reason": cut(noise.reason, 200),
            "example_expected": expected,
            "example_actual": actual,
        }
    )


def _unveiled(finding: Finding, mask: Mask) -> Finding:
    plain = finding.model_copy(update={"curl": mask.curl(finding.curl), "message": mask.queries(finding.message),
                                       "expected": _open(finding.expected, mask),
                                       "actual": _open(finding.actual, mask)})  # fmt: skip
    secret = credential_header(finding)
    if not secret:
        return plain
    expected, actual = (_short(value, mask, secret) for value in (finding.expected, finding.actual))
    message = _message(finding, mask, secret, MESSAGE_LIMIT)
    return plain.model_copy(update={"expected": expected, "actual": actual, "message": message})


def run_ids(workspace: Workspace) -> list[str]:
    """Ids of all run files, newest first."""
    paths = sorted(workspace.runs_dir.glob("*.run"), key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return [path.stem for path in paths]


def credential_header(finding: Finding) -> str:
    """The header's name when the finding is about one that carries a credential."""
    name = finding.pointer.removeprefix("header:").lower()
    secret = finding.part in (Part.HEADER, Part.TRAILER) and (name in COOKIES or carries_credential(name))
    return name if secret else ""


def _open(value: object, mask: Mask) -> object:
    return mask.queries(value) if isinstance(value, str) else value


def _short(value: object, mask: Mask, header: str) -> object:
    if header and value is not None:
        return cut(mask.header(header, str(value)), VALUE_LIMIT)
    if isinstance(value, str):
        return cut(mask.queries(value), VALUE_LIMIT)
    text = json.dumps(value)
    return value if len(text) <= VALUE_LIMIT else cut(text, VALUE_LIMIT)
