"""The language of `--fail-if`: `METRIC[SCOPE] OP VALUE`, parsed with errors that point at the column, and judged.

An eval passes when its condition is *not* true (design §8).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from wiretape_capture.errors import UsageError
from wiretape_replay.verdict.metrics import METRICS, MOCK, OUTBOUND, WHOLE_RUN, Metrics
from wiretape_replay.verdict.model import Eval
from wiretape_replay.verdict.paired import Pairs
from wiretape_replay.verdict.percentiles import samples_needed
from wiretape_replay.verdict.slowdown import Slowdown, slowdown

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip

EXAMPLE = '"requests.failed > 0"'

LONGEST = 1000
"""Characters; a route is the only long part."""

_METRIC = re.compile(r"\s*([\w.+-]*)\s*")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)$", re.ASCII)
_BASELINE = re.compile(r"baseline(?:\s*\*\s*(?P<factor>\d+(?:\.\d*)?|\.\d+))?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """One parsed `--fail-if`. With `relative`, `value` is the factor on the baseline's own observation."""

    metric: str
    scope: str
    operator: str
    value: float
    relative: bool = False

    @property
    def subject(self) -> str:
        """The metric with its scope: `latency.p95[GET /orders/{id}]`."""
        return f"{self.metric}[{self.scope}]" if self.scope else self.metric

    @property
    def precise(self) -> str:
        """The condition with all its digits, to be parsed again: two that differ never look alike."""
        value = f"{self.value:.12f}".rstrip("0").rstrip(".")
        return f"{self.subject} {self.operator} {'baseline * ' + value if self.relative else value}"

    def __str__(self) -> str:
        value = f"{self.value:.2f}"
        return f"{self.subject} {self.operator} {'baseline * ' + value if self.relative else value}"


def parse(text: str) -> Condition:
    """Read one condition; a `UsageError` shows the column of the first thing that cannot be meant."""
    if len(text) > LONGEST:
        raise UsageError(f"an eval has {len(text)} characters", f"write METRIC OP VALUE, such as {EXAMPLE}")
    metric, at = _metric(text)
    scope, at = _scope(text, at, metric)
    sign = _OPERATOR.match(text, at)
    if sign is None:
        raise _refusal(text, at, "has no operator here", "use one of == != < <= > >=")
    value, relative = _value(text, sign.end())
    return Condition(metric, scope, sign[0], value, relative)


def evaluate(condition: Condition, metrics: Metrics, baseline: Metrics | None = None,
             pairs: Mapping[str, Pairs] | None = None) -> Eval:  # fmt: skip
    """Judge one condition; what could not be measured is neither passed nor failed.

    With `pairs`, by scope, response times are compared with the baseline's by a test: chance alone fails nothing.
    """
    if pairs is not None and _tested(condition):
        return _compared(condition, metrics, pairs)
    observed = _observed(condition, metrics)
    reference = None if baseline is None else _observed(condition, baseline)
    limit = condition.value if not condition.relative else None if reference is None else condition.value * reference
    judged = observed is not None and limit is not None
    passed = not OPERATORS[condition.operator](observed, limit) if observed is not None and limit is not None else None
    note = _note(condition, metrics, reference) if judged else _why_unjudged(condition, metrics, observed)
    return Eval(expression=str(condition), observed=observed, passed=passed, note=note)


def _tested(condition: Condition) -> bool:
    return condition.relative and condition.value > 0 and condition.metric.startswith("latency.") and (
        condition.operator[0] in "<>")  # fmt: skip


def _compared(condition: Condition, metrics: Metrics, pairs: Mapping[str, Pairs]) -> Eval:
    both = pairs.get(condition.scope)
    if both is None or not both.app:
        why = _why_unjudged(condition, metrics, None) if _observed(condition, metrics) is None else (
            "no request was measured on both sides")  # fmt: skip
        return Eval(expression=str(condition), observed=_observed(condition, metrics), passed=None, note=why)
    name, over = condition.metric.removeprefix("latency."), condition.operator[0] == ">"
    told = slowdown(both, name, condition.value) if over else slowdown(both.reversed(), name, 1 / condition.value)
    app, baseline = (told.app_ms, told.baseline_ms) if over else (told.baseline_ms, told.app_ms)
    passed = {"slower": False, "within": True, "unclear": None}[told.said]
    return Eval(expression=str(condition), observed=app, passed=passed,
                note=_pairs_note(condition, told, baseline, interleaved=both.interleaved))  # fmt: skip


def _pairs_note(condition: Condition, told: Slowdown, baseline: float, *, interleaved: bool) -> str:
    count = "1 pair" if told.pairs == 1 else f"{told.pairs} pairs"
    how = f"{count} sent in turn" if interleaved else f"{count} with an earlier run, which is weaker evidence"
    chance = f", p = {told.chance:.2g}" if told.said == "slower" else ""
    notes = [f"baseline {condition.subject} was {baseline:.2f}", how + chance, told.why]
    return "; ".join(note for note in notes if note)


def _metric(text: str) -> tuple[str, int]:
    found = _METRIC.match(text)
    assert found is not None  # the pattern matches the empty string
    name = found[1]
    if not name:
        raise _refusal(text, found.end(), "names no metric here", f"write METRIC OP VALUE, such as {EXAMPLE}")
    if name not in METRICS:
        nearest = get_close_matches(name, METRICS, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]}?" if nearest else f"the metrics are {', '.join(METRICS)}"
        raise _refusal(text, found.start(1), f"names the unknown metric {name!r}", hint, len(name))
    return name, found.end()


def _scope(text: str, at: int, metric: str) -> tuple[str, int]:
    if not text.startswith("[", at):
        return WHOLE_RUN, at
    end = text.rfind("]")
    if end < 0:
        raise _refusal(text, at, "opens a scope that is never closed", 'write METRIC[METHOD /route], closed by "]"')
    scope = " ".join(text[at + 1 : end].split())
    if not scope:
        raise _refusal(text, at, "has an empty scope", 'name a route, such as "latency.p95[GET /orders/{id}] > 50"', 2)
    if metric in MOCK:
        said = f"gives {metric} a scope, which it cannot have"
        raise _refusal(text, at, said, "leave the brackets out", end + 1 - at)
    return scope, end + 1 + len(text[end + 1 :]) - len(text[end + 1 :].lstrip())


def _value(text: str, at: int) -> tuple[float, bool]:
    at += len(text[at:]) - len(text[at:].lstrip())
    value = text[at:].rstrip()
    if _NUMBER.match(value):
        return float(value), False
    relative = _BASELINE.match(value)
    if relative is not None:
        return float(relative["factor"] or 1), True
    said = f"has the value {value!r}, which is no number" if value else "has no value here"
    raise _refusal(text, at, said, 'write a number or "baseline * 1.1"', len(value))


def _refusal(text: str, at: int, said: str, hint: str, width: int = 1) -> UsageError:
    pointer = " " * at + "^" * max(width, 1)
    return UsageError(f"the eval {text!r} {said} (column {at + 1})", f"{hint}\n  {_one_line(text)}\n  {pointer}")


def _one_line(text: str) -> str:
    return re.sub(r"\s", " ", text)


def _observed(condition: Condition, metrics: Metrics) -> float | None:
    return metrics.values.get(condition.scope, {}).get(condition.metric)


def _note(condition: Condition, metrics: Metrics, reference: float | None) -> str:
    notes = []
    if condition.relative:
        notes.append(f"baseline {condition.subject} was {reference:.2f}")
    rank = re.fullmatch(r"latency\.p(\d+)", condition.metric)
    if rank is not None:
        needed, have = samples_needed(int(rank[1])), metrics.samples.get(condition.scope, 0)
        if have < needed:
            few = "1 sample" if have == 1 else f"{have} samples"
            notes.append(f"only {few}, p{rank[1]} needs {needed}: this is the slowest one")
    return "; ".join(notes)


def _why_unjudged(condition: Condition, metrics: Metrics, observed: float | None) -> str:
    if observed is not None:
        return f"the baseline has no {condition.subject}"
    if condition.scope and condition.scope not in metrics.values:
        nearest = get_close_matches(condition.scope, metrics.routes, n=1, cutoff=0.3)
        return f"no route {condition.scope} in this run" + (f"; nearest is {nearest[0]}" if nearest else "")
    if condition.metric in (*MOCK, *OUTBOUND):
        return "no mock took part" if not metrics.values[WHOLE_RUN].keys() & set(MOCK) else "no call reached the mock"
    return "no response to measure"
