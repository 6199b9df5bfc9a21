"""The `--fail-if` language: canonical forms, judgement, and errors that point at the column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.errors import UsageError
from wiretape_replay.verdict.evals import OPERATORS, Condition, evaluate, parse
from wiretape_replay.verdict.judge import joined
from wiretape_replay.verdict.metrics import METRICS, MOCK, Metrics
from wiretape_replay.verdict.model import Eval

CANONICAL = {
    "requests.failed > 0": "requests.failed > 0.00",
    "latency.p95>50": "latency.p95 > 50.00",
    "  latency.avg   >=  .5 ": "latency.avg >= 0.50",
    "latency.p95[GET /orders/{id}] > 50": "latency.p95[GET /orders/{id}] > 50.00",
    "latency.p95 [GET   /a] != -3": "latency.p95[GET /a] != -3.00",
    "latency.p99 > baseline * 1.1": "latency.p99 > baseline * 1.10",
    "latency.p99>baseline*2": "latency.p99 > baseline * 2.00",
    "findings.total > baseline": "findings.total > baseline * 1.00",
    "requests.match-pct < 99.5": "requests.match-pct < 99.50",
    "mock.hit-pct<100": "mock.hit-pct < 100.00",
}


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.items())
def test_a_condition_has_one_canonical_form(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


REFUSED = {
    "latency.p95th > 50": "unknown metric 'latency.p95th' (column 1); did you mean latency.p95?\n"
    "  latency.p95th > 50\n  ^^^^^^^^^^^^^",
    "  requests.fialed > 0": "(column 3); did you mean requests.failed?\n    requests.fialed > 0\n    ^^^^^^^^^^^^^^^",
    "zzz > 1": "unknown metric 'zzz' (column 1); the metrics are latency.min",
    "": "names no metric here (column 1); write METRIC OP VALUE",
    "> 5": "names no metric here (column 1)",
    "latency.p95": "has no operator here (column 12); use one of == != < <= > >=",
    "latency.p95 = 5": "has no operator here (column 13)",
    "latency.p95 > ": "has no value here (column 15)",
    "latency.p95 > 5ms": "has the value '5ms', which is no number (column 15)",
    "latency.p95 > 5 > 6": "has the value '5 > 6', which is no number (column 15)",
    "latency.p95 > baseline * x": "has the value 'baseline * x', which is no number (column 15)",
    "latency.p95[GET /a > 5": "opens a scope that is never closed (column 12)",
    "latency.p95[] > 5": "has an empty scope (column 12)",
    "mock.misses[GET /a] > 0": "gives mock.misses a scope, which it cannot have (column 12)",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_what_cannot_be_meant_is_refused_at_its_column(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert said in str(refused.value)


numbers = st.integers(-(10**6), 10**6).map(lambda hundredths: hundredths / 100)
scopes = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1).map(lambda path: f"GET /{path}")


@given(st.sampled_from([name for name in METRICS if name not in MOCK]), scopes, st.sampled_from(sorted(OPERATORS)),
       numbers)  # fmt: skip
def test_every_condition_survives_its_own_text(metric: str, scope: str, sign: str, value: float) -> None:
    condition = Condition(metric, scope, sign, value)
    assert parse(str(condition)) == condition


@given(st.text(max_size=60))
def test_no_text_ends_in_anything_but_a_condition_or_a_usage_error(text: str) -> None:
    try:
        parsed = parse(text)
    except UsageError as refused:
        assert "column" in refused.problem
    else:
        assert parsed.metric in METRICS


def metrics(samples: int = 100, **values: float) -> Metrics:
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in values.items()}
    return Metrics(values={"": named, "GET /orders/{id}": {"latency.p95": 12.0}},
                   samples={"": samples, "GET /orders/{id}": 3})  # fmt: skip


def test_an_eval_passes_when_its_condition_is_not_true() -> None:
    measured = metrics(latency__p95=46.0)
    assert evaluate(parse("latency.p95 > 50"), measured) == Eval(
        expression="latency.p95 > 50.00", observed=46.0, passed=True
    )
    assert evaluate(parse("latency.p95 > 40"), measured).passed is False
    assert evaluate(parse("latency.p95 >= 46"), measured).passed is False
    assert evaluate(parse("latency.p95 == 46"), measured).passed is False
    assert evaluate(parse("latency.p95 != 46"), measured).passed is True


def test_a_scope_measures_one_route_and_tells_of_few_samples() -> None:
    judged = evaluate(parse("latency.p95[GET /orders/{id}] > 50"), metrics())
    assert judged == Eval(
        expression="latency.p95[GET /orders/{id}] > 50.00", observed=12.0, passed=True,
        note="only 3 samples, p95 needs 20: this is the slowest one",
    )  # fmt: skip


def test_an_unknown_scope_cannot_be_judged_and_names_the_nearest() -> None:
    judged = evaluate(parse("latency.p95[GET /order/{id}] > 50"), metrics())
    assert judged.passed is None
    assert judged.note == "no route GET /order/{id} in this run; nearest is GET /orders/{id}"


def test_a_baseline_multiplies_what_the_other_run_observed() -> None:
    condition = parse("latency.p99 > baseline * 1.5")
    judged = evaluate(condition, metrics(latency__p99=29.0), metrics(latency__p99=20.0))
    assert judged == Eval(expression="latency.p99 > baseline * 1.50", observed=29.0, passed=True,
                          note="baseline latency.p99 was 20.00")  # fmt: skip
    assert evaluate(condition, metrics(latency__p99=31.0), metrics(latency__p99=20.0)).passed is False
    assert evaluate(condition, metrics(latency__p99=31.0), metrics()).note == "the baseline has no latency.p99"


@pytest.mark.parametrize(("text", "why"), [
    ("mock.misses > 0", "no mock took part"),
    ("latency.p95 > 1", "no response to measure"),
])  # fmt: skip
def test_what_was_not_measured_is_not_judged(text: str, why: str) -> None:
    judged = evaluate(parse(text), metrics(samples=0))
    assert (judged.observed, judged.passed, judged.note) == (None, None, why)


@pytest.mark.parametrize(("given", "judged"), [
    ((), ()),
    (("latency.p99 > 5000",), ("requests.failed > 0", "latency.p99 > 5000")),
    (("requests.errors > 0", "requests.per-second < 9"),
     ("requests.failed > 0", "requests.errors > 0", "requests.per-second < 9")),
    (("findings.warning > 0",), ("requests.failed > 0", "findings.warning > 0")),
    (("requests.failed[GET /a] > 3",), ("requests.failed[GET /a] > 3",)),
    (("latency.p99 > 5", "requests.match-pct < 99"), ("latency.p99 > 5", "requests.match-pct < 99")),
    (("findings.breaking > 0",), ("findings.breaking > 0",)),
])  # fmt: skip
def test_whether_answers_are_right_is_judged_unless_an_eval_says_so_itself(
    given: tuple[str, ...], judged: tuple[str, ...]
) -> None:
    assert joined(given) == judged
