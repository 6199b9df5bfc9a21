"""What an eval can ask about: every metric of a run by name, for the whole run and for each route.

All of it is derived from the run's own summaries, so that a run read back from its file measures the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wiretape_replay.verdict.model import Counts, Finding, FindingClass, LatencySummary, RouteSummary, Run
from wiretape_replay.verdict.percentiles import RANKS

LATENCY = tuple(f"latency.{name}" for name in ("min", "avg", "max", *(f"p{rank}" for rank in RANKS)))
REQUESTS = tuple(f"requests.{name}" for name in
                 ("total", "succeeded", "failed", "errors", "per-second", "per-minute", "match-pct"))  # fmt: skip
FINDINGS = tuple(f"findings.{name}" for name in ("total", "breaking", "error", "warning", "info"))
MOCK = tuple(f"mock.{name}" for name in ("hits", "misses", "hit-pct", "unexpected", "missing"))
OUTBOUND = {
    "outbound.missing": ("missing",),
    "outbound.extra": ("unexpected", "repeated", "n+1"),
    "outbound.n+1": ("n+1",),
    "outbound.duplicated": ("duplicated",),
    "outbound.reordered": ("reordered",),
    "outbound.changed": ("changed",),
}
"""Findings about calls to services, by the first word of their pointer."""
METRICS = (*LATENCY, *REQUESTS, *FINDINGS, "contract.violations", *MOCK, *OUTBOUND)

WHOLE_RUN = ""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Values by scope (`WHOLE_RUN` or a route) and metric; a metric that could not be measured is absent."""

    values: Mapping[str, Mapping[str, float]]
    samples: Mapping[str, int]
    """Latency samples by scope."""

    @property
    def routes(self) -> list[str]:
        """The scopes an eval may name."""
        return [scope for scope in self.values if scope != WHOLE_RUN]


def measure(run: Run) -> Metrics:
    """Every metric of a run; its verdict may still be without evals."""
    findings = run.verdict.findings
    seconds = run.duration_ms / 1000
    whole = (
        _latency(run.latency)
        | _requests(run.counts, seconds)
        | _findings(findings)
        | {"contract.violations": float(run.contract_violations)}
        | _mock(run, findings)
        | _outbound(run, findings)
    )
    scoped = {route.route: _route(route, findings, seconds) | _outbound(run, findings, route.route)
              for route in run.routes}  # fmt: skip
    samples = {route.route: route.latency.count if route.latency else 0 for route in run.routes}
    return Metrics(
        values={WHOLE_RUN: whole, **scoped},
        samples={WHOLE_RUN: run.latency.count if run.latency else 0, **samples},
    )


def count_outcomes(outcomes: Iterable[str]) -> Counts:
    """Totals over `Outcome` values."""
    tally = {"bytes-equal": 0, "semantically-equal": 0, "different": 0, "error": 0, "blocked": 0}
    for outcome in outcomes:
        tally[outcome] += 1
    return Counts(total=sum(tally.values()), bytes_equal=tally["bytes-equal"], different=tally["different"],
                  semantically_equal=tally["semantically-equal"], errors=tally["error"],
                  blocked=tally["blocked"])  # fmt: skip


def _route(route: RouteSummary, findings: Iterable[Finding], seconds: float) -> dict[str, float]:
    return (
        _latency(route.latency)
        | _requests(_counts(route), seconds)
        | _findings([finding for finding in findings if finding.route == route.route])
        | {"contract.violations": float(route.contract_violations)}
    )


def _latency(latency: LatencySummary | None) -> dict[str, float]:
    return {} if latency is None else {name: getattr(latency, name.removeprefix("latency.")) for name in LATENCY}


def _counts(route: RouteSummary) -> Counts:
    different = route.failed - route.errors - route.blocked
    return Counts(total=route.requests, different=different, errors=route.errors, blocked=route.blocked)


def _requests(counts: Counts, seconds: float) -> dict[str, float]:
    total, failed = counts.total, counts.failed
    values = {"requests.total": total, "requests.succeeded": total - failed,
              "requests.failed": failed, "requests.errors": counts.errors}  # fmt: skip
    rates: dict[str, float] = {}
    if seconds > 0:
        rates |= {"requests.per-second": counts.sent / seconds, "requests.per-minute": counts.sent / seconds * 60}
    if total:
        rates["requests.match-pct"] = 100 * (total - failed) / total
    return {name: float(value) for name, value in values.items()} | rates


def _findings(findings: Iterable[Finding]) -> dict[str, float]:
    values = dict.fromkeys(FINDINGS, 0.0)
    for finding in findings:
        values["findings.total"] += 1
        values["findings.breaking"] += finding.breaking
        values[f"findings.{finding.severity}"] += 1
    return values


def _mock(run: Run, findings: Iterable[Finding]) -> dict[str, float]:
    """`unexpected` counts distinct calls that the mock could not answer, `missing` recorded calls not made."""
    if run.mock is None:
        return {}
    outbound = [_fault(finding) for finding in findings if finding.kind is FindingClass.OUTBOUND]
    values = {
        "mock.hits": run.mock.hits,
        "mock.misses": run.mock.miss,
        "mock.unexpected": outbound.count("unexpected") + outbound.count("changed"),
        "mock.missing": outbound.count("missing"),
    }
    answered = run.mock.hits + run.mock.miss
    rate = {"mock.hit-pct": 100 * run.mock.hits / answered} if answered else {}
    return {name: float(value) for name, value in values.items()} | rate


def _outbound(run: Run, findings: Iterable[Finding], route: str | None = None) -> dict[str, float]:
    """Findings about calls, of one inbound route or of all."""
    if run.mock is None:
        return {}
    faults = [_fault(one) for one in findings if one.kind is FindingClass.OUTBOUND and route in (None, one.route)]
    return {name: float(sum(map(faults.count, kinds))) for name, kinds in OUTBOUND.items()}


def _fault(finding: Finding) -> str:
    return finding.pointer.partition(" ")[0]
