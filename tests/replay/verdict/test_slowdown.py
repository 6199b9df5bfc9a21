"""Whether an app is slower than its baseline, on machines that are quiet, noisy, drifting or have two modes."""

from __future__ import annotations

from random import Random

import pytest
from benchmarks.latency.machines import MACHINES, sent_in_turn
from hypothesis import given
from hypothesis import strategies as st

from wiretape_replay.verdict.evals import evaluate, parse
from wiretape_replay.verdict.metrics import Metrics
from wiretape_replay.verdict.paired import Pairs, chance_of_slower, measured
from wiretape_replay.verdict.slowdown import slow_routes, slowdown

TRIALS = 100
FALSE_REDS = 3
"""In 100 trials of a chance of at most 0.5 %, more than three happen less than twice in a thousand times."""


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("statistic", ["p50", "p95"])
def test_an_unchanged_app_is_not_slower_whatever_the_machine_does(machine: str, statistic: str) -> None:
    random = Random(machine + statistic)
    told = [slowdown(sent_in_turn(machine, random, 30, 1.0), statistic, 1.1).said for _ in range(TRIALS)]
    assert told.count("slower") <= FALSE_REDS


@pytest.mark.parametrize("machine", MACHINES)
def test_an_app_as_slow_as_the_limit_allows_is_not_slower(machine: str) -> None:
    random = Random(machine)
    told = [slowdown(sent_in_turn(machine, random, 30, 1.1), "p95", 1.1).said for _ in range(TRIALS)]
    assert told.count("slower") <= FALSE_REDS + 2


@pytest.mark.parametrize(("machine", "effect", "pairs"), [
    ("quiet", 1.25, 20), ("drifting", 1.5, 40), ("noisy", 2.0, 100), ("bimodal", 1.5, 100), ("bursts", 2.0, 100),
])  # fmt: skip
def test_an_injected_slowdown_is_caught(machine: str, effect: float, pairs: int) -> None:
    random = Random(machine)
    told = [slowdown(sent_in_turn(machine, random, pairs, effect), "p95", 1.1).said for _ in range(60)]
    assert told.count("slower") >= 45
    assert told.count("within") <= 1


def test_a_slow_route_is_named_among_many_that_are_not() -> None:
    random = Random(1)
    routes = {f"GET /{name}": sent_in_turn("noisy", random, 40, 1.0) for name in range(20)}
    assert slow_routes(routes) == []
    routes["GET /7"] = sent_in_turn("noisy", random, 40, 3.0)
    (found,) = slow_routes(routes)
    assert (found.route, found.statistic) == ("GET /7", "p50")
    assert 2 < found.slowdown.ratio < 4


@pytest.mark.parametrize("machine", MACHINES)
def test_hardly_any_run_of_unchanged_code_has_a_slow_route(machine: str) -> None:
    random = Random(machine)
    runs = [slow_routes({f"GET /{n}": sent_in_turn(machine, random, 20, 1.0) for n in range(6)}) for _ in range(100)]
    assert sum(map(bool, runs)) <= FALSE_REDS


times = st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=1, max_size=9)


@given(times, st.sampled_from(["avg", "min", "max", "p50", "p90"]))
def test_the_chance_is_the_share_of_swaps_that_look_as_slow(both: list[tuple[float, float]], name: str) -> None:
    pairs = Pairs(tuple(a for a, _ in both), tuple(b for _, b in both))

    def ratio(swaps: int) -> float:
        app = [b if swaps >> place & 1 else a for place, (a, b) in enumerate(both)]
        baseline = [a if swaps >> place & 1 else b for place, (a, b) in enumerate(both)]
        return measured(app, name) / measured(baseline, name)

    every = [ratio(swaps) for swaps in range(1 << len(both))]
    counted = sum(one >= every[0] * (1 - 1e-9) for one in every) / len(every)
    assert chance_of_slower(pairs, name, 1.0) == pytest.approx(counted)


METRICS = Metrics(values={"": {"latency.p95": 20.0, "latency.avg": 20.0}}, samples={"": 20})


def told(expression: str, pairs: Pairs) -> tuple[bool | None, str]:
    judged = evaluate(parse(expression), METRICS, None, {"": pairs})
    return judged.passed, judged.note


def test_a_slower_app_fails_its_eval_with_the_evidence() -> None:
    pairs = Pairs((20.0,) * 40, (10.0,) * 40)
    assert told("latency.p95 > baseline * 1.1", pairs) == (
        False, "baseline latency.p95 was 10.00; 40 pairs sent in turn, p = 0.0005",
    )  # fmt: skip
    assert told("latency.p95 > baseline * 2.1", pairs)[0] is True
    assert told("latency.p95 < baseline * 0.9", pairs)[0] is True
    faster = told("latency.p95 < baseline * 0.9", Pairs(pairs.baseline, pairs.app))
    assert faster == (False, "baseline latency.p95 was 20.00; 40 pairs sent in turn, p = 0.0005")


def test_too_few_pairs_say_how_many_it_takes() -> None:
    assert told("latency.p95 > baseline * 1.1", Pairs((20.0,) * 19, (10.0,) * 19)) == (
        None, "baseline latency.p95 was 10.00; 19 pairs sent in turn; 19 pairs are too few, it needs 20",
    )  # fmt: skip
    assert told("latency.avg > baseline * 1.1", Pairs((20.0,) * 5, (10.0,) * 5))[0] is None
    assert told("latency.avg > baseline * 1.1", Pairs((), ())) == (None, "no request was measured on both sides")


def test_what_chance_explains_is_not_judged_and_says_what_would_tell() -> None:
    app = (14.0,) * 14 + (9.0,) * 6
    passed, note = told("latency.avg > baseline * 1.1", Pairs(app, (10.0,) * 20))
    assert passed is None
    assert "chance explains it (p = 0.0" in note
    assert "pairs would tell" in note


def test_half_a_millisecond_is_no_slowdown() -> None:
    assert told("latency.p95 > baseline * 1.1", Pairs((0.9,) * 40, (0.5,) * 40))[0] is True


def test_an_earlier_run_must_differ_by_more_than_machines_do() -> None:
    passed, note = told("latency.p95 > baseline * 1.1", Pairs((15.0,) * 40, (10.0,) * 40, interleaved=False))
    assert (passed, note) == (None, (
        "baseline latency.p95 was 10.00; 40 pairs with an earlier run, which is weaker evidence; the machine may have "
        "changed since the earlier run: measure both at once, with --baseline URL"
    ))  # fmt: skip
    assert told("latency.p95 > baseline * 1.1", Pairs((30.0,) * 40, (10.0,) * 40, interleaved=False))[0] is False
    assert told("latency.p95 > baseline * 1.1", Pairs((10.0,) * 40, (10.0,) * 40, interleaved=False)) == (
        True, "baseline latency.p95 was 10.00; 40 pairs with an earlier run, which is weaker evidence",
    )  # fmt: skip
