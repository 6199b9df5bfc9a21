"""Response times as text: how they spread, and how the app stands against its baseline. Pure lines."""

from __future__ import annotations

from wiretape_replay.report.printable import cut, plural, printable
from wiretape_replay.verdict.histogram import Histogram, bars
from wiretape_replay.verdict.model import LatencySummary, RouteSummary, Run

WIDTH = 80
BARS = 8
BAR_WIDTH = 40
_BLOCKS = "▁▂▃▄▅▆▇█"


def latency_lines(run: Run) -> list[str]:
    """The spread of response times over all routes and of each, and the comparison with the baseline."""
    measured = [route for route in run.routes if route.histogram and route.latency]
    if not measured:
        return ["no response times were measured"]
    lines = []
    if len(measured) > 1 and run.latency is not None:
        merged = Histogram.merged(route.histogram for route in measured if route.histogram)
        lines += [_title("all routes", run.latency), *bar_lines(merged), ""]
    for route in measured:
        lines += [*_spread(route), ""]
    return lines + baseline_lines(run) if run.against_baseline else lines[:-1]


def bar_lines(histogram: Histogram) -> list[str]:
    """One line for each range of times, its bar as long as its share."""
    drawn = bars(histogram, BARS)
    if len(histogram.buckets) == 1:
        low, _, count = drawn[0][0], 0.0, histogram.count
        return [f"{low:>10.2f} ms {'':<13} {'█' * BAR_WIDTH} {count:,}"]
    most = max(count for _, _, count in drawn)
    return [f"{low:>10.2f} to {high:>9.2f} ms  {_bar(count, most)} {count:,}".rstrip() for low, high, count in drawn]


def sparkline(histogram: Histogram) -> str:
    """The spread in a few characters, fast on the left; a range without a response is a space."""
    counts = [count for _, _, count in bars(histogram, BARS)]
    most = max(counts, default=0)
    return "".join(_BLOCKS[max(-(-count * len(_BLOCKS) // most), 1) - 1] if count else " " for count in counts).strip()


def baseline_lines(run: Run) -> list[str]:
    """App and baseline of each route, measured in turn."""
    if not run.against_baseline:
        return []
    head = f"{'in turn with the baseline':<40}{'pairs':>6}{'p50 ms':>9}{'base':>8}{'p95 ms':>9}{'base':>8}"
    rows = [
        f"{cut(printable(one.route), 39):<40}{one.pairs:>6}{one.app.p50:>9.2f}{one.baseline.p50:>8.2f}"
        f"{one.app.p95:>9.2f}{one.baseline.p95:>8.2f}"
        for one in run.against_baseline
    ]
    return [head, *rows]


def _spread(route: RouteSummary) -> list[str]:
    assert route.histogram is not None
    assert route.latency is not None
    return [_title(route.route, route.latency), *bar_lines(route.histogram)]


def _title(name: str, told: LatencySummary) -> str:
    return cut(f"{printable(name)}: {plural(told.count, 'response')}, p50 {told.p50:.2f}, p95 {told.p95:.2f} ms", WIDTH)


def _bar(count: int, most: int) -> str:
    return "█" * -(-count * BAR_WIDTH // most)
