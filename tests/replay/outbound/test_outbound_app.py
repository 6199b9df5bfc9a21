"""Outbound calls of a real app, recorded once and replayed by the real jobs in one variant after the other."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from wiretape_capture.jobs.events import Failed, Finished, Ready
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.report.diff import FindingDetail, finding_detail
from wiretape_replay.report.markdown import markdown
from wiretape_replay.report.terminal import run_lines
from wiretape_replay.run_file import ResultQuery, RunReader
from wiretape_replay.verdict.metrics import measure
from wiretape_replay.verdict.model import Finding, Run

pytestmark = pytest.mark.xdist_group("calling_app")  # one recording for all

SOURCE = Path(__file__).parents[2] / "support" / "calling_app.py"
SKUS = {"a": ["ink", "pen"], "b": ["pen", "pad", "cap"], "c": ["ink", "pad", "cap", "pen"]}


@dataclass(frozen=True)
class Recorded:
    """A snapshot of the unbroken app."""

    folder: Path
    tape: Path
    services: int

    def app(self, variant: str) -> AppSpec:
        port = free_port()
        env = {"VARIANT": variant, "SERVICES": f"http://127.0.0.1:{self.services}"}
        log = self.folder / "app.log"
        return AppSpec(command=(sys.executable, str(SOURCE), str(port)), port=port, env=env, log=log)

    def replay(self, variant: str, **more: object) -> Run:
        run = self.folder / f"{variant or 'unchanged'} {free_port()}.run"
        mock = MockSpec(tape=self.tape, ca_dir=self.folder / "ca")
        spec = ReplaySpec(tape=self.tape, run=run, app=self.app(variant), mock=mock, command="wiretape verify")
        return asyncio.run(outcome(spec.model_copy(update=more), self.folder / "replay.log"))


async def outcome(spec: ReplaySpec, log: Path) -> Run:
    job = await Job.start("wiretape_replay.engine", spec, log=log)
    last = [event async for event in job.events()][-1]
    assert isinstance(last, Finished), last
    return Run.model_validate(last.result)


@contextmanager
def services() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(SOURCE), "--services", str(port)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield port
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("calls")
    with services() as port:
        made = Recorded(folder, folder / "calls.tape", port)
        asyncio.run(record(made))
    return made


async def record(made: Recorded) -> None:
    app = made.app("")
    spec = RecordSpec(tape=made.tape, name="calls", ca_dir=made.folder / "ca", app=app, app_port=app.port)
    job = await Job.start("wiretape_capture.record", spec, log=made.folder / "record.log")
    try:
        async for event in job.events():
            assert not isinstance(event, Failed), event
            if isinstance(event, Ready):
                await asyncio.gather(*(customer(event.endpoints["inbound"], name) for name in SKUS))
                await asyncio.sleep(0.3)  # mails follow their orders
                job.request_stop()
    except BaseException:
        job.kill()
        async for _ in job.events():
            pass
        raise


async def customer(url: str, name: str) -> None:
    headers = {"X-Session-Id": f"customer-{name}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        for turn in (1, 2):
            assert (
                await client.post("/orders", json={"id": f"ord-{turn}{name}", "skus": SKUS[name]})
            ).status_code == 201
            await client.get("/quotes?skus=" + "-".join(SKUS[name]))
            await client.get("/dashboard")
            await client.get("/profile/901")
        if name == "b":
            await client.get("/job")


def told(run: Run) -> dict[str, str]:
    """Severity and count by route and pointer, without the port of the services."""
    return {re.sub(r"127\.0\.0\.1:\d+", "", f"{one.route}: {one.pointer}"): f"{one.severity} {one.count}/{one.of}"
            for one in run.verdict.findings}  # fmt: skip


VARIANTS = {
    "twice": {"POST /orders: duplicated POST /charges": "error 6/6"},
    "twice once": {"POST /orders: duplicated POST /charges": "error 1/6"},
    "no audit": {"POST /orders: missing POST /audit": "error 6/6"},
    "swapped": {"POST /orders: reordered POST /reservations, POST /charges": "error 6/6"},
    "n+1": {"GET /quotes: n+1 GET /prices": "warning 6/6"},
    "no retry": {"POST /orders: missing POST /charges": "error 1/6"},
    "no mail": {"POST /orders: missing POST /mails": "error 6/6"},
    "amount": {
        "POST /orders: changed POST /charges": "error 6/6",
        "POST /orders: ": "error 6/6",
    },
}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_unchanged_code_makes_no_finding(recorded: Recorded, concurrency: int) -> None:
    run = recorded.replay("", concurrency=concurrency)
    assert told(run) == {}
    assert run.verdict.verdict == "pass", run.verdict


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_changed_call_is_told(recorded: Recorded, variant: str) -> None:
    # Of reads by requests that overlap nobody knows for certain whose each is; one after the other they are exact.
    run = recorded.replay(variant, concurrency=1 if variant == "n+1" else 8)
    assert told(run) == VARIANTS[variant], run.model_dump_json(indent=1, include={"verdict"})
    errors = any(said.startswith("error") for said in VARIANTS[variant].values())
    assert run.verdict.verdict == ("fail" if errors else "pass")


def test_reads_for_each_item_are_told_where_requests_overlap(recorded: Recorded) -> None:
    verdict = recorded.replay("n+1", concurrency=8).verdict
    assert {(one.route, one.pointer.partition(" ")[0]) for one in verdict.findings} <= {
        ("GET /quotes", "n+1"), ("GET /quotes", "repeated"),
    }  # fmt: skip
    (fan_out,) = (one for one in verdict.findings if one.pointer.startswith("n+1"))
    assert (fan_out.severity, fan_out.count > 2, fan_out.of) == ("warning", True, 6)
    assert sum(one.count for one in verdict.findings) == 6


def test_a_payment_sent_twice_fails_and_is_shown_with_its_exchange(recorded: Recorded) -> None:
    run = recorded.replay("twice once")
    (finding,) = run.verdict.findings
    values = measure(run).values
    assert [values[scope]["outbound.duplicated"] for scope in ("", "POST /orders", "GET /quotes")] == [1, 1, 0]
    assert (run.counts.failed, values["POST /orders"]["requests.failed"]) == (1, 1)
    assert "charges is called twice with the same content, recorded once" in " ".join(run_lines(run))
    assert "charges is called twice with the same content" in markdown(run)
    detail = asyncio.run(detail_of(recorded.folder / f"{run.id}.run", finding))
    assert (detail.request_line, detail.expected, detail.actual) == ("POST /orders", "1", "2")
    assert "ord-1c" in finding.curl
    assert finding.reproduce == f"wiretape verify --only {finding.sequences[0]}"


async def detail_of(path: Path, finding: Finding) -> FindingDetail:
    async with await RunReader.open(path) as reader:
        (result,) = await reader.results(ResultQuery(failed=True))
        assert (result.outcome, result.findings) == ("different", (finding.id,))
        recorded = await reader.recorded(result.sequence)
        assert recorded is not None
        return finding_detail(await reader.run(), finding, recorded, await reader.live_response(result.sequence))
