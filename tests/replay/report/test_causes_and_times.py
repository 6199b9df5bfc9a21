"""Causes, what became of earlier findings, and response times, as a person reads them."""

from __future__ import annotations

from wiretape_replay.report.latency import bar_lines, latency_lines, sparkline
from wiretape_replay.report.markdown import markdown
from wiretape_replay.report.terminal import finding_lines, run_lines, since_lines
from wiretape_replay.verdict.causes import causes_of
from wiretape_replay.verdict.changes import changes
from wiretape_replay.verdict.histogram import Histogram
from wiretape_replay.verdict.model import (
    AgainstBaseline,
    Counts,
    Finding,
    FindingClass,
    Part,
    PastFinding,
    RouteSummary,
    Run,
    Severity,
    Since,
    Verdict,
)
from wiretape_replay.verdict.percentiles import summary

TIMES = [1.0, 1.2, 1.2, 1.3, 1.3, 1.3, 1.4, 2.2, 5.5, 30.0]


def found(name: str, kind: FindingClass, route: str, pointer: str, value: float, sequence: int) -> Finding:
    gone = kind is FindingClass.REMOVED
    return Finding(
        id=f"F-0000000{name}", kind=kind, severity=Severity.ERROR if gone else Severity.INFO, breaking=gone,
        route=route, part=Part.BODY, pointer=pointer, expected=value if gone else None,
        actual=None if gone else value, message=f"{route}: {pointer}: it changed", sequences=(sequence,), count=1, of=3,
        inputs="only with ?tag: 1 of 1 such requests show it, 0 of 2 others", look_at=(pointer[1:],),
    )  # fmt: skip


FINDINGS = (
    found("1", FindingClass.REMOVED, "GET /cart", "/total", 12.5, 1),
    found("2", FindingClass.REMOVED, "POST /cart/items", "/total", 20.0, 2),
    found("3", FindingClass.REMOVED, "GET /cart", "/name", 1.0, 1),
    found("4", FindingClass.ADDED, "GET /cart", "/amount", 12.5, 1),
    found("5", FindingClass.ADDED, "POST /cart/items", "/amount", 20.0, 2),
)


def run_of(since: Since | None = None) -> Run:
    told = summary(TIMES)
    assert told is not None
    slow = summary([time * 2 for time in TIMES])
    assert slow is not None
    return Run(
        id="r2", snapshot="shop", snapshot_sha256="0" * 64, target="http://127.0.0.1:1", started_ns=1, duration_ms=1,
        counts=Counts(total=3, different=3), latency=told, since=since,
        verdict=Verdict(verdict="fail", reason="it differs", findings=FINDINGS, causes=causes_of(FINDINGS)),
        routes=(RouteSummary(route="GET /cart", requests=10, failed=1, latency=told, histogram=Histogram.of(TIMES)),),
        against_baseline=(AgainstBaseline(route="GET /cart", pairs=10, app=slow, baseline=told),),
    )  # fmt: skip


SINCE = Since(run="r1", new=("F-00000003",), still=("F-00000001",), fixed=(
    PastFinding(id="F-00000009", route="GET /x", message="GET /x: /y: it was wrong"),))  # fmt: skip


def test_findings_are_told_under_their_causes() -> None:
    assert finding_lines(run_of(SINCE)) == [
        "5 findings from 2 causes: 3 errors, 2 for information",
        " ✖ C-00000001  4 findings",
        '   the field "total" looks renamed to "amount" in 2 routes',
        "   F-00000001  GET /cart  body /total",
        "     (removed, 1 of 3 exchanges, breaking)",
        "   F-00000002  POST /cart/items  body /total",
        "     (removed, 1 of 3 exchanges, breaking)",
        "   F-00000004  GET /cart  body /amount",
        "     (added, 1 of 3 exchanges)",
        "   F-00000005  POST /cart/items  body /amount",
        "     (added, 1 of 3 exchanges)",
        "   only with ?tag: 1 of 1 such requests show it, 0 of 2 others",
        " ✖ F-00000003  GET /cart  body /name",
        "   it changed",
        "   only with ?tag: 1 of 1 such requests show it, 0 of 2 others",
        "   (1 of 3 exchanges, breaking, new)",
    ]


def test_no_more_findings_are_named_than_asked_for() -> None:
    lines = finding_lines(run_of(), 3)
    assert lines[-1] == " + 2 more: wiretape diff r2"
    assert sum("F-0000000" in line for line in lines) == 3


def test_what_became_of_the_last_run_s_findings_is_told() -> None:
    assert since_lines(run_of(SINCE)) == [
        "since run r1: 1 new, 1 still there, 1 fixed", " ✔ fixed  F-00000009  GET /x: /y: it was wrong",
    ]  # fmt: skip
    assert since_lines(run_of(Since(run="r1"))) == since_lines(run_of()) == []


def test_the_spread_of_times_is_drawn() -> None:
    lines = latency_lines(run_of())
    assert lines[0] == "GET /cart: 10 responses, p50 1.30, p95 30.00 ms"
    assert lines[1] == f"      1.00 to      1.53 ms  {'█' * 40} 7"
    assert sum(int(line.rpartition(" ")[2]) for line in lines[1:9]) == 10
    assert lines[-2:] == [
        "in turn with the baseline                pairs   p50 ms    base   p95 ms    base",
        "GET /cart                                   10     2.60    1.30    60.00   30.00",
    ]
    assert max(map(len, lines)) <= 80
    assert sparkline(Histogram.of(TIMES)) == "█▂  ▂  ▂"
    assert bar_lines(Histogram.of([2.0])) == [f"      2.00 ms               {'█' * 40} 1"]


def test_markdown_tells_the_same() -> None:
    text = markdown(run_of(SINCE))
    assert "- **cause** `C-00000001`" in text
    assert "| route | sent | failed | n | p50 ms | p95 ms | spread |" in text
    assert "| `GET /cart` | 10 | 1 | 10 | 1.30 | 30.00 | `█▂  ▂  ▂` |" in text
    assert "| `GET /cart` | 10 | 2.60 | 1.30 | 60.00 | 30.00 |" in text
    assert "Since run `r1`: 1 new, 1 still there, 1 fixed." in text


def test_the_whole_report_fits_a_terminal() -> None:
    assert max(map(len, run_lines(run_of(SINCE)))) <= 80


def test_a_route_that_was_not_measured_again_is_not_said_to_be_fast_now() -> None:
    slow = found("6", FindingClass.LATENCY, "GET /cart", "latency", 1.0, 1)
    before = run_of().model_copy(update={"verdict": Verdict(verdict="pass", reason="", findings=(slow,))})
    after = run_of().model_copy(update={"verdict": Verdict(verdict="pass", reason="")})
    assert changes(before, after).fixed == (slow,)
    assert changes(before, after.model_copy(update={"against_baseline": ()})).not_replayed == (slow,)
