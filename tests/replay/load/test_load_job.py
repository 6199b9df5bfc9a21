"""The load job as the faces run it: processes that share a schedule, one run, one verdict."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from load_kit import Heard, Shop, events_of, load_run, load_spec, order_session, serving, session, write_tape

from wiretape_capture.jobs.events import Event, Failed, Finished, Notice, Progress, Ready
from wiretape_capture.jobs.parent import Job
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.report.load import load_lines
from wiretape_replay.report.terminal import count_lines
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.model import FindingClass, Run

TEA = {"name": "tea", "price": 4, "tags": ["green", "loose"]}


async def test_two_workers_make_one_run(tmp_path: Path) -> None:
    recorded = [each for number in range(4) for each in order_session(number + 1, at_ms=number * 50)]
    tape, shop = await write_tape(tmp_path / "shop.tape", recorded), Shop()
    async with serving(shop) as server:
        run = await load_run(load_spec(tape, server.url, scale=5.0, workers=2), tmp_path / "log")
    assert (run.verdict.verdict, run.verdict.reason) == ("pass", "all 40 exchanges came out equal")
    assert (run.counts.total, run.counts.semantically_equal, run.counts.failed) == (40, 40, 0)
    assert len(server.heard) == 40
    assert len(shop.orders) == 20
    load = run.load
    assert load is not None
    assert (load.workers, load.sessions_started, load.sessions_ended, load.requests_sent) == (2, 20, 20, 40)
    assert load.shape_fidelity is not None
    assert load.lag is not None
    assert load.service is not None
    assert run.latency is not None
    assert (run.latency.count, load.service.count, load.lag.count) == (40, 40, 40)
    assert sum(route.histogram.count for route in run.routes if route.histogram) == 40
    assert sum(round(point.per_second) for point in load.timeline) == 40
    async with await RunReader.open(tmp_path / "shop.run") as reader:
        assert await reader.run() == run
        assert {one.sequence for one in await reader.results()} == {each.sequence for each in recorded}


async def test_a_regression_under_load_is_a_finding_with_its_share(tmp_path: Path) -> None:
    recorded = session(1, ("GET", "/tea", None, TEA), ("GET", "/cup", None, {"name": "cup"}))
    tape = await write_tape(tmp_path / "shop.tape", recorded)

    async def answer(heard: Heard) -> None:
        heard.json({"name": "cup"} if heard.target == "/cup" else {"name": "tea", "price": "4", "tags": TEA["tags"]})

    async with serving(answer) as server:
        run = await load_run(load_spec(tape, server.url, scale=12.0), tmp_path / "log")
    assert run.verdict.verdict == "fail"
    (finding,) = run.verdict.findings
    assert (finding.kind, finding.route, finding.pointer, finding.count, finding.of) == (
        FindingClass.TYPE, "GET /tea", "/price", 12, 12)  # fmt: skip
    assert (run.counts.different, run.counts.bytes_equal) == (12, 12)
    async with await RunReader.open(tmp_path / "shop.run") as reader:
        live, kept = await reader.live_response(101), await reader.recorded(101)
    assert live is not None
    assert json.loads(live.body.data or b"")["price"] == "4"
    assert kept is not None


async def test_requests_that_were_blocked_are_not_counted_as_sent(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", order_session(1))

    async def answer(heard: Heard) -> None:
        heard.json({"error": "out of stock"}, 503)

    async with serving(answer) as server:
        run = await load_run(load_spec(tape, server.url, scale=3.0), tmp_path / "log")
    assert len(server.heard) == run.counts.sent == sum(route.sent for route in run.routes) == 3
    assert {route.route: (route.sent, route.blocked) for route in run.routes} == {
        "POST /orders": (3, 0), "GET /orders/{id}": (0, 3)}  # fmt: skip
    assert count_lines(run)[0].startswith("3 requests: ")
    assert run.load is not None
    assert run.load.requests_sent == 3
    (judged,) = run.verdict.evals
    assert (judged.observed, judged.note) == (6.0, "3 of them blocked: not sent for want of a value")


async def test_answers_are_compared_though_no_session_comes_to_its_end(tmp_path: Path) -> None:
    recorded = session(1, *[("GET", "/tea", None, TEA)] * 3, gap_ms=60_000)
    tape = await write_tape(tmp_path / "shop.tape", recorded)

    async def answer(heard: Heard) -> None:
        heard.json({**TEA, "price": "4"})

    async with serving(answer) as server:
        run = await load_run(load_spec(tape, server.url, scale=3.0, seconds=2.0), tmp_path / "log")
    assert run.load is not None
    assert (run.load.sessions_ended, run.load.sessions_cut) == (0, 3)
    assert run.verdict.verdict == "fail"
    (finding,) = run.verdict.findings
    assert (finding.kind, finding.pointer) == (FindingClass.TYPE, "/price")


async def test_clients_told_apart_by_a_cookie_are_sessions_of_the_load(tmp_path: Path) -> None:
    recorded = []
    for number, name in enumerate(("ann", "bob", "cem")):
        for one in session(number + 1, ("POST", "/orders", {}, TEA), ("GET", "/tea", None, TEA), at_ms=number * 500):
            asked = one.request.model_copy(update={"headers": (*one.request.headers, ("Cookie", f"session={name}"))})
            recorded.append(one.model_copy(update={"session": "", "request": asked}))
    tape = await write_tape(tmp_path / "shop.tape", recorded)

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    async with serving(answer) as server:
        run = await load_run(load_spec(tape, server.url, scale=2.0), tmp_path / "log")
    assert run.load is not None
    assert (run.load.sessions_recorded, run.load.sessions_ended, run.counts.bytes_equal) == (3, 6, 12)
    assert load_lines(run)[0].endswith(", 1 worker, 3 recorded sessions")


async def test_what_the_sessions_of_a_recording_cannot_do_is_told_before_and_in_the_result(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, *[("GET", "/tea", None, TEA)] * 3, gap_ms=1000))

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    async with serving(answer) as server:
        events = await events_of(load_spec(tape, server.url, scale=3.0, seconds=1.0), tmp_path / "log")
    (notice,) = [each.message for each in events if isinstance(each, Notice)]
    assert "the recording is a single session with 3 of 3 requests" in notice
    assert "none comes to its end within 1 s" in notice
    assert isinstance(events[-1], Finished)
    assert notice in Run.model_validate(events[-1].result).notes


async def test_what_clones_write_is_no_regression_of_what_they_read(tmp_path: Path) -> None:
    recorded = session(1, ("POST", "/visits", {}, (201, {})), ("GET", "/count", None, {"visits": 1, "open": True}))
    tape, visits = await write_tape(tmp_path / "shop.tape", recorded), 0

    async def answer(heard: Heard) -> None:
        nonlocal visits
        visits += heard.method == "POST"
        heard.json({}, 201) if heard.method == "POST" else heard.json({"visits": visits, "open": True})

    async with serving(answer) as server:
        run = await load_run(load_spec(tape, server.url, arrivals="closed", rate=1, scale=20.0), tmp_path / "log")
    assert run.verdict.verdict == "pass"
    assert [(one.severity, one.pointer) for one in run.verdict.findings] == [("warning", "/visits")]
    assert "sessions write what others read" in run.verdict.findings[0].evidence


async def test_a_stop_ends_early_with_a_report(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
    stopped = asyncio.Event()

    async def answer(heard: Heard) -> None:
        heard.json(TEA)
        stopped.set()

    def stop_soon(job: Job, _: Event) -> None:
        if stopped.is_set():
            job.request_stop()

    async with serving(answer) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=50.0, seconds=3600.0)
        last = (await events_of(spec, tmp_path / "log", stop_soon))[-1]
    assert isinstance(last, Finished)
    run = Run.model_validate(last.result)
    assert run.verdict.verdict == "inconclusive"
    assert run.verdict.reason.startswith("stopped after ")
    assert run.verdict.reason.endswith(f" s, {len(server.heard):,} requests")
    assert run.counts.bytes_equal == len(server.heard) == run.counts.total > 0


def workers_of(job: Job) -> list[int]:
    """The processes of a load's workers."""
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    return [int(child) for child in children if b"load.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


async def test_a_worker_that_dies_is_told_and_what_it_counted_is_kept(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
    killed = 0

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    def kill_one(job: Job, event: Event) -> None:
        nonlocal killed
        if isinstance(event, Progress) and event.done > 0 and not killed:
            killed = workers_of(job)[0]
            os.kill(killed, signal.SIGKILL)
            job.request_stop()

    async with serving(answer) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=50.0, seconds=3600.0, workers=2)
        last = (await events_of(spec, tmp_path / "log", kill_one))[-1]
    assert isinstance(last, Finished)
    run = Run.model_validate(last.result)
    assert run.load is not None
    assert (run.load.workers, run.load.workers_lost) == (2, 1)
    assert run.verdict.verdict == "inconclusive"
    assert any("was lost" in note for note in run.notes)
    assert run.counts.total > 0


async def test_a_worker_that_is_told_to_end_by_somebody_else_is_lost_whatever_the_evals_say(tmp_path: Path) -> None:
    tape, told = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA))), 0

    async def answer(heard: Heard) -> None:
        heard.json({"error": "boom"}, 500)

    def end_one(job: Job, event: Event) -> None:
        nonlocal told
        if isinstance(event, Progress) and event.done > 0 and not told:
            told = workers_of(job)[0]
            os.kill(told, signal.SIGTERM)

    async with serving(answer) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=20.0, seconds=4.0, workers=2)
        last = (await events_of(spec, tmp_path / "log", end_one))[-1]
    assert isinstance(last, Finished)
    run = Run.model_validate(last.result)
    assert run.load is not None
    assert [one.passed for one in run.verdict.evals] == [False]
    assert run.verdict.verdict == "inconclusive"
    assert run.verdict.reason == "a load worker was lost: its process was told to end before its schedule did"
    load = run.load
    assert (load.workers_lost, load.sessions_ended + load.sessions_cut + load.sessions_lost) == (1, 80)
    assert f" {load.sessions_ended} of 80 sessions to their end" in load_lines(run)[1]


async def test_users_that_follow_each_other_have_a_time_for_each_request(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    async with serving(answer) as server:
        spec = load_spec(tape, server.url, arrivals="closed", rate=4, scale=40.0)
        run = await load_run(spec, tmp_path / "log")
    assert run.latency is not None
    assert run.latency.count == len(server.heard) == 40


async def test_a_load_that_saw_only_beginnings_says_so_when_it_passes(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, *[("GET", "/tea", None, TEA)] * 2, gap_ms=60_000))

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    async with serving(answer) as server:
        run = await load_run(load_spec(tape, server.url, seconds=1.0), tmp_path / "log")
    assert (run.verdict.verdict, run.verdict.reason) == (
        "pass", "the exchange came out equal, but no session came to its end: 1 cut short")  # fmt: skip


async def test_a_generator_that_lags_judges_no_times(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    async with serving(answer) as server:
        fail_if = ("latency.p99 > 0", "requests.failed > 0")
        spec = load_spec(tape, server.url, scale=5.0, max_lag_ms=1e-9, fail_if=fail_if)
        run = await load_run(spec, tmp_path / "log")
    assert run.verdict.verdict == "inconclusive"
    assert run.verdict.reason.startswith("the generator lagged: p99 of the schedule lag was ")
    assert [one.passed for one in run.verdict.evals] == [None, True]


async def test_evals_judge_times_from_the_intended_moment(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    async with serving(answer) as server:
        fail_if = ("latency.p50 < 0", "latency.max[GET /tea] > 0", "requests.per-second > 0")
        run = await load_run(load_spec(tape, server.url, fail_if=fail_if), tmp_path / "log")
    assert run.verdict.verdict == "fail"
    assert [one.passed for one in run.verdict.evals] == [True, False, False]


async def test_nothing_to_send_is_inconclusive(tmp_path: Path, free_port: Callable[[], int]) -> None:
    tape = await write_tape(tmp_path / "empty.tape", [])
    run = await load_run(load_spec(tape, f"http://127.0.0.1:{free_port()}"), tmp_path / "log")
    assert run.verdict.verdict == "inconclusive"
    assert run.verdict.reason.startswith("nothing was sent")


async def refused(spec: LoadSpec, log: Path) -> Failed:
    last = (await events_of(spec, log))[-1]
    assert isinstance(last, Failed)
    return last


async def test_a_target_that_is_not_there_is_an_environment_error(tmp_path: Path, free_port: Callable[[], int]) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
    failed = await refused(load_spec(tape, f"http://127.0.0.1:{free_port()}"), tmp_path / "log")
    assert failed.exit_code == 3
    assert "cannot be reached: connection refused" in failed.problem


async def test_progress_tells_rate_and_percentiles(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
    told: list[str] = []

    async def answer(heard: Heard) -> None:
        heard.json(TEA)

    def enough(job: Job, event: Event) -> None:
        if isinstance(event, Progress) and "p99" in event.message:
            told.append(event.message)
            job.request_stop()

    async with serving(answer) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=50.0, seconds=3600.0)
        events = await events_of(spec, tmp_path / "log", enough)
    assert any(isinstance(event, Ready) for event in events)
    assert "req/s, p50 " in told[0]
    assert told[0].endswith("0 errors")
