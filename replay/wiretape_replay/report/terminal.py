"""A run as text for a terminal or a log, in at most 80 columns. Pure lines: colour and printing are the caller's."""

from __future__ import annotations

from collections.abc import Sequence

from wiretape_replay.report.diff import FindingDetail
from wiretape_replay.report.integrity import changes_told, integrity_lines, labelled
from wiretape_replay.report.latency import baseline_lines
from wiretape_replay.report.load import load_lines
from wiretape_replay.report.printable import cut, listed, plural, printable, wrapped
from wiretape_replay.verdict.causes import by_cause, earliest
from wiretape_replay.verdict.changes import Changes
from wiretape_replay.verdict.evals import parse
from wiretape_replay.verdict.model import (
    Cause,
    Counts,
    Eval,
    Finding,
    FindingClass,
    LatencySummary,
    RouteSummary,
    Run,
    Severity,
    Verdict,
)

WIDTH = 80
MARKS = {Severity.ERROR: "✖", Severity.WARNING: "▲", Severity.INFO: "·"}
SHOWN_FINDINGS = 10
SHOWN_ROUTES = 12
SENT_WIDTHS, TIME_WIDTHS = (6, 7, 8), (6, 9, 9, 8)


def run_lines(run: Run, findings: int = SHOWN_FINDINGS) -> list[str]:
    """The whole report of one run."""
    sections = [
        finding_lines(run, findings), since_lines(run), count_lines(run), load_lines(run), route_lines(run),
        baseline_lines(run), noise_lines(run), mock_lines(run),
        note_lines(run), integrity_lines(run), verdict_lines(run), outcome_lines(run), next_lines(run),
    ]  # fmt: skip
    lines: list[str] = []
    for section in filter(None, sections):
        lines += ["", *section] if lines else section
    return lines


def verdict_lines(run: Run) -> list[str]:
    """The evals in the form of design §8."""
    evals = run.verdict.evals
    if not evals:
        return ["NO EVALS"]
    return [_evals_title(evals), *(line for one in evals for line in _eval_lines(one))]


def outcome_lines(run: Run) -> list[str]:
    """The verdict with its reason."""
    return wrapped(f"VERDICT {labelled(run)}: {run.verdict.reason}", "", WIDTH)


def finding_lines(run: Run, limit: int = SHOWN_FINDINGS) -> list[str]:
    """One block for each cause, most severe first; at most so many findings are named."""
    found = run.verdict.findings
    if not found:
        return []
    lines, shown = [_findings_title(run.verdict)], 0
    for cause, members in by_cause(run.verdict):
        some = members[: limit - shown]
        if not some:
            break
        shown += len(some)
        lines += _finding_block(some[0], _news(run, some[0])) if len(members) == 1 else _cause_block(run, cause, some)
    if shown < len(found):
        lines.append(f" {CUT_MARK} {len(found) - shown} more: wiretape diff {run.id}")
    return lines


CUT_MARK = "+"


def since_lines(run: Run) -> list[str]:
    """What became of the findings of the run before; nothing where neither has any."""
    told = run.since
    if told is None:
        return []
    parts = listed([
        f"{len(told.new)} new" if told.new else "", f"{len(told.still)} still there" if told.still else "",
        f"{len(told.fixed)} fixed" if told.fixed else "",
        f"{len(told.not_replayed)} not replayed" if told.not_replayed else "",
    ])  # fmt: skip
    if not parts:
        return []
    fixed = [cut(f" ✔ fixed  {one.id}  {printable(one.message)}", WIDTH) for one in told.fixed[:SHOWN_FINDINGS]]
    return [f"since run {told.run}: {parts}", *fixed]


def count_lines(run: Run) -> list[str]:
    """How the exchanges came out."""
    counts = run.counts
    parts = listed([
        f"{counts.bytes_equal:,} equal byte for byte", f"{counts.semantically_equal:,} equal in meaning",
        f"{counts.different:,} different" if counts.different else "",
        plural(counts.errors, "error") if counts.errors else "",
        f"{counts.unchecked:,} equal in status, their other bytes not looked into" if counts.unchecked else "",
    ])  # fmt: skip
    what = plural(counts.sent, "exchange") + " replayed" if run.load is None else plural(counts.sent, "request")
    blocked = f"; {counts.blocked:,} never sent, blocked by an earlier failure" if counts.blocked else ""
    return wrapped(f"{what}: {parts}{blocked}", "", WIDTH) + _binding_lines(run)


def route_lines(run: Run, limit: int = SHOWN_ROUTES) -> list[str]:
    """Requests and response times by route, the failed and then the busiest first."""
    if not run.routes:
        return []
    order = sorted(run.routes, key=lambda route: (-route.failed, -route.requests, route.route))
    blocked = run.counts.blocked > 0
    rows = [_row(each.route, _sent(each, blocked), each.latency, each.recorded_latency) for each in order[:limit]]
    rest = [f"{CUT_MARK} {plural(len(order) - limit, 'route')} more"] if len(order) > limit else []
    names = ["sent", "failed", "blocked"] if blocked else ["sent", "failed"]
    head = _columns("route", names, ["n", "p50 ms", "p95 ms", "was p50"])
    whence = ["times from the moment when a request should have been sent"] if run.load is not None else []
    return [*whence, head, *rows, *rest, _row("all routes", _sent(run.counts, blocked), run.latency, None)]


def noise_lines(run: Run) -> list[str]:
    """What was taken as noise: counted, never silent."""
    if not run.suppressed:
        return []
    total = sum(one.count for one in run.suppressed)
    return [f"suppressed {plural(total, 'difference')} in {plural(len(run.suppressed), 'field')}"]


def suppressed_lines(run: Run) -> list[str]:
    """Every suppressed field with the reason."""
    return [line for one in run.suppressed
            for line in wrapped(f"{one.count:>6,}  {one.route}  {one.part} {one.pointer}  {one.reason}", " ", WIDTH)
            ]  # fmt: skip


def mock_lines(run: Run) -> list[str]:
    """What the mock answered."""
    tally = run.mock
    if tally is None:
        return []
    parts = listed(f"{count:,} {name}" for name, count in (
        ("exact", tally.exact), ("normalized", tally.normalized), ("nearest", tally.nearest),
        ("passed through", tally.passthrough), ("missed", tally.miss),
    ) if count)  # fmt: skip
    return [f"mock answered {plural(tally.total, 'call')}" + (f": {parts}" if parts else "")]


def note_lines(run: Run) -> list[str]:
    """What the user should know about how the run was made."""
    return [line for note in run.notes for line in _bulleted(note)]


def next_lines(run: Run) -> list[str]:
    """The commands to go on with."""
    if not run.verdict.findings:
        return []
    first = earliest(run.verdict.findings)
    lines = ["next:", f"  wiretape diff {run.id} {first.id}"]
    if first.kind is FindingClass.ERROR and (run.load is not None or run.counts.errors == run.counts.sent):
        lines.append(f"  see whether the app still answers at {printable(run.target)}")
    elif first.reproduce:
        lines.append(f"  {printable(first.reproduce)}")
    return lines


def change_lines(told: Changes) -> list[str]:
    """What happened to the findings since another run."""
    parts = (("new", told.new), ("still there", told.still), ("fixed", told.fixed),
             ("not replayed", told.not_replayed))  # fmt: skip
    lines = [listed(f"{len(findings)} {name}" for name, findings in parts)]
    for name, findings in parts:
        lines += [cut(f" {name:<13}{one.id}  {_place(one)}", WIDTH) for one in findings]
    return lines


def run_line(run: Run) -> str:
    """One run in one line, for a list of runs."""
    counts = run.counts
    failed = f"{counts.failed - counts.blocked:,} of {counts.sent:,} failed" if counts.total else "nothing sent"
    failed += f", {counts.blocked:,} blocked" if counts.blocked else ""
    changed = f"  {changes_told(run.integrity)}" if run.integrity and run.integrity.counted else ""
    return cut(f"{run.id}  {run.verdict.verdict:<12}  {failed}  {printable(run.snapshot)}{changed}", WIDTH)


def detail_lines(detail: FindingDetail) -> list[str]:
    """One finding in full."""
    finding = detail.finding
    lines = [*_finding_block(finding), "", cut(f"   {printable(detail.request_line)}", WIDTH)]
    if finding.evidence:
        lines += wrapped(f"evidence: {finding.evidence}", "   ", WIDTH)
    if finding.look_at:
        lines += wrapped(f"look for: {', '.join(finding.look_at)}", "   ", WIDTH)
    if detail.diff:
        lines += ["", *(printable(line) for line in detail.diff)]
    lines += ["", "send it by hand:", f"  {printable(finding.curl)}"] if finding.curl else []
    lines += ["replay it:", f"  {printable(finding.reproduce)}"] if finding.reproduce else []
    return lines


def _evals_title(evals: tuple[Eval, ...]) -> str:
    failed = sum(one.passed is False for one in evals)
    unjudged = sum(one.passed is None for one in evals)
    noun = "EVAL" if len(evals) == 1 else "EVALS"
    if failed:
        return f"{failed} OF {len(evals)} {noun} FAILED"
    return f"{unjudged} OF {len(evals)} {noun} NOT JUDGED" if unjudged else f"{len(evals)} {noun} PASSED"


def _eval_lines(one: Eval) -> list[str]:
    subject = parse(one.expression).subject
    observed = f"observed {subject} was {one.observed:.2f}" if one.observed is not None else "nothing was observed"
    told = {True: "✔ passed", False: "✖ failed", None: "? could not judge"}[one.passed]
    note = wrapped(one.note, "   ", WIDTH) if one.note else []
    return [f' {told} eval "{printable(one.expression)}" - {printable(observed)}', *note]


def _findings_title(verdict: Verdict) -> str:
    found, causes = verdict.findings, len(by_cause(verdict))
    by_severity = {severity: sum(one.severity is severity for one in found) for severity in Severity}
    whence = f" from {plural(causes, 'cause')}" if causes < len(found) else ""
    return f"{plural(len(found), 'finding')}{whence}: " + listed(
        plural(count, severity) if severity is not Severity.INFO else f"{count} for information"
        for severity, count in by_severity.items() if count
    )  # fmt: skip


def _cause_block(run: Run, cause: Cause | None, findings: Sequence[Finding]) -> list[str]:
    """What the findings have in common, and where each of them is."""
    assert cause is not None
    first = findings[0]
    lines = [f" {MARKS[cause.severity]} {cause.id}  {plural(len(cause.findings), 'finding')}",
             *wrapped(cause.message, "   ", WIDTH)]  # fmt: skip
    for finding in findings:
        tail = listed([finding.kind, _seen(finding), "breaking" if finding.breaking else "", _news(run, finding)])
        lines += [cut(f"   {finding.id}  {_place(finding)}", WIDTH), f"     ({tail})"]
    return [*lines, *(wrapped(first.inputs, "   ", WIDTH) if first.inputs else [])]


def _news(run: Run, finding: Finding) -> str:
    return "new" if run.since is not None and finding.id in run.since.new else ""


def _seen(finding: Finding) -> str:
    return f"{finding.count} of {plural(finding.of, 'exchange')}" if finding.of else plural(finding.count, "time")


def _finding_block(finding: Finding, news: str = "") -> list[str]:
    blocked = f"{plural(len(finding.dependants), 'exchange')} blocked by it" if finding.dependants else ""
    head = f" {MARKS[finding.severity]} {finding.id}  {_place(finding)}"
    tail = listed([_seen(finding), "breaking" if finding.breaking else "", blocked, news])
    said = finding.message.removeprefix(f"{finding.route}: ").removeprefix(f"{finding.pointer}: ")
    inputs = wrapped(finding.inputs, "   ", WIDTH) if finding.inputs else []
    return [cut(head, WIDTH), *wrapped(said, "   ", WIDTH), *inputs, f"   ({tail})"]


def _place(finding: Finding) -> str:
    return printable(f"{finding.route}  {finding.part} {finding.pointer}").rstrip()


def _binding_lines(run: Run) -> list[str]:
    return [f"{plural(run.bindings, 'value')} followed from responses into later requests"] if run.bindings else []


def _sent(counted: RouteSummary | Counts, blocked: bool) -> list[str]:
    """How many were sent, how many of those failed, and where anything was blocked how many were."""
    told = [str(counted.sent), str(counted.failed - counted.blocked)]
    return [*told, str(counted.blocked)] if blocked else told


def _row(name: str, sent: Sequence[str], live: LatencySummary | None, was: LatencySummary | None) -> str:
    times = [str(live.count), f"{live.p50:.2f}", f"{live.p95:.2f}"] if live else ["0", "-", "-"]
    return _columns(name, sent, [*times, f"{was.p50:.2f}" if was else ""])


def _columns(name: str, sent: Sequence[str], times: Sequence[str]) -> str:
    """A row of the table; a third count takes its place from the names."""
    room = 35 - sum(SENT_WIDTHS[2 : len(sent)])
    counts = "".join(f"{value:>{width}}" for value, width in zip(sent, SENT_WIDTHS, strict=False))
    measured = "".join(f"{value:>{width}}" for value, width in zip(times, TIME_WIDTHS, strict=True))
    return f"{cut(printable(name), room - 1):<{room}}{counts}{measured}".rstrip()


def _bulleted(note: str) -> list[str]:
    lines = wrapped(note, "  ", WIDTH)
    return ["-" + lines[0][1:], *lines[1:]] if lines else []
