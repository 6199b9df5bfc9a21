"""The loop of an agent on a real app: record, edit, replay, look, mend; and what happens when it goes away."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, TextContent
from processes import processes_in

from wiretape_capture.snapshot.exchange import SnapshotInfo
from wiretape_capture.snapshot.tape_reader import TapeReader

type Web = Callable[..., AbstractAsyncContextManager[tuple[str, asyncio.subprocess.Process]]]
type Connect = Callable[..., AbstractAsyncContextManager[Client]]

APP = """
import json, os, time, urllib.request, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        if self.path == "/health":
            return self.reply(200, {"ok": True})
        with urllib.request.urlopen(os.environ["PRICES"] + "/price") as answer:
            price = json.load(answer)["price"]
        self.reply(200, {"id": int(self.path.rpartition("/")[2]), "total": price * 2, "at": time.time_ns()})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(201, {"id": str(uuid.uuid4())})
    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Orders).serve_forever()
"""
BROKEN = ('"total": price * 2', '"total": str(price * 2)')
STUCK = ('"total": price * 2', '"total": time.sleep(600)')


def text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def fields(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, text(result)
    assert result.structured_content is not None
    found: dict[str, Any] = result.structured_content
    return found


class Shop:
    """An app with its wiretape.toml, and the service that it asks for prices."""

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        self.port = port

    def write(self, prices: int) -> None:
        (self.root / "app.py").write_text(APP)
        (self.root / "wiretape.toml").write_text(
            f"[app]\ncommand = [{sys.executable!r}, 'app.py']\nport = {self.port}\nready = '/health'\n"
            f"env = {{ PORT = '{self.port}', PRICES = 'http://127.0.0.1:{prices}' }}\n"
        )

    def edit(self, change: tuple[str, str]) -> None:
        code = (self.root / "app.py").read_text()
        assert change[0] in code
        (self.root / "app.py").write_text(code.replace(*change))

    async def is_gone(self) -> bool:
        """Whether nothing listens on the app's port any more, within a bound."""
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return True
            writer.close()
            await asyncio.sleep(0.05)
        return False


async def nothing_in(folder: Path) -> bool:
    """Whether no process works in a folder any more, within a bound."""
    for _ in range(1200):
        if not processes_in(folder):
            return True
        await asyncio.sleep(0.05)
    return False


@asynccontextmanager
async def price_service() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n" + b'{"price": 21}')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def shop(tmp_path: Path, free_port: Callable[[], int]) -> Shop:
    return Shop(tmp_path, free_port())


async def record(client: Client, shop: Shop) -> dict[str, Any]:
    """Record three requests and their outbound calls; the price service is gone afterwards."""
    async with price_service() as prices, httpx.AsyncClient(trust_env=False) as browser:
        shop.write(prices)
        started = fields(await client.call_tool("start_recording", {"name": "orders"}))
        inbound = started["endpoints"]["inbound"]
        assert started["app_started"] is True
        for number in (1, 2):
            assert (await browser.get(f"{inbound}/orders/{number}")).json()["total"] == 42
        assert (await browser.post(f"{inbound}/orders", json={"sku": "a"})).status_code == 201
        return fields(await client.call_tool("stop_recording", {}))


async def test_an_agent_mends_what_it_broke(connect: Connect, shop: Shop) -> None:
    async with connect(shop.root) as client:
        recorded = await record(client, shop)
        unchanged = fields(await client.call_tool("run_replay", {"fail_if": []}))
        shop.edit(BROKEN)
        # Evals of a call join those that are there: this one alone would let the broken app pass.
        broken = fields(await client.call_tool("run_replay", {"fail_if": ["latency.p95 > 60000", "mock.hits < 0"]}))
        finding = broken["findings"][0]
        detail = fields(await client.call_tool("get_diff", {"run": broken["run"], "finding": finding["id"]}))["detail"]
        shop.edit((BROKEN[1], BROKEN[0]))
        mended = fields(await client.call_tool("run_replay", {}))
        runs = fields(await client.call_tool("list_runs", {}))["runs"]

    assert (recorded["inbound"], recorded["outbound"]) == (3, 2)
    assert (unchanged["status"], broken["status"], mended["status"]) == ("pass", "fail", "pass")
    assert [each["expression"] for each in broken["evals"]] == [
        "requests.failed > 0.00",
        "latency.p95 > 60000.00",
        "mock.hits < 0.00",
        "mock.misses > 0.00",
    ]
    assert (finding["kind"], finding["pointer"], finding["count"]) == ("type", "/total", 2)
    assert {"op": "replace", "path": "/total", "value": "42"} in detail["patch"]
    assert mended["mock"]["exact"] == 2
    assert [run["status"] for run in runs] == ["pass", "fail", "pass"]
    assert await shop.is_gone()


async def test_what_failed_is_replayed_alone_and_then_everything(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client:
        await record(client, shop)
        shop.edit(BROKEN)
        broken = fields(await client.call_tool("run_replay", {}))
        why = fields(await client.call_tool("explain", {"id": broken["findings"][0]["id"], "run": broken["run"]}))
        traffic = fields(await client.call_tool("get_traffic", {"route": "/orders/1"}))
        shop.edit((BROKEN[1], BROKEN[0]))
        again = fields(await client.call_tool("run_replay", {"failed_of": broken["run"]}))
        nothing = await client.call_tool("run_replay", {"failed_of": "newest"})
        other = await client.call_tool("run_replay", {"failed_of": "20200101-000000"})

    assert f'run_replay(failed_of="{broken["run"]}")' in broken["next"]
    assert why["code"][0]["at"].startswith("app.py:")
    assert "str(price * 2)" in why["code"][0]["text"]
    assert traffic["calls"][0]["requests"] == 2
    assert (again["status"], again["counts"]["total"]) == ("pass", 2), (
        "two reads failed, the write had not been asked for"
    )
    assert "call run_replay for all of it" in again["next"]
    assert f"nothing failed in run {again['run']}" in text(nothing)
    assert "there is no run" in text(other)


@pytest.mark.parametrize(
    ("maps", "said"),
    [(["prices"], "names no"), (["a=http://x.test", "a=http://y.test"], "two maps are named"),
     (["db=mongo://h:1"], "unknown scheme"), (["p=http://x.test/path"], "leave the path out")],
)  # fmt: skip
async def test_maps_are_checked_as_the_command_line_does(stdio: Connect, shop: Shop, maps: list[str],
                                                         said: str) -> None:  # fmt: skip
    shop.write(1)
    async with stdio(shop.root) as client:
        result = await client.call_tool("start_recording", {"maps": maps})

    assert result.is_error
    assert said in text(result)
    assert "--map" not in text(result).replace("in --map", "").replace("--map '", "")


async def test_a_mapped_service_is_recorded_under_its_name(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client, price_service() as prices, httpx.AsyncClient(trust_env=False) as browser:
        shop.write(prices)
        started = fields(await client.call_tool(
            "start_recording", {"name": "mapped", "maps": [f"prices=http://127.0.0.1:{prices}"]}))  # fmt: skip
        assert (await browser.get(f"{started['endpoints']['inbound']}/orders/1")).json()["total"] == 42
        stopped = fields(await client.call_tool("stop_recording", {}))
        found = fields(await client.call_tool("search_exchanges", {"direction": "outbound"}))

    assert "map:prices" in started["endpoints"]
    assert stopped["outbound"] == 1
    assert [each["service"] for each in found["exchanges"]] == ["prices"]


async def test_a_long_run_reports_progress_goes_on_and_can_be_polled(stdio: Connect, shop: Shop) -> None:
    told: list[float] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)
        assert message
        assert total is None or total >= progress

    async with stdio(shop.root) as client:
        await record(client, shop)
        shop.edit(STUCK)
        started = fields(await client.call_tool("run_replay", {"wait_seconds": 2}, progress_callback=progress))
        listed = fields(await client.call_tool("list_runs", {}))["runs"]
        polled = fields(await client.call_tool("get_run", {"run": started["run"], "wait_seconds": 0}))

    assert started["status"] == polled["status"] == "running"
    assert started["run"] in started["next"]
    assert listed[0] == {"run": started["run"], "status": "running"}
    assert told == sorted(set(told))
    assert told
    assert await shop.is_gone(), "the run outlived its server"


async def test_a_cancelled_call_stops_its_run(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client:
        await record(client, shop)
        shop.edit(STUCK)
        with pytest.raises(MCPError):
            await client.call_tool("run_replay", {}, read_timeout_seconds=3)
        stopped = await shop.is_gone()

    assert stopped


async def test_a_run_that_another_call_waits_for_survives_a_cancel(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client:
        await record(client, shop)
        shop.edit(STUCK)
        run = fields(await client.call_tool("run_replay", {"wait_seconds": 0}))["run"]
        waiting = asyncio.create_task(client.call_tool("get_run", {"run": run, "wait_seconds": 4}))
        with pytest.raises(MCPError):
            await client.call_tool("get_run", {"run": run}, read_timeout_seconds=1)
        survived = fields(await waiting)

    assert survived["status"] == "running"


async def test_runs_at_the_same_time_take_turns_on_the_port_of_the_app(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as one, stdio(shop.root) as other:
        await record(one, shop)
        calls = [client.call_tool("run_replay", {}) for client in (one, one, other)]
        results = [fields(result) for result in await asyncio.gather(*calls)]

    assert [result["status"] for result in results] == ["pass"] * 3, results
    assert len({result["run"] for result in results}) == 3


async def test_a_run_says_which_recording_has_the_port_and_how_to_end_it(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client, price_service() as prices:
        await record(client, shop)
        shop.write(prices)
        started = fields(await client.call_tool("start_recording", {"name": "other"}))
        listed = fields(await client.call_tool("list_snapshots", {}))["snapshots"]
        refused = await client.call_tool("run_replay", {})

    assert refused.is_error
    assert f"recording other has the app on port {shop.port}" in text(refused)
    assert 'stop_recording(name="other") ends it' in text(refused)
    assert {row["name"]: row.get("problem", "") for row in listed} == {
        "other": 'being recorded: stop_recording(name="other") ends it', "orders": ""}  # fmt: skip
    assert (started["app_url"], started["app_log"]) == (
        f"http://127.0.0.1:{shop.port}", ".wiretape/jobs/other.app.log")  # fmt: skip


async def test_mocks_started_at_the_same_time_are_all_reached_and_ended(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client:
        await record(client, shop)
        started = [fields(each) for each in await asyncio.gather(
            *(client.call_tool("start_mock", {}) for _ in range(3)))]  # fmt: skip
        stopped = fields(await client.call_tool("stop_mock", {"mock": started[1]["mock"]}))

    assert stopped["mock"] == started[1]["mock"]
    assert len({each["mock"] for each in started}) == 3
    proxies = {each["endpoints"]["proxy"] for each in started}
    assert len(proxies) == 3
    assert await nothing_in(shop.root), "a mock outlived its server"


async def info_of(tape: Path) -> SnapshotInfo:
    async with await TapeReader.open(tape) as reader:
        return await reader.info()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_nothing_is_left_when_the_server_ends(shop: Shop, web: Web, end: signal.Signals) -> None:
    async with price_service() as prices, web(shop.root, "--http") as (url, process):
        shop.write(prices)
        async with Client(url) as client:
            recording = fields(await client.call_tool("start_recording", {"name": "cut"}))
            inbound = recording["endpoints"]["inbound"]
            async with httpx.AsyncClient(trust_env=False) as browser:
                await browser.get(f"{inbound}/orders/1")
            process.send_signal(end)
            async with asyncio.timeout(60):
                await process.wait()
        assert await shop.is_gone()
        assert await nothing_in(shop.root)

    info = await info_of(shop.root / ".wiretape" / "snapshots" / "cut.tape")
    assert (info.closed, info.inbound) == (True, 1)


async def test_mocks_answer_without_the_service_and_tell_what_they_were_asked(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client:
        await record(client, shop)
        started = fields(await client.call_tool("start_mock", {"start_app": True}))
        async with httpx.AsyncClient(trust_env=False) as browser:
            total = (await browser.get(f"http://127.0.0.1:{shop.port}/orders/1")).json()["total"]
        stopped = fields(await client.call_tool("stop_mock", {"mock": started["mock"]}))

    assert total == 42
    assert stopped["tally"]["exact"] == 1
    assert await shop.is_gone()


async def test_a_recording_of_nothing_leaves_no_snapshot(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client:
        await record(client, shop)
        await client.call_tool("start_recording", {"name": "nothing"})
        stopped = fields(await client.call_tool("stop_recording", {}))
        snapshots = fields(await client.call_tool("list_snapshots", {}))["snapshots"]

    assert stopped["summary"] == "no snapshot nothing was kept, for nothing was recorded"
    assert [row["name"] for row in snapshots] == ["orders"]


async def test_an_app_that_cannot_start_is_told_with_its_last_words(stdio: Connect, shop: Shop) -> None:
    async with stdio(shop.root) as client:
        shop.write(1)
        (shop.root / "app.py").write_text("raise SystemExit('no database')")
        result = await client.call_tool("start_recording", {"name": "broken"})
        again = await client.call_tool("start_recording", {"name": "broken"})
        snapshots = fields(await client.call_tool("list_snapshots", {}))["snapshots"]

    assert result.is_error
    assert "no database" in text(result)
    assert "no database" in text(again)
    assert "the app's output: .wiretape/jobs/broken.app.log" in text(result)
    assert snapshots == []


async def test_an_unreadable_configuration_is_an_answer_and_no_end(stdio: Connect, shop: Shop) -> None:
    (shop.root / "wiretape.toml").write_text("[app]\ncomand = 'python app.py'\n")
    async with stdio(shop.root) as client:
        wrong = await client.call_tool("run_replay", {})
        (shop.root / "wiretape.toml").unlink()
        right = await client.call_tool("list_snapshots", {})

    assert wrong.is_error
    assert "app.command" in text(wrong)
    assert not right.is_error
