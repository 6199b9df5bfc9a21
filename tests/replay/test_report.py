"""A run as terminal lines, as Markdown, and one finding in full."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_replay.mock.spec import MockTally
from wiretape_replay.report.diff import finding_detail
from wiretape_replay.report.integrity import integrity_lines
from wiretape_replay.report.markdown import code, markdown
from wiretape_replay.report.terminal import (
    change_lines,
    count_lines,
    detail_lines,
    next_lines,
    route_lines,
    run_line,
    run_lines,
    verdict_lines,
)
from wiretape_replay.verdict.basis import BasisChange, Effect, Integrity, Kind
from wiretape_replay.verdict.changes import changes
from wiretape_replay.verdict.metrics import measure
from wiretape_replay.verdict.model import (
    Counts,
    Eval,
    Finding,
    FindingClass,
    LatencySummary,
    LoadSummary,
    Part,
    RouteSummary,
    Run,
    Severity,
    Suppressed,
    Verdict,
)

LATENCY = LatencySummary(count=20, min=1, avg=2, max=9, p50=2, p75=3, p90=4, p95=46, p99=9)


def eval_of(expression: str, observed: float | None, passed: bool | None, note: str = "") -> Eval:
    return Eval(expression=expression, observed=observed, passed=passed, note=note)


def finding(message: str = "total was 12.5 (number), came \"12.50\" (string)", pointer: str = "/total",
            route: str = "GET /orders/{id}") -> Finding:  # fmt: skip
    return Finding(
        id="F-0a1b2c3d", kind=FindingClass.TYPE, severity=Severity.ERROR, breaking=True, route=route, part=Part.BODY,
        pointer=pointer, example_pointer=pointer, expected=12.5, actual="12.50", message=message, sequences=(4, 7),
        count=2, of=3, dependants=(9,), evidence="number in 3 of 3 recorded answers", curl="curl http://x/orders/1",
        reproduce="wiretape verify --only 4,7",
    )  # fmt: skip


def run_of(evals: tuple[Eval, ...] = (), findings: tuple[Finding, ...] = (), verdict: str = "fail") -> Run:
    return Run(
        id="20261123-1", snapshot="shop", snapshot_sha256="0" * 64, target="http://127.0.0.1:1", started_ns=1,
        duration_ms=10, counts=Counts(total=20, bytes_equal=15, semantically_equal=3, different=2), latency=LATENCY,
        verdict=Verdict.model_validate({"verdict": verdict, "reason": "requests.failed > 0.00 is true",
                                        "evals": evals, "findings": findings}),
        routes=(RouteSummary(route="GET /orders/{id}", requests=3, failed=2, latency=LATENCY,
                             recorded_latency=LATENCY),
                RouteSummary(route="GET /" + "long/" * 30, requests=17, failed=0)),
        suppressed=(Suppressed(route="GET /orders/{id}", part=Part.BODY, pointer="/at", reason="datetime", count=7),),
        bindings=2, mock=MockTally(exact=11, miss=1), notes=("2 exchanges were WebSockets and are not replayed",),
    )  # fmt: skip


REPORT = """\
1 finding: 1 error
 ✖ F-0a1b2c3d  GET /orders/{id}  body /total
   total was 12.5 (number), came "12.50" (string)
   (2 of 3 exchanges, breaking, 1 exchange blocked by it)

20 exchanges replayed: 15 equal byte for byte, 3 equal in meaning, 2 different
2 values followed from responses into later requests

route                                sent failed     n   p50 ms   p95 ms was p50
GET /orders/{id}                        3      2    20     2.00    46.00    2.00
GET /long/long/long/long/long/lon…     17      0     0        -        -
all routes                             20      2    20     2.00    46.00

suppressed 7 differences in 1 field

mock answered 12 calls: 11 exact, 1 missed

- 2 exchanges were WebSockets and are not replayed

1 OF 1 EVAL FAILED
 ✖ failed eval "requests.failed > 0.00" - observed requests.failed was 2.00

VERDICT fail: requests.failed > 0.00 is true

next:
  wiretape diff 20261123-1 F-0a1b2c3d
  wiretape verify --only 4,7
"""


def test_passed_evals_have_the_documented_form() -> None:
    run = run_of((eval_of("latency.p95 > 50.00", 46.0, True), eval_of("requests.failed > 0.00", 0.0, True)))
    assert verdict_lines(run) == [
        "2 EVALS PASSED",
        ' ✔ passed eval "latency.p95 > 50.00" - observed latency.p95 was 46.00',
        ' ✔ passed eval "requests.failed > 0.00" - observed requests.failed was 0.00',
    ]


def test_failed_and_unjudged_evals_are_told_apart() -> None:
    failed = eval_of("latency.p95[GET /a] > 50.00", 51.0, False, "only 3 samples")
    unjudged = eval_of("mock.misses > 0.00", None, None, "no mock took part")
    passed = eval_of("requests.failed > 0.00", 0.0, True)
    assert verdict_lines(run_of((failed, unjudged, passed))) == [
        "1 OF 3 EVALS FAILED",
        ' ✖ failed eval "latency.p95[GET /a] > 50.00" - observed latency.p95[GET /a] was 51.00',
        "   only 3 samples",
        ' ? could not judge eval "mock.misses > 0.00" - nothing was observed',
        "   no mock took part",
        ' ✔ passed eval "requests.failed > 0.00" - observed requests.failed was 0.00',
    ]
    assert verdict_lines(run_of((unjudged,)))[0] == "1 OF 1 EVAL NOT JUDGED"


def test_the_report_of_a_run_reads_whole() -> None:
    run = run_of((eval_of("requests.failed > 0.00", 2.0, False),), (finding(),))
    assert run_lines(run) == REPORT.splitlines()


@given(st.text(), st.text(), st.text())
def test_hostile_text_stays_in_its_column_and_cannot_steer_a_terminal(message: str, pointer: str, route: str) -> None:
    lines = run_lines(run_of(findings=(finding(message, pointer, route),)))
    assert all(len(line) <= 80 and line.isprintable() for line in lines)


def test_a_list_of_changes_has_as_many_entries_as_its_head_says() -> None:
    changes = [
        BasisChange(kind=Kind.EVAL, subject="a", effect=Effect.LOOSER, message="eval a was removed"),
        BasisChange(kind=Kind.CONFIG, subject="b", effect=Effect.OTHER, message="b was " + "wide " * 15 + "once"),
        BasisChange(kind=Kind.EVAL, subject="c", effect=Effect.STRICTER, message="eval c was added"),
    ]
    told = Integrity(against="20261122-1", changes=tuple(changes))
    assert integrity_lines(run_of().model_copy(update={"integrity": told})) == [
        "2 changes to what judges it and 1 stricter rule, since run 20261122-1:",
        " ! eval a was removed",
        " ! b was wide wide wide wide wide wide wide wide wide wide wide wide wide wide",
        "     wide once",
        " + eval c was added",
        "   review them; wiretape lock writes them down",
    ]
    stricter = Integrity(against="20261122-1", changes=(changes[2],))
    assert integrity_lines(run_of().model_copy(update={"integrity": stricter})) == [
        "1 stricter rule than before, since run 20261122-1:", " + eval c was added"]  # fmt: skip


def test_what_was_never_sent_is_shown_apart_from_what_was() -> None:
    counts = Counts(total=20, bytes_equal=12, different=2, errors=1, blocked=5)
    routes = (RouteSummary(route="GET /a", requests=8, failed=6, errors=1, blocked=5, latency=LATENCY),
              RouteSummary(route="GET /" + "long/" * 30, requests=12, failed=2))  # fmt: skip
    run = run_of().model_copy(update={"counts": counts, "routes": routes})
    assert count_lines(run)[:2] == [
        "15 exchanges replayed: 12 equal byte for byte, 0 equal in meaning, 2 different,",
        "1 error; 5 never sent, blocked by an earlier failure",
    ]
    assert route_lines(run) == [
        "route                        sent failed blocked     n   p50 ms   p95 ms was p50",
        "GET /a                          3      1       5    20     2.00    46.00",
        "GET /long/long/long/long/…     12      2       0     0        -        -",
        "all routes                     15      3       5    20     2.00    46.00",
    ]
    assert run_line(run) == "20261123-1  fail          3 of 15 failed, 5 blocked  shop"
    assert "| `GET /a` | 3 | 1, and 5 blocked |" in markdown(run)
    measured = measure(run)
    assert measured.values[""]["requests.per-second"] == 15 / 0.01
    assert (measured.values["GET /a"]["requests.per-second"], measured.values["GET /a"]["requests.failed"]) == (300, 6)


def test_where_nothing_answers_any_more_no_single_request_is_proposed() -> None:
    gone = finding().model_copy(update={"kind": FindingClass.ERROR, "pointer": "", "message": "connection refused"})
    some = run_of(findings=(gone,))
    assert next_lines(some)[-1] == "  wiretape verify --only 4,7", "one request may well be what ends the app"
    dead = some.model_copy(update={"counts": Counts(total=20, errors=15, blocked=5)})
    assert next_lines(dead) == ["next:", "  wiretape diff 20261123-1 F-0a1b2c3d",
                                "  see whether the app still answers at http://127.0.0.1:1"]  # fmt: skip
    load = LoadSummary(arrivals="recorded", rate=None, scale=1, speed=1, connections="pool", workers=1,
                       sessions_started=1, sessions_ended=1, requests_sent=20, lag_bound_ms=10)  # fmt: skip
    assert next_lines(some.model_copy(update={"load": load})) == next_lines(dead)


def test_counts_are_whole_numbers_in_json() -> None:
    run = run_of((eval_of("requests.failed > 0.00", 12.0, False), eval_of("latency.p95 > 50.00", 46.25, True)))
    assert [one["observed"] for one in orjson.loads(run.model_dump_json())["verdict"]["evals"]] == [12, 46.25]
    assert '"observed":12,' in run.model_dump_json()
    assert Run.model_validate_json(run.model_dump_json()) == run


def test_a_run_is_one_line_in_a_list() -> None:
    assert run_line(run_of()) == "20261123-1  fail          2 of 20 failed  shop"


def test_changes_between_runs_are_counted_and_named() -> None:
    told = changes(run_of(findings=(finding(),)), run_of(verdict="pass"))
    assert change_lines(told) == [
        "0 new, 0 still there, 1 fixed, 0 not replayed",
        " fixed        F-0a1b2c3d  GET /orders/{id}  body /total",
    ]


def answer(body: object, status: int = 200, media: str = "application/json") -> Response:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(status=status, reason="OK", headers=(("Content-Type", media),), body=body_of(data))


def recorded(response: Response | None) -> Exchange:
    return Exchange(
        sequence=4, direction=Direction.INBOUND, service="app:80", command="GET", location="/orders/1", started_ns=1,
        duration_us=1, request=Request(method="GET", target="/orders/1?x=1"), response=response,
    )  # fmt: skip


def test_a_finding_in_full_shows_the_place_the_diff_and_the_patch() -> None:
    was = {"id": 1, "sum": {"total": 12.5, "tax": 2}}
    now = {"sum": {"total": "12.50", "tax": 2}, "id": 1}
    detail = finding_detail(run_of(), finding(pointer="/sum/total"), recorded(answer(was)), answer(now))
    assert detail.request_line == "GET /orders/1?x=1"
    assert detail.expected == '{\n  "tax": 2,\n  "total": 12.5\n}'
    assert detail.actual == '{\n  "tax": 2,\n  "total": "12.50"\n}'
    assert detail.patch == ({"op": "replace", "path": "/sum/total", "value": "12.50"},)
    assert [line for line in detail.diff if line[0] in "+-"][2:] == ['-    "total": 12.5', '+    "total": "12.50"']
    assert all(line.isprintable() for line in detail_lines(detail))


def test_a_finding_without_response_or_with_binary_bodies_still_has_a_detail() -> None:
    none = finding_detail(run_of(), finding(), recorded(answer({"total": 1})), None)
    assert (none.actual, none.patch) == ("no response", ())
    binary = finding_detail(run_of(), finding(), recorded(answer(b"\x00\xff", media="image/png")),
                            answer(b"\x01", media="image/png"))  # fmt: skip
    assert binary.expected.startswith("2 bytes, sha256 ")
    assert binary.diff == ()


def test_a_long_diff_is_cut_and_says_so() -> None:
    old, new = answer(list(range(600))), answer([n + 1 for n in range(0, 1200, 2)])
    detail = finding_detail(run_of(), finding(), recorded(old), new)
    assert len(detail.diff) == 200
    assert len(detail.patch) == 50
    assert [note.split(" ", 1)[1] for note in detail.notes] == [
        "more lines of the diff are not shown", "more patch operations are not shown",
    ]  # fmt: skip


def test_markdown_keeps_recorded_text_inert() -> None:
    text = markdown(run_of((eval_of("requests.failed > 0.00", 2.0, False),),
                           (finding("<img src=x> @team [x](http://evil)\n# title | `tick`"),)))  # fmt: skip
    assert text.startswith("# wiretape: fail\n")
    assert "<img" not in text
    assert "@team" not in text
    assert "](http" not in text
    assert "\n# title" not in text
    assert "✖ failed `requests.failed > 0.00`: observed 2.00" in text


@pytest.mark.parametrize(("text", "span"), [
    ("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a|b", "`a\\|b`"), ("", "`  `"), ("a\nb", "`a\\nb`"),
])  # fmt: skip
def test_a_code_span_cannot_be_left_from_inside(text: str, span: str) -> None:
    assert code(text) == span


def test_a_diff_shows_no_noise() -> None:
    was = {"at": "2026-01-01T00:00:00Z", "total": 1, "items": [{"at": 1}]}
    now = {"at": "2026-02-02T00:00:00Z", "total": 2, "items": [{"at": 2}]}
    detail = finding_detail(run_of(), finding(pointer="/total"), recorded(answer(was)), answer(now))
    assert [line for line in detail.diff if line[0] in "+-"][2:] == [
        '-      "at": 1', '+      "at": 2', '-  "total": 1', '+  "total": 2',
    ]  # fmt: skip
    assert [step["path"] for step in detail.patch] == ["/total", "/items/0/at"]


def test_a_large_body_is_diffed_within_bounds_and_not_patched() -> None:
    old, new = answer([{"n": n} for n in range(40_000)]), answer([{"n": n + 1} for n in range(40_000)])
    detail = finding_detail(run_of(), finding(), recorded(old), new)
    assert detail.patch == ()
    assert "no patch: the bodies are larger than 256 KiB together" in detail.notes
