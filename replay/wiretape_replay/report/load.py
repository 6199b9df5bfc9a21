"""What a load has beside its answers, as lines for a terminal: schedule, shape, course. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from wiretape_replay.report.printable import listed, plural, wrapped
from wiretape_replay.verdict.model import LatencySummary, LoadPoint, LoadSummary, Run

POINTS = 12
"""Lines of the course."""
WIDTH = 80


def load_lines(run: Run) -> list[str]:
    """How the load was made, what came of its schedule, and its course; nothing for a replay."""
    load = run.load
    if load is None:
        return []
    return [*_made(load, run.duration_ms / 1000), *_schedule(run, load), *_course(load)]


def load_name(load: LoadSummary) -> str:
    """The load in a word or two: `x10`, `closed 32`."""
    if load.arrivals == "closed":
        return f"closed {load.rate:g}"
    if load.stages:
        return f"x{'-'.join(f'{scale:g}' for _, scale in load.stages[:4])}"
    rate = f" {load.arrivals} {load.rate:g}/s" if load.rate else ""
    return f"x{load.scale:g}{rate}"


def _made(load: LoadSummary, seconds: float) -> list[str]:
    times = f", times divided by {load.speed:g}" if load.speed != 1 else ""
    workers = plural(load.workers, "worker")
    known = load.sessions_ended + load.sessions_cut + load.sessions_lost
    sessions = listed([
        f"{load.sessions_ended:,} of {plural(known, 'session')} to their end",
        f"{load.sessions_unanswered:,} of these without any answer" if load.sessions_unanswered else "",
        f"{load.sessions_cut:,} cut short" if load.sessions_cut else "",
        f"{load.sessions_dropped:,} dropped" if load.sessions_dropped else "",
        f"{load.sessions_lost:,} lost with {plural(load.workers_lost, 'worker')}" if load.workers_lost else "",
    ])  # fmt: skip
    recorded = f", {plural(load.sessions_recorded, 'recorded session')}" if load.sessions_recorded else ""
    return [f"load {load_name(load)}{times}, {seconds:.1f} s, {workers}{recorded}", f" {sessions}"]


def _schedule(run: Run, load: LoadSummary) -> list[str]:
    sent = listed([
        f"{plural(load.requests_sent, 'request')} sent", f"{load.requests_late:,} late",
        f"{load.requests_unconnected:,} not sent for want of a connection" if load.requests_unconnected else "",
        f"{load.requests_resent:,} sent again" if load.requests_resent else "",
        f"{plural(load.connections_opened, 'connection')}",
    ])  # fmt: skip
    lines = [f" {sent}"]
    if load.lag is not None:
        lines.append(f" schedule lag {_times(load.lag)} (p99 up to {load.lag_bound_ms:g} ms is trusted)")
    if run.latency is not None:
        lines.append(f" response time {_times(run.latency)} (from the intended moment)")
    if load.service is not None:
        lines.append(f" service time {_times(load.service)} (from the first byte sent)")
    if load.shape_fidelity is not None:
        lines.append(f" shape of arrivals kept to {100 * load.shape_fidelity:.1f} %")
    return lines


def _times(found: LatencySummary) -> str:
    return f"p50 {found.p50:.2f}, p95 {found.p95:.2f}, p99 {found.p99:.2f} ms"


def _course(load: LoadSummary) -> list[str]:
    """A row for each second, or for so many that there are `POINTS`: what is in a row is never left out."""
    if len(load.timeline) < 3:
        return []
    step = -(-len(load.timeline) // POINTS)
    rows = [load.timeline[at : at + step] for at in range(0, len(load.timeline), step)]
    head = f"{'at s':>8}{'req/s':>10}{'no answer':>11}{'other status':>14}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}"
    return ["", head, *map(_row, rows), *_said_of_rows(load.timeline, step)]


def _row(points: Sequence[LoadPoint]) -> str:
    rate = sum(point.per_second for point in points) / len(points)
    times = ([point.p50_ms for point in points], [point.p95_ms for point in points], [point.p99_ms for point in points])
    return (f"{points[0].at_s:>8.0f}{rate:>10,.0f}{sum(point.errors for point in points):>11,}"
            f"{sum(point.other_status for point in points):>14,}{''.join(map(_slowest, times))}")  # fmt: skip


def _said_of_rows(timeline: Sequence[LoadPoint], step: int) -> list[str]:
    width = timeline[1].at_s
    silent = [point.at_s for point in timeline if not point.per_second]
    if step == 1 and not silent:
        return []
    told = f"each row is {step * width:g} s, its times are those of its slowest {width:g} s" if step > 1 else ""
    more = f" and {len(silent) - POINTS} more" if len(silent) > POINTS else ""
    seconds = ", ".join(f"{at:g}" for at in silent[:POINTS])
    nothing = f"nothing was answered at {seconds}{more} s" if silent else ""
    return [line for each in (told, nothing) if each for line in wrapped(each, " ", WIDTH)]


def _slowest(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{max(known):>10.2f}" if known else f"{'-':>10}"
