"""How a load went, beside what the target answered: schedule, generator, shape. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from wiretape_replay.load.arrivals import bin_width, fidelity, planned_profile
from wiretape_replay.load.progress import Course
from wiretape_replay.load.scenario import Scenario, arrivals_of, until_of
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.load.stages import Level
from wiretape_replay.load.tally import Series, Tally
from wiretape_replay.verdict.model import LoadSummary

if TYPE_CHECKING:
    from wiretape_replay.load.crew import Worker

TOLD_ERRORS = 5


def load_summary(spec: LoadSpec, course: Course, scenario: Scenario | None, workers: Sequence[Worker],
                 lost: Mapping[int, int], stopped: float | None = None) -> LoadSummary:  # fmt: skip
    """The part of a run that only a load has; `stopped` is after how many seconds it was."""
    total = course.total
    return LoadSummary(
        arrivals=spec.arrivals, rate=spec.rate, scale=spec.scale, speed=spec.speed, warmup_s=spec.warmup,
        stages=tuple((stage.seconds, stage.scale) for stage in spec.stages), connections=spec.connections,
        workers=len(workers), workers_lost=sum(bool(worker.lost) for worker in workers),
        sessions_lost=sum(lost.values()),
        sessions_recorded=len(scenario.scripts) if scenario else 0,
        sessions_started=total.started, sessions_ended=total.ended, sessions_cut=total.cut,
        sessions_unanswered=total.unanswered, requests_unconnected=total.unconnected,
        sessions_dropped=total.dropped, sessions_compared=total.sampled, requests_sent=total.sent,
        requests_late=total.late, requests_resent=total.resent, connections_opened=total.opened,
        lag=total.lag.summary, lag_bound_ms=spec.max_lag_ms, service=Series.all(total.service).summary,
        shape_fidelity=_fidelity(spec, total, scenario, stopped), timeline=course.timeline(),
        worker_cpu_s=sum(worker.result.cpu_s for worker in workers if worker.result),
        worker_memory_bytes=max((worker.result.memory_bytes for worker in workers if worker.result), default=0),
    )  # fmt: skip


def sessions_lost(scenario: Scenario, spec: LoadSpec, worker: Worker, of: int, until: float | None) -> int:
    """Sessions of a worker's share of which nobody knows what became, those included that it would still have begun.

    `until` is when the load was stopped. Where sessions follow one another none is known that did not begin.
    """
    if spec.arrivals == "closed":
        return worker.started - worker.settled
    share = islice(arrivals_of(scenario, spec), worker.number, None, of)
    due = takewhile(lambda arrival: until is None or arrival.at <= until, share)
    return max(sum(1 for _ in due) - worker.settled, 0)


def lagging(load: LoadSummary) -> str:
    """Why response times of this load say nothing; empty when the generator kept its schedule."""
    if load.sessions_dropped:
        return f"{load.sessions_dropped:,} sessions were dropped because too many were under way"
    if load.lag is not None and load.lag.p99 > load.lag_bound_ms:
        return (f"the generator lagged: p99 of the schedule lag was {load.lag.p99:.1f} ms, the bound is "
                f"{load.lag_bound_ms:g} ms")  # fmt: skip
    return ""


def error_notes(total: Tally) -> list[str]:
    """Why requests got no answer, the most frequent reasons first."""
    order = sorted(total.errors.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{count:,} {'request' if count == 1 else 'requests'} without an answer: {why}"
            for why, count in order[:TOLD_ERRORS]]  # fmt: skip
    return [*told, f"and {len(order) - TOLD_ERRORS} more reasons"] if len(order) > TOLD_ERRORS else told


def _fidelity(spec: LoadSpec, total: Tally, scenario: Scenario | None, stopped: float | None) -> float | None:
    if scenario is None or spec.arrivals != "recorded":
        return None
    level = Level.of(spec.scale, spec.stages)
    until = until_of(spec, level)
    width = bin_width(scenario.rhythm.period, until)
    return fidelity(planned_profile(scenario.rhythm, level, until, width, stopped), total.starts)
