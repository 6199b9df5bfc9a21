"""What a load has beside its answers, as lines for a terminal: schedule, shape, course. Pure."""

from __future__ import annotations

from wiretape_replay.report.printable import listed, plural
from wiretape_replay.verdict.model import LatencySummary, LoadSummary, Run

POINTS = 12
"""Lines of the course."""


def load_lines(run: Run) -> list[str]:
    """How the load was made, what came of its schedule, and its course; nothing for a replay."""
    load = run.load
    if load is None:
        return []
    return [*_made(load, run.duration_ms / 1000), *_schedule(load), *_course(load)]


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
    sessions = listed([
        f"{load.sessions_ended:,} of {plural(load.sessions_started, 'session')} to their end",
        f"{load.sessions_cut:,} cut short" if load.sessions_cut else "",
        f"{load.sessions_dropped:,} dropped" if load.sessions_dropped else "",
        f"{load.sessions_lost:,} lost with {plural(load.workers_lost, 'worker')}" if load.workers_lost else "",
    ])  # fmt: skip
    recorded = f", {plural(load.sessions_recorded, 'recorded session')}" if load.sessions_recorded else ""
    return [f"load {load_name(load)}{times}, {seconds:.1f} s, {workers}{recorded}", f" {sessions}"]


def _schedule(load: LoadSummary) -> list[str]:
    sent = listed([
        f"{plural(load.requests_sent, 'request')} sent", f"{load.requests_late:,} late",
        f"{load.requests_resent:,} sent again" if load.requests_resent else "",
        f"{plural(load.connections_opened, 'connection')}",
    ])  # fmt: skip
    lines = [f" {sent}"]
    if load.lag is not None:
        lines.append(f" schedule lag {_times(load.lag)} (p99 up to {load.lag_bound_ms:g} ms is trusted)")
    if load.service is not None:
        lines.append(f" service time {_times(load.service)}")
    if load.shape_fidelity is not None:
        lines.append(f" shape of arrivals kept to {100 * load.shape_fidelity:.1f} %")
    return lines


def _times(found: LatencySummary) -> str:
    return f"p50 {found.p50:.2f}, p95 {found.p95:.2f}, p99 {found.p99:.2f} ms"


def _course(load: LoadSummary) -> list[str]:
    if len(load.timeline) < 3:
        return []
    step = -(-len(load.timeline) // POINTS)
    head = f"{'at s':>8}{'req/s':>10}{'errors':>8}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}"
    rows = [
        f"{point.at_s:>8.0f}{point.per_second:>10,.0f}{point.errors:>8,}{_ms(point.p50_ms)}{_ms(point.p95_ms)}"
        f"{_ms(point.p99_ms)}"
        for point in load.timeline[::step]
    ]  # fmt: skip
    return ["", head, *rows]


def _ms(value: float | None) -> str:
    return f"{value:>10.2f}" if value is not None else f"{'-':>10}"
