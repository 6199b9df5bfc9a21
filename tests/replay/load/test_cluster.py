"""A load from the workers of a dask cluster: one result as on one machine, and nothing of a lost worker hidden."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from dask_cluster import scheduler, workers_of
from load_kit import Heard, Shop, events_of, load_run, load_spec, order_session, prepared, serving, session, write_tape

from wiretape_capture.jobs.events import Event, Failed, Finished, Progress
from wiretape_capture.jobs.parent import Job
from wiretape_replay.load.arrivals import bin_width
from wiretape_replay.load.cluster import ClusterCrew
from wiretape_replay.load.cluster_shard import PIECE
from wiretape_replay.load.crew import Crew
from wiretape_replay.load.progress import Course
from wiretape_replay.load.tally import Series, Tally
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.histogram import Histogram
from wiretape_replay.verdict.model import FindingClass, Run

TEA = {"name": "tea", "price": 4, "tags": ["green", "loose"]}
pytestmark = pytest.mark.xdist_group("dask")


@dataclass
class Cluster:
    """A LocalCluster of processes."""

    url: str
    local: Any

    @property
    def pids(self) -> list[int]:
        """Of its workers."""
        return [nanny.process.pid for nanny in self.local.workers.values()]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    from distributed import LocalCluster

    local: Any = LocalCluster
    scratch = str(tmp_path_factory.mktemp("dask"))
    with local(n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None,
               local_directory=scratch) as started:  # fmt: skip
        yield Cluster(started.scheduler_address.replace("tcp://", "dask://"), started)


async def tea(heard: Heard) -> None:
    heard.json(TEA)


async def test_the_workers_of_a_cluster_make_one_run(cluster: Cluster, tmp_path: Path) -> None:
    recorded = [each for number in range(4) for each in order_session(number + 1, at_ms=number * 50)]
    tape, shop = await write_tape(tmp_path / "shop.tape", recorded), Shop()
    async with serving(shop) as server:
        spec = load_spec(tape, server.url, scale=5.0, workers=None, cluster=cluster.url)
        run = await load_run(spec, tmp_path / "log")
    assert (run.verdict.verdict, run.verdict.reason) == ("pass", "all 40 exchanges came out equal")
    assert (run.counts.total, run.counts.semantically_equal, run.counts.failed) == (40, 40, 0)
    assert (len(server.heard), len(shop.orders)) == (40, 20)
    load = run.load
    assert load is not None
    assert (load.workers, load.sessions_started, load.sessions_ended, load.requests_sent) == (2, 20, 20, 40)
    assert load.service is not None
    assert load.lag is not None
    assert run.latency is not None
    assert (run.latency.count, load.service.count, load.lag.count) == (40, 40, 40)
    assert sum(route.histogram.count for route in run.routes if route.histogram) == 40
    assert sum(round(point.per_second * load.timeline[1].at_s if len(load.timeline) > 1 else point.per_second)
               for point in load.timeline) == 40  # fmt: skip
    assert any("clocks of the cluster are within" in note for note in run.notes)
    async with await RunReader.open(tmp_path / "shop.run") as reader:
        assert {one.sequence for one in await reader.results()} == {each.sequence for each in recorded}


async def test_more_shares_than_workers_merge_as_exactly(cluster: Cluster, tmp_path: Path) -> None:
    """Four shares of two workers; the snapshot is larger than what travels at once, and findings come back."""
    answers = {**TEA, "noise": os.urandom(PIECE).hex()}
    steps = (("GET", "/tea", None, TEA), ("GET", "/large", None, answers))
    tape = await write_tape(tmp_path / "shop.tape", session(1, *steps))
    assert tape.stat().st_size > PIECE

    async def answer(heard: Heard) -> None:
        heard.json({"size": 1} if heard.target == "/large" else {**TEA, "price": "4"})

    async with serving(answer) as server:
        spec = load_spec(tape, server.url, scale=12.0, workers=4, cluster=cluster.url)
        run = await load_run(spec, tmp_path / "log")
    assert run.load is not None
    assert (run.load.workers, run.load.sessions_ended, len(server.heard)) == (4, 12, 24)
    assert run.verdict.verdict == "fail"
    found = {(one.kind, one.pointer): (one.count, one.of) for one in run.verdict.findings}
    assert found[FindingClass.TYPE, "/price"] == (12, 12)


async def test_what_shares_count_on_the_workers_of_a_cluster_is_one_log_bucket_by_bucket(cluster: Cluster) -> None:
    """The same times, counted by one worker and by four shares on the cluster's workers, told in pieces."""
    from distributed import Client

    chance = Random(5)
    times = [(chance.randrange(3), int(chance.lognormvariate(8, 2) * 1000)) for _ in range(40_000)]

    def counted(noted: list[tuple[int, int]], pieces: int) -> list[str]:
        from wiretape_replay.load.tally import Tally
        from wiretape_replay.load.times import Times

        told = []
        for piece in range(pieces):
            tally, routes = Tally(), {route: Times(route) for route in range(3)}
            for route, ns in noted[piece::pieces]:
                routes[route].note(0, ns // 2 if ns % 2 else 0, ns, tally)
            for each in routes.values():
                each.count(tally)
            told.append(tally.encoded())
        return told

    client: Any = Client
    async with client(cluster.url.replace("dask://", "tcp://"), asynchronous=True) as asking:
        names = sorted(await asking.ncores())
        shares = [asking.submit(counted, times[share::4], 7, workers=[names[share % len(names)]], pure=False)
                  for share in range(4)]  # fmt: skip
        pieces = [text for told in await asking.gather(shares) for text in told]
    one, merged = Tally(), Course()
    for text in counted(times, 1):
        one.join(Tally.decoded(text))
    for at, text in enumerate(pieces):
        merged.add(Tally.decoded(text), float(at))
    assert len(pieces) == 28
    assert merged.total.latency == one.latency
    assert merged.total.service == one.service
    for route, series in merged.total.latency.items():
        assert series.histogram == Histogram.of([ns // 1000 / 1000 for each, ns in times if each == route])
    assert Series.all(merged.total.latency).summary == Series.all(one.latency).summary


async def test_a_load_on_a_cluster_counts_what_each_share_told_once(cluster: Cluster, tmp_path: Path) -> None:
    recorded = session(1, ("GET", "/tea", None, TEA), ("GET", "/cup", None, TEA))
    tape = await write_tape(tmp_path / "shop.tape", recorded)
    pieces: list[Tally] = []
    course = Course()

    def hear(tally: Tally, at: float) -> None:
        pieces.append(Tally.decoded(tally.encoded()))
        course.add(tally, at)

    async with serving(tea) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=60.0, seconds=3.0, cluster=cluster.url)
        prepared(recorded, spec, server.url).write(tmp_path / "scenario")
        crew = ClusterCrew(hear, cluster.url)
        try:
            await crew.connect(spec)
            await crew.start(spec.model_copy(update={"workers": 4}), tmp_path / "scenario", server.url)
            await crew.go()
            await crew.ended()
        finally:
            await crew.close()
    assert len(pieces) > 4, "each of the shares tells every second"
    for route in (0, 1):
        buckets = sum((Counter(piece.latency[route].buckets) for piece in pieces if route in piece.latency), Counter())
        assert course.total.latency[route].histogram.buckets == tuple(sorted(buckets.items()))
        assert buckets.total() == sum(heard.target == ("/cup", "/tea")[route] for heard in server.heard)
    assert Series.all(course.total.latency).histogram.count == len(server.heard) == course.total.sent > 0


@pytest.mark.parametrize("far", [False, True])
async def test_a_second_of_the_course_is_one_of_the_schedule_for_all_shares(
    cluster: Cluster, tmp_path: Path, far: bool
) -> None:
    """Shares note when each session began; what they tell of a second is what began in it, wherever they are."""
    recorded = [each for number, at_ms in enumerate((0, 100, 850, 1400, 1500, 3500))
                for each in session(number + 1, ("GET", "/tea", None, TEA), at_ms=at_ms)]  # fmt: skip
    tape = await write_tape(tmp_path / "shop.tape", recorded)
    begun, answered, seconds, course = Counter[int](), Counter[int](), dict[int, list[Tally]](), Course()

    def hear(tally: Tally, at: float) -> None:
        course.add(Tally.decoded(tally.encoded()), at)
        for number, count in tally.starts.items():
            begun[int(number * width)] += count
        answered[int(at)] += tally.answered
        seconds.setdefault(int(at), []).append(tally)

    async with serving(tea) as server:
        spec = load_spec(tape, server.url, scale=20.0, workers=4, cluster=cluster.url if far else "")
        scenario = prepared(recorded, spec, server.url)
        width = bin_width(scenario.rhythm.period, scenario.rhythm.period)
        scenario.write(tmp_path / "scenario")
        crew = ClusterCrew(hear, cluster.url) if far else Crew(hear)
        try:
            await crew.connect(spec)
            await crew.start(spec, tmp_path / "scenario", server.url)
            await crew.go()
            await crew.ended()
        finally:
            await crew.close()
    assert +answered == begun
    assert len(server.heard) == 120 == answered.total()
    assert Counter({int(point.at_s): round(point.per_second) for point in course.timeline()}) == begun
    for second in begun:
        buckets = sum((Counter(tally.latency[0].buckets) for tally in seconds[second] if tally.latency), Counter[int]())
        assert course.points[second].latency.histogram.buckets == tuple(sorted(buckets.items()))


async def test_a_worker_killed_in_the_middle_is_told_with_the_sessions_that_it_took(
    cluster: Cluster, tmp_path: Path
) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
    killed = 0

    def kill_one(_: Job, event: Event) -> None:
        nonlocal killed
        if isinstance(event, Progress) and event.done > 0 and not killed:
            killed = cluster.pids[0]
            os.kill(killed, signal.SIGKILL)

    async with serving(tea) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=40.0, seconds=8.0, workers=2, cluster=cluster.url)
        last = (await events_of(spec, tmp_path / "log", kill_one))[-1]
    assert killed
    assert isinstance(last, Finished), last
    run = Run.model_validate(last.result)
    assert run.verdict.verdict == "inconclusive"
    assert "a load worker was lost" in run.verdict.reason
    load = run.load
    assert load is not None
    assert (load.workers, load.workers_lost) == (2, 1)
    assert load.sessions_lost > 0
    assert load.sessions_ended + load.sessions_cut + load.sessions_dropped + load.sessions_lost == 320
    assert any(f"what became of {load.sessions_lost:,} sessions" in note for note in run.notes)
    assert load.sessions_ended >= 160, "the other worker played all of its share"


async def test_a_stop_ends_the_load_of_all_workers(cluster: Cluster, tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))

    def stop_soon(job: Job, event: Event) -> None:
        if isinstance(event, Progress) and event.done > 0:
            job.request_stop()

    async with serving(tea) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=50.0, seconds=3600.0, cluster=cluster.url)
        last = (await events_of(spec, tmp_path / "log", stop_soon))[-1]
        heard = len(server.heard)
        await asyncio.sleep(0.5)
        assert len(server.heard) == heard
    assert isinstance(last, Finished), last
    run = Run.model_validate(last.result)
    assert run.verdict.reason.startswith("stopped after ")
    assert run.counts.bytes_equal == heard == run.counts.total > 0


async def test_workers_end_a_load_whose_client_was_killed(cluster: Cluster, tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))

    def kill(job: Job, event: Event) -> None:
        if isinstance(event, Progress) and event.done > 0:
            job.kill()

    async with serving(tea) as server:
        spec = load_spec(tape, server.url, arrivals="constant", rate=50.0, seconds=3600.0, cluster=cluster.url)
        await events_of(spec, tmp_path / "log", kill)
        async with asyncio.timeout(60):
            heard = -1
            while heard != len(server.heard):
                heard = len(server.heard)
                await asyncio.sleep(2)


async def test_a_scheduler_that_dies_in_the_middle_leaves_a_result(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    tape, port = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA))), free_port()
    url = f"dask://127.0.0.1:{port}"
    with scheduler(tmp_path, port) as process, workers_of(url, tmp_path):

        def kill(_: Job, event: Event) -> None:
            if isinstance(event, Progress) and event.done > 0:
                process.kill()

        async with serving(tea) as server:
            spec = load_spec(tape, server.url, arrivals="constant", rate=20.0, seconds=5.0, cluster=url)
            last = (await events_of(spec, tmp_path / "log", kill))[-1]
    assert isinstance(last, Finished), last
    run = Run.model_validate(last.result)
    assert run.verdict.verdict == "inconclusive"
    assert run.load is not None
    assert run.load.workers_lost == 1
    assert run.load.sessions_ended + run.load.sessions_cut + run.load.sessions_lost == 100


async def test_a_cluster_without_workers_says_how_to_start_some(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    with scheduler(tmp_path, port):
        failed = await refused(f"dask://127.0.0.1:{port}", tmp_path)
    assert failed.problem == f"the cluster dask://127.0.0.1:{port} has no workers"


async def refused(url: str, tmp_path: Path) -> Failed:
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
    async with serving(tea) as server:
        last = (await events_of(load_spec(tape, server.url, workers=None, cluster=url), tmp_path / "log"))[-1]
    assert isinstance(last, Failed), last
    assert server.heard == []
    return last


async def test_a_worker_with_another_wiretape_is_refused_by_name(cluster: Cluster, tmp_path: Path) -> None:
    other = tmp_path / "other" / "wiretape-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: wiretape\nVersion: 9.9.9\n")
    with workers_of(cluster.url, tmp_path, PYTHONPATH=str(other.parent)):
        failed = await refused(cluster.url, tmp_path)
    assert failed.exit_code == 3
    assert failed.problem.startswith("worker tcp://127.0.0.1:")
    assert "of the cluster has wiretape 9.9.9, this is " in failed.problem
    assert failed.hint == "install the same version on all of them"


async def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path: Path, free_port: Callable[[], int]) -> None:
    url = f"dask://127.0.0.1:{free_port()}"
    failed = await refused(url, tmp_path)
    assert (failed.exit_code, failed.problem) == (3, f"no dask scheduler answers at {url} within 10 s")


async def test_keys_to_sign_with_do_not_leave_this_machine(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    tape = await write_tape(tmp_path / "shop.tape", session(1, ("GET", "/tea", None, TEA)))
    spec = load_spec(tape, "http://127.0.0.1:1", cluster=cluster.url, sign=({"kind": "sigv4"},))
    last = (await events_of(spec, tmp_path / "log"))[-1]
    assert isinstance(last, Failed), last
    assert "the keys of --sign are on this machine" in last.problem
