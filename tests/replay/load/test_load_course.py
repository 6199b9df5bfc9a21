"""A load over time: each second by itself, also those in which nothing was answered, and as rows of a report."""

from __future__ import annotations

import asyncio

import pytest
from load_kit import Heard, load_run, load_spec, serving, session, write_tape

from wiretape_replay.load.progress import MOST, Course
from wiretape_replay.load.tally import DIFFERENT, EQUAL, KINDS, Series, Tally
from wiretape_replay.report.load import load_lines
from wiretape_replay.report.terminal import route_lines
from wiretape_replay.verdict.model import LoadPoint, Run

TEA = {"name": "tea"}


def told(answered: int, different: int = 0, failed: int = 0) -> Tally:
    counts = [0] * KINDS
    counts[EQUAL], counts[DIFFERENT] = answered - different, different
    series = Series()
    for _ in range(answered):
        series.add(1000)
    return Tally(answered=answered, failed=failed, outcomes={1: counts}, latency={0: series})


def test_what_was_counted_belongs_to_its_second_and_the_last_answer_ends_the_course() -> None:
    course = Course()
    course.add(told(5), 0.999)
    course.add(told(6, different=2), 1.999)
    course.add(told(1, failed=3), 2.02)
    course.add(Tally.decoded(told(2).encoded()), 4.999)
    course.add(Tally(cut=3), 9.0)
    assert [(point.at_s, point.per_second, point.errors, point.other_status) for point in course.timeline()] == [
        (0, 5, 0, 0), (1, 6, 0, 2), (2, 1, 3, 0), (3, 0, 0, 0), (4, 2, 0, 0)]  # fmt: skip
    assert course.timeline()[3].p99_ms is None


def test_a_long_load_has_wider_seconds_and_no_holes() -> None:
    course = Course()
    for second in (0, 1, 300):
        course.add(told(4), second + 0.999)
    assert [point.at_s for point in course.timeline()] == [4.0 * number for number in range(76)]
    assert len(course.timeline()) <= MOST
    assert sum(point.per_second * course.width for point in course.timeline()) == 12
    assert Course().timeline() == ()


def shown(points: list[LoadPoint], run: Run) -> list[str]:
    assert run.load is not None
    lines = load_lines(run.model_copy(update={"load": run.load.model_copy(update={"timeline": tuple(points)})}))
    return lines[lines.index("") + 1 :]


def point(at: float, rate: float, p50: float | None = 1.0, **more: int) -> LoadPoint:
    return LoadPoint(at_s=at, per_second=rate, errors=more.get("errors", 0), other_status=more.get("other", 0),
                     p50_ms=p50, p95_ms=p50 and p50 * 2, p99_ms=p50 and p50 * 3)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    async def ran() -> Run:
        folder = tmp_path_factory.mktemp("course")
        tape = await write_tape(folder / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
        async with serving(answer) as server:
            return await load_run(load_spec(tape, server.url, scale=3.0), folder / "log")

    return asyncio.run(ran())


def test_the_report_has_the_times_of_the_whole_run_and_says_whence_they_count(run: Run) -> None:
    assert run.latency is not None
    times = f"p50 {run.latency.p50:.2f}, p95 {run.latency.p95:.2f}, p99 {run.latency.p99:.2f} ms"
    assert f" response time {times} (from the intended moment)" in load_lines(run)
    assert route_lines(run)[0] == "times from the moment when a request should have been sent"
    assert "times from" not in route_lines(run.model_copy(update={"load": None}))[0]


def test_seconds_without_answers_have_rows_and_failures_are_named_for_what_they_are(run: Run) -> None:
    assert shown([point(0, 50), point(1, 0, None, errors=4), point(2, 48, 2.5, other=7)], run) == [
        "    at s     req/s  no answer  other status    p50 ms    p95 ms    p99 ms",
        "       0        50          0             0      1.00      2.00      3.00",
        "       1         0          4             0         -         -         -",
        "       2        48          0             7      2.50      5.00      7.50",
        " nothing was answered at 1 s",
    ]


def test_a_row_of_several_seconds_leaves_none_of_them_out(run: Run) -> None:
    points = [point(at, 10, float(at), errors=1) if at not in (4, 31) else point(at, 0, None) for at in range(36)]
    lines = shown(points, run)
    assert len(lines) == 1 + 12 + 2
    assert lines[2] == "       3         7          2             0      5.00     10.00     15.00"
    assert lines[-2:] == [
        " each row is 3 s, its times are those of its slowest 1 s",
        " nothing was answered at 4, 31 s",
    ]
