"""Which findings are one cause, and which stay apart."""

from __future__ import annotations

from pydantic import JsonValue

from wiretape_replay.compare.findings import finding_id
from wiretape_replay.verdict.causes import causes_of, earliest, led
from wiretape_replay.verdict.explain import literal_path, look_at
from wiretape_replay.verdict.judge import conditions, judge
from wiretape_replay.verdict.model import Counts, Finding, FindingClass, Part, Run, Severity, Verdict


def found(kind: FindingClass, route: str, pointer: str, expected: JsonValue = None, actual: JsonValue = None,
          part: Part = Part.BODY, sequences: tuple[int, ...] = (1,)) -> Finding:  # fmt: skip
    severity = Severity.INFO if kind is FindingClass.ADDED else Severity.ERROR
    finding = Finding(
        id=finding_id(route, kind, part, pointer), kind=kind, severity=severity, breaking=True, route=route, part=part,
        pointer=pointer, example_pointer=pointer, expected=expected, actual=actual, sequences=sequences, count=1, of=1,
        message=f"{route}: {pointer}: it changed",
    )  # fmt: skip
    return finding.model_copy(update={"look_at": look_at(finding)})


def groups(*findings: Finding) -> list[list[str]]:
    places = {finding.id: f"{finding.kind} {finding.route} {finding.pointer}" for finding in findings}
    return [[places[name] for name in cause.findings] for cause in causes_of(findings)]


def test_a_field_renamed_in_two_routes_is_one_cause() -> None:
    renamed = [
        found(FindingClass.REMOVED, "GET /cart", "/total", 12.5), found(FindingClass.ADDED, "GET /cart", "/amount",
                                                                       None, 12.5),
        found(FindingClass.REMOVED, "POST /cart/items", "/cart/total", 20.0, sequences=(2,)),
        found(FindingClass.ADDED, "POST /cart/items", "/cart/amount", None, 20.0, sequences=(2,)),
    ]  # fmt: skip
    other = found(FindingClass.VALUE, "GET /cart", "/currency", "EUR", "USD")
    one, two = causes_of([*renamed, other])
    assert one.message == 'the field "total" looks renamed to "amount" in 2 routes'
    assert (one.severity, one.breaking, len(one.findings)) == (Severity.ERROR, True, 4)
    assert one.routes == ("GET /cart", "POST /cart/items")
    assert one.look_at == ("total", "/cart", "amount", "/cart/items")
    assert (two.message, two.findings) == (other.message, (other.id,))
    assert one.id == "C-" + min(finding.id for finding in renamed)[2:]


def test_the_same_change_of_a_value_is_one_cause_and_another_is_not() -> None:
    plus = [
        found(FindingClass.VALUE, "GET /a", "/count", 3, 4),
        found(FindingClass.VALUE, "GET /b", "/page/count", 10, 11),
    ]
    times = [
        found(FindingClass.VALUE, "GET /a", "/price", 3, 300),
        found(FindingClass.VALUE, "GET /b", "/price", 0.5, 50.0),
    ]
    apart = [
        found(FindingClass.VALUE, "GET /a", "/name", "tea", "Tea"),
        found(FindingClass.VALUE, "GET /b", "/name", "x", "y"),
    ]
    case = found(FindingClass.VALUE, "GET /c", "/name", "MILK", "milk")
    assert list(map(len, groups(*plus, *times, *apart, case))) == [2, 2, 2, 1]


def test_types_nulls_and_orders_are_grouped_by_name() -> None:
    same = [
        found(FindingClass.TYPE, "GET /a", "/total", 1, "1"),
        found(FindingClass.TYPE, "GET /b", "/x/total", 7, "7"),
    ]
    array = found(FindingClass.TYPE, "GET /c", "/total", 1, [1])
    null = found(FindingClass.NULL, "GET /c", "/x/total", 1, None)
    assert list(map(len, groups(*same, array, null))) == [2, 1, 1]
    status = [found(FindingClass.STATUS, f"GET /{n}", "", 200, 500, Part.STATUS) for n in range(3)]
    assert list(map(len, groups(*status, found(FindingClass.STATUS, "GET /x", "", 200, 404, Part.STATUS)))) == [3, 1]


def test_whole_bodies_and_slow_routes_stay_apart() -> None:
    bodies = [found(FindingClass.REMOVED, f"GET /{n}", "") for n in range(2)]
    slow = [found(FindingClass.LATENCY, f"GET /{n}", "latency", part=Part.EXCHANGE) for n in range(2)]
    assert list(map(len, groups(*bodies, *slow))) == [1, 1, 1, 1]


def test_what_to_look_for_stands_in_the_code() -> None:
    assert look_at(found(FindingClass.TYPE, "GET /orders/{id}", "/items/*/price")) == ("price", "/orders/")
    header = found(FindingClass.HEADER, "GET /a", "header:etag", part=Part.HEADER)
    assert look_at(header) == ("etag", "/a")
    assert literal_path("GET /{id}/very/long/{x}/b") == "/very/long/"
    assert literal_path("GET /{id}") == ""
    assert literal_path("POST pay:443/charges") == "/charges"


def test_the_earliest_of_the_most_severe_findings_leads() -> None:
    late = found(FindingClass.REMOVED, "GET /orders", "/orders/*", 1, sequences=(7, 9))
    early = found(FindingClass.VALUE, "POST /orders", "/id", 6, 5, sequences=(3,))
    mild = found(FindingClass.ADDED, "GET /a", "/x", sequences=(1,))
    assert earliest([late, early, mild]) is early
    assert earliest([late]) is late
    call = found(FindingClass.OUTBOUND, "POST /orders", "POST /payments", sequences=(3,))
    assert earliest([early, call]) is call
    assert earliest([mild.model_copy(update={"sequences": ()})]).id == mild.id


def test_the_verdict_names_the_finding_that_stands_first() -> None:
    late = found(FindingClass.REMOVED, "GET /orders", "/orders/*", 1, sequences=(7, 9)).model_copy(update={"count": 2})
    early = found(FindingClass.VALUE, "POST /orders", "/id", 6, 5, sequences=(3,)).model_copy(
        update={"breaking": False, "message": "the first"}
    )
    for severity in (Severity.ERROR, Severity.WARNING):
        some = tuple(one.model_copy(update={"severity": severity}) for one in (late, early))
        counts = Counts(total=2, bytes_equal=2)
        run = Run(id="r", snapshot="s", snapshot_sha256="0", target="http://app", started_ns=1, duration_ms=1,
                  counts=counts, latency=None, verdict=Verdict(verdict="pass", reason="", findings=some))  # fmt: skip
        fail_if = ["findings.error > 0", "requests.failed > 0"]
        verdict = judge(run, conditions(fail_if, mocked=False, has_baseline=False))
        assert [one.id for one in verdict.findings] == [early.id, late.id]
        assert "first: the first" in verdict.reason


def _by_count(finding: Finding) -> tuple[int, bool, int, str]:
    return list(Severity).index(finding.severity), False, -finding.count, finding.id


def test_what_follows_from_a_finding_comes_after_it_however_often_it_is_seen() -> None:
    cause = found(FindingClass.OUTBOUND, "GET /a", "changed db: select", part=Part.OUTBOUND, sequences=(5,))
    status = found(FindingClass.STATUS, "GET /a", "", 200, 500, part=Part.STATUS, sequences=(2,))
    status = status.model_copy(update={"count": 9, "follows": cause.id})
    other = found(FindingClass.VALUE, "GET /b", "/total", 1, 2, sequences=(3,)).model_copy(update={"count": 4})
    assert led([other, status, cause], _by_count) == (cause, status, other)
    assert earliest([cause, status]) is cause
    assert earliest([status]) is status  # its cause is not among them
    warning = cause.model_copy(update={"severity": Severity.WARNING})
    assert led([other, status, warning], _by_count) == (warning, status, other)


def test_findings_that_follow_from_each_other_stay_in_their_order() -> None:
    one, two = (found(FindingClass.OUTBOUND, "GET /a", name, part=Part.OUTBOUND) for name in ("changed x", "changed y"))
    one, two = one.model_copy(update={"follows": two.id}), two.model_copy(update={"follows": one.id})
    assert set(led([one, two], _by_count)) == {one, two}
