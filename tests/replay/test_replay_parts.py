"""The pure parts of a run: selection, schedule, order, judgement, the reproducing command."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.errors import UsageError
from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Request, Response
from wiretape_replay.engine.order import Order
from wiretape_replay.engine.pacing import Slot, must_end_first, schedule, speed_of
from wiretape_replay.engine.recording import body_limit
from wiretape_replay.engine.selection import obstacle, select
from wiretape_replay.engine.summary import reproducing
from wiretape_replay.mock.spec import MockTally
from wiretape_replay.verdict.judge import conditions, judge
from wiretape_replay.verdict.model import Counts, Finding, FindingClass, Part, Run, Severity, Verdict

MS = 1_000_000


def exchange(sequence: int, method: str = "GET", target: str = "/a", *, start: int | None = None, took: int = 1,
             answered: bool = True, size: int = 0) -> Exchange:  # fmt: skip
    return Exchange(
        sequence=sequence, direction=Direction.INBOUND, service="app:80", command=method, location=target,
        status="200" if answered else "", started_ns=(sequence * 10 if start is None else start) * MS,
        duration_us=took * 1000, request=Request(method=method, target=target),
        response=Response(status=200, body=Body(size=size, data=None)) if answered else None,
    )  # fmt: skip


def chosen(exchanges: Sequence[Exchange], sequences: Sequence[int] = (), routes: Sequence[str] = (),
           needs: dict[int, list[int]] | None = None) -> list[int]:  # fmt: skip
    selection = select(exchanges, sequences=sequences, routes=routes, producers=lambda n: (needs or {}).get(n, []),
                       route=lambda one: f"{one.command} {one.location}")  # fmt: skip
    return [one.sequence for one in selection.exchanges]


def test_selection_takes_producers_of_producers_along() -> None:
    every = [exchange(n, target=f"/{n}") for n in range(1, 6)]
    assert chosen(every) == [1, 2, 3, 4, 5]
    assert chosen(every, sequences=[5], needs={5: [3], 3: [1]}) == [1, 3, 5]
    assert chosen(every, routes=["GET /2", "* /4"]) == [2, 4]
    with pytest.raises(UsageError, match="no inbound exchange 0, 99; its inbound exchanges go up to 5"):
        chosen(every, sequences=[1, 99, 0])


def test_selection_takes_every_earlier_write_along() -> None:
    every = [exchange(1, "POST"), exchange(2), exchange(3, "DELETE", "/a"), exchange(4), exchange(5, "POST")]
    assert chosen(every, sequences=[4]) == [1, 3, 4]
    assert chosen(every, sequences=[2]) == [1, 2]
    assert chosen(every, sequences=[4], needs={3: [2]}) == [1, 2, 3, 4]


def test_what_cannot_be_replayed_is_counted_and_named() -> None:
    every = [exchange(1), *(exchange(n, target=f"/{n}", answered=False) for n in range(2, 7))]
    selection = select(every, sequences=(), routes=(), producers=lambda _: (), route=lambda _: "GET /")
    assert selection.notes == (
        "5 exchanges not replayed (recorded without a complete response): GET /2, GET /3, GET /4 and 2 more",
    )
    assert not selection.whole


@pytest.mark.parametrize(("headers", "version", "why"), [
    ((("Host", "x"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked")), "HTTP/1.1",
     "with both Content-Length and Transfer-Encoding"),
    ((("Host", "x"), ("Content-Length", "5"), ("content-length", "6")), "HTTP/1.1", "with several Content-Lengths"),
    ((("Host", "x"), ("Content-Length", "-5")), "HTTP/1.1", "with a Content-Length that is no number"),
    ((("Host", "x"), ("A", "b\0c")), "HTTP/1.1", "with control characters in a header"),
    ((), "HTTP/1.1", "without one Host"),
    ((("Host", "x"),), "HTTP/9.9", "of version HTTP/9.9"),
    ((), "HTTP/1.0", ""),
    ((("Host", "x"), ("Content-Length", "0")), "HTTP/1.1", ""),
])  # fmt: skip
def test_a_malformed_request_that_was_refused_is_not_sent_well_formed(
    headers: tuple[tuple[str, str], ...], version: str, why: str
) -> None:
    sent = Request(method="GET", target="/", headers=headers, version=version)
    refused = exchange(1).model_copy(update={"request": sent, "status": "400"})
    said = f"the request is malformed, {why}, and would be sent well-formed" if why else ""
    assert obstacle(refused) == said
    assert obstacle(refused.model_copy(update={"status": "200"})) == ""


@pytest.mark.parametrize(("timing", "speed"), [("asap", None), ("recorded", 1.0), ("2x", 2.0), ("0.5x", 0.5)])
def test_a_timing_is_a_speed(timing: str, speed: float | None) -> None:
    assert speed_of(timing) == speed


@pytest.mark.parametrize("timing", ["", "fast", "0x", "-1x", "2", "x"])
def test_an_unknown_timing_is_refused(timing: str) -> None:
    with pytest.raises(UsageError, match="is no timing"):
        speed_of(timing)


def test_a_schedule_is_absolute() -> None:
    slots = schedule([exchange(n, start=n * 100) for n in (1, 2, 4)], speed=2.0)
    assert [slot.at for slot in slots] == [0.0, 0.05, 0.15]


def test_reads_wait_for_earlier_writes_and_writes_for_everything_earlier() -> None:
    slots = schedule([
        exchange(1, "GET", start=0, took=10), exchange(2, "GET", start=5, took=10), exchange(3, "POST", start=20),
        exchange(4, "POST", start=20, took=5), exchange(5, "GET", start=23), exchange(6, "GET", start=30),
    ], None)  # fmt: skip
    assert [(slot.needs_all, slot.needs_writes) for slot in slots] == [
        (0, 0), (0, 0), (2, 0), (2, 0), (0, 1), (0, 2),
    ]  # fmt: skip


recordings = st.lists(
    st.tuples(st.sampled_from(["GET", "POST"]), st.integers(0, 40), st.integers(0, 30), st.integers(0, 3)),
    min_size=1, max_size=25,
)  # fmt: skip


@given(recordings, st.randoms(use_true_random=False))
def test_any_recording_plays_to_its_end_and_writes_are_never_overtaken(recorded, random) -> None:  # type: ignore[no-untyped-def]
    exchanges = [exchange(n, method, start=start, took=took) for n, (method, start, took, _) in enumerate(recorded, 1)]
    exchanges.sort(key=lambda one: (one.started_ns, one.sequence))
    lanes = {n: lane for n, (*_, lane) in enumerate(recorded, 1)}
    finished = asyncio.run(_play(schedule(exchanges, None), lanes, random))
    place = {sequence: index for index, sequence in enumerate(finished)}
    for one in exchanges:
        for other in exchanges:
            ended = one.started_ns + one.duration_us * 1000 < other.started_ns
            if ended and not (one.command in SAFE and other.command in SAFE):
                assert place[one.sequence] < place[other.sequence]


async def _play(slots: list[Slot], lanes: dict[int, int], random) -> list[int]:  # type: ignore[no-untyped-def]
    order, finished = Order(slots), []

    async def lane(number: int) -> None:
        for slot in slots:
            if lanes[slot.exchange.sequence] == number:
                await order.wait(slot, ())
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                finished.append(slot.exchange.sequence)
                order.ended(slot)

    async with asyncio.timeout(60):
        await asyncio.gather(*(lane(number) for number in set(lanes.values())))
    return finished


def test_bodies_in_memory_are_bounded_together() -> None:
    assert body_limit([exchange(n, size=1000) for n in range(100)]) == 1 << 20
    assert body_limit([exchange(n, size=1 << 20) for n in range(300)]) < 1 << 20


def run_of(**given: object) -> Run:
    return Run.model_validate({
        "id": "r", "snapshot": "s", "snapshot_sha256": "", "target": "", "started_ns": 0, "duration_ms": 1000,
        "counts": Counts(total=2, bytes_equal=2), "verdict": Verdict(verdict="inconclusive", reason=""), **given,
    })  # fmt: skip


ASKED = conditions(["requests.failed > 0"], mocked=False, has_baseline=False)


def test_a_run_in_which_everything_is_equal_passes() -> None:
    assert judge(run_of(), ASKED).verdict == "pass"


HOLLOW = {
    "nothing was sent": {"counts": Counts(total=0)},
    "nothing was compared": {"counts": Counts(total=2, errors=2)},
    "2 calls were answered by the nearest recording": {"mock": MockTally(exact=1, nearest=2)},
}


@pytest.mark.parametrize(("reason", "given"), HOLLOW.items())
def test_a_hollow_run_never_passes(reason: str, given: dict[str, object]) -> None:
    verdict = judge(run_of(**given), conditions(["requests.total > 9"], mocked=False, has_baseline=False))
    assert (verdict.verdict, verdict.reason.startswith(reason)) == ("inconclusive", True)


@pytest.mark.parametrize(("fail_if", "reason"), [
    ((), "there is no eval to judge the run by"),
    (("latency.p95 > 5",), "latency.p95 > 5.00 could not be judged: no response to measure"),
])  # fmt: skip
def test_what_cannot_be_judged_never_passes(fail_if: tuple[str, ...], reason: str) -> None:
    verdict = judge(run_of(), conditions(fail_if, mocked=False, has_baseline=False))
    assert (verdict.verdict, verdict.reason) == ("inconclusive", reason)


def test_a_failed_eval_outweighs_doubts_but_not_a_stop() -> None:
    bad = run_of(counts=Counts(total=2, different=1, errors=1))
    assert judge(bad, ASKED, doubts=["the app ended"]).verdict == "fail"
    assert judge(bad, ASKED, stopped="stopped after 2 of 9 exchanges").verdict == "inconclusive"
    assert judge(run_of(), ASKED, doubts=["the app ended"]).reason == "the app ended"


def test_a_miss_fails_a_mocked_run_unless_an_eval_speaks_of_it() -> None:
    missed = run_of(mock=MockTally(exact=1, miss=1))
    assert judge(missed, conditions(["requests.failed > 0"], mocked=True, has_baseline=False)).verdict == "fail"
    allowed = conditions(["requests.failed > 0", "mock.hit-pct < 50"], mocked=True, has_baseline=False)
    assert judge(missed, allowed).verdict == "pass"


def test_findings_are_told_most_severe_first_and_the_reason_names_the_first() -> None:
    def found(name: str, severity: Severity, count: int) -> Finding:
        return Finding(id=name, kind=FindingClass.VALUE, severity=severity, breaking=False, route="GET /a",
                       part=Part.BODY, pointer="/x", message=f"message of {name}", sequences=(1,), count=count,
                       of=9)  # fmt: skip

    findings = (found("F-i", Severity.INFO, 9), found("F-e1", Severity.ERROR, 1), found("F-e2", Severity.ERROR, 2))
    run = run_of(counts=Counts(total=2, different=2), verdict=Verdict(verdict="pass", reason="", findings=findings))
    verdict = judge(run, ASKED)
    assert [finding.id for finding in verdict.findings] == ["F-e2", "F-e1", "F-i"]
    assert verdict.reason == "requests.failed > 0.00 is true, observed 2.00; first: message of F-e2"


@pytest.mark.parametrize(("command", "told"), [
    ("", ""),
    ("wiretape verify", "wiretape verify --only 3"),
    ("wiretape replay shop --only 'GET /a' --only=4 -- sh -c 'run --only x'",
     "wiretape replay shop --only 3 -- sh -c 'run --only x'"),
])  # fmt: skip
def test_a_run_is_repeated_for_some_exchanges_only(command: str, told: str) -> None:
    assert reproducing(command, [3]) == told


def test_requests_of_a_session_that_were_under_way_together_stay_so() -> None:
    poll = exchange(1, target="/events", start=0, took=30_000)
    other = poll.model_copy(update={"connection": "c2"})
    assert not must_end_first(poll, exchange(2, "POST", start=500))
    assert must_end_first(poll, exchange(2, "POST", start=29_990))
    assert must_end_first(poll, exchange(2, "POST", start=40_000))
    assert must_end_first(other, other.model_copy(update={"sequence": 2, "started_ns": 500 * MS}))
