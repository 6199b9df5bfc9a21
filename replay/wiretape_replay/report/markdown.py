"""A run as concise Markdown for a CI summary or an MCP resource. Recorded text stays inert: escaped or in code."""

from __future__ import annotations

import re

from wiretape_replay.report.integrity import labelled
from wiretape_replay.report.latency import sparkline
from wiretape_replay.report.printable import cut, listed, plural, printable, value_text
from wiretape_replay.verdict.basis import Effect, short
from wiretape_replay.verdict.causes import by_cause
from wiretape_replay.verdict.model import Eval, Finding, RouteSummary, Run

SHOWN = 20
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")


def markdown(run: Run, limit: int = SHOWN) -> str:
    """The report; findings beyond `limit` are counted, not listed."""
    parts = [_title(run), _integrity(run), _evals(run), _findings(run, limit), _since(run), _routes(run, limit),
             _baseline(run, limit), _suppressed(run), _notes(run)]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Text that renders as itself: no markup, no HTML, no mention, no link."""
    plain = _SPECIAL.sub(r"\\\1", printable(text)).replace("@", "@\u200b").replace("://", ":\u200b//")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Text as a code span that its own backticks cannot end; safe in a table (GFM: a pipe still needs a backslash)."""
    plain = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    padding = " " if plain.startswith("`") or plain.endswith("`") or not plain else ""
    return f"{fence}{padding}{plain}{padding}{fence}"


def _title(run: Run) -> str:
    counts = run.counts
    outcome = listed([
        f"{plural(counts.total, 'exchange')} replayed", f"{counts.failed:,} failed",
        f"{plural(len(run.verdict.findings), 'finding')}",
    ])  # fmt: skip
    return (
        f"# wiretape: {labelled(run)}\n\n{escaped(run.verdict.reason)}\n\n"
        f"{outcome}. Snapshot {code(run.snapshot)}, run {code(run.id)}."
    )


def _integrity(run: Run) -> str:
    told = run.integrity
    if told is None:
        return ""
    lock = f"Lock {code(told.against)} {code(short(told.lock_sha256))}." if told.lock_sha256 else ""
    if not told.changes:
        return lock
    since = f"since {code(told.against)}"
    rows = [f"- {'(stricter) ' if one.effect is Effect.STRICTER else '**changed** '}{escaped(one.message)}"
            for one in told.changes]  # fmt: skip
    return "\n".join([*([lock, ""] if lock else []), f"## What judges this run, {since}", "", *rows])


def _evals(run: Run) -> str:
    if not run.verdict.evals:
        return ""
    return "\n".join(["## Evals", "", *map(_eval, run.verdict.evals)])


def _eval(one: Eval) -> str:
    told = {True: "✔ passed", False: "✖ failed", None: "? not judged"}[one.passed]
    observed = "nothing observed" if one.observed is None else f"observed {one.observed:.2f}"
    note = f" ({escaped(one.note)})" if one.note else ""
    return f"- {told} {code(one.expression)}: {observed}{note}"


def _findings(run: Run, limit: int) -> str:
    found = run.verdict.findings
    if not found:
        return ""
    more = [f"\n{len(found) - limit} more findings are not listed."] if len(found) > limit else []
    lines, left = [], limit
    for cause, members in by_cause(run.verdict):
        some = members[:left]
        left -= len(some)
        if cause is not None and some and len(members) > 1:
            lines.append(f"- **cause** {code(cause.id)}: {escaped(cause.message)}")
        lines += [_finding(run, one) for one in some]
    return "\n".join(["## Findings", "", *lines, *more])


def _since(run: Run) -> str:
    told = run.since
    if told is None or not (told.new or told.still or told.fixed):
        return ""
    fixed = "".join(f"\n- fixed {code(one.id)} {escaped(cut(one.message, 200))}" for one in told.fixed[:SHOWN])
    return (f"Since run {code(told.run)}: {len(told.new)} new, {len(told.still)} still there, "
            f"{len(told.fixed)} fixed.{chr(10) if fixed else ''}{fixed}")  # fmt: skip


def _finding(run: Run, finding: Finding) -> str:
    place = code(f"{finding.part} {finding.pointer}".strip())
    seen = f"{finding.count} of {finding.of}" if finding.of else f"{finding.count} times"
    lines = [
        f"- **{finding.severity}** {code(finding.id)} {code(finding.route)} {place}, {seen}"
        + (", breaking" if finding.breaking else "")
        + (", new" if run.since is not None and finding.id in run.since.new else ""),
        f"  {escaped(finding.message)}",
    ]
    if finding.inputs:
        lines.append(f"  {escaped(finding.inputs)}")
    if finding.expected is not None or finding.actual is not None:
        was, now = value_text(finding.expected, 200), value_text(finding.actual, 200)
        lines.append(f"  recorded {code(was)}, live {code(now)}")
    return "\\\n".join(lines)


def _routes(run: Run, limit: int) -> str:
    if not run.routes:
        return ""
    order = sorted(run.routes, key=lambda route: (-route.failed, -route.requests, route.route))
    rows = [
        f"| {code(cut(route.route, 100))} | {route.sent} | {_failed(route)} | "
        + (
            f"{route.latency.count} | {route.latency.p50:.2f} | {route.latency.p95:.2f} | {_spread(route)} |"
            if route.latency
            else "0 | - | - | |"
        )
        for route in order[:limit]
    ]
    head = ["## Routes", "", "| route | sent | failed | n | p50 ms | p95 ms | spread |",
            "|---|---:|---:|---:|---:|---:|---|"]  # fmt: skip
    more = [f"\n{len(order) - limit} more routes are not listed."] if len(order) > limit else []
    return "\n".join([*head, *rows, *more])


def _failed(route: RouteSummary) -> str:
    blocked = f", and {route.blocked} blocked" if route.blocked else ""
    return f"{route.failed - route.blocked}{blocked}"


def _spread(route: RouteSummary) -> str:
    return code(sparkline(route.histogram)) if route.histogram and route.histogram.count > 1 else ""


def _baseline(run: Run, limit: int) -> str:
    if not run.against_baseline:
        return ""
    rows = [
        f"| {code(cut(one.route, 100))} | {one.pairs} | {one.app.p50:.2f} | {one.baseline.p50:.2f} | "
        f"{one.app.p95:.2f} | {one.baseline.p95:.2f} |"
        for one in run.against_baseline[:limit]
    ]
    return "\n".join(["## In turn with the baseline", "",
                      "| route | pairs | p50 ms | baseline | p95 ms | baseline |",
                      "|---|---:|---:|---:|---:|---:|", *rows])  # fmt: skip


def _suppressed(run: Run) -> str:
    if not run.suppressed:
        return ""
    total = sum(one.count for one in run.suppressed)
    return f"Suppressed {plural(total, 'difference')} in {plural(len(run.suppressed), 'field')} as noise."


def _notes(run: Run) -> str:
    return "\n".join(f"- {escaped(note)}" for note in run.notes)
