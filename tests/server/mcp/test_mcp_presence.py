"""Several clients at once, and clients that vanish: nothing of theirs is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from processes import processes_in

from wiretape_server.mcp.presence import Presence
from wiretape_server.workspace.workspace import Workspace

type Web = Callable[..., AbstractAsyncContextManager[tuple[str, asyncio.subprocess.Process]]]
type Connect = Callable[..., AbstractAsyncContextManager[Client]]

SECONDS = 90
"""A bound for waiting, generous for loaded machines."""

AGENT = """
import json, subprocess, sys
server = subprocess.Popen([sys.executable, "-m", "wiretape_server.mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def ask(number, method, params):
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    server.stdin.write(json.dumps(message).encode() + b"\\n")
    server.stdin.flush()
    for line in server.stdout:
        answer = json.loads(line)
        if answer.get("id") == number:
            return answer["result"]

ask(1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
server.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\\n')
mock = ask(2, "tools/call", {"name": "start_mock", "arguments": {"snapshot": "first", "start_app": False}})
print(json.dumps({"server": server.pid, "endpoints": mock["structuredContent"]["endpoints"]}), flush=True)
server.wait()
"""


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something in another process."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110 - other processes set no event here
                await asyncio.sleep(0.05)
    assert condition(), what


def listens(url: str) -> bool:
    """Whether anything answers at an endpoint."""
    port = int(url.rstrip("/").rpartition(":")[2])
    inodes = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"}
    return f"0100007F:{port:04X}" in inodes


def fields(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    return found


async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An app that answers every request with nothing."""
    with suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
    writer.close()


@asynccontextmanager
async def an_app() -> AsyncIterator[str]:
    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_agent_that_is_killed_leaves_neither_server_nor_mock(project: Workspace) -> None:
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, cwd=project.root, stdout=asyncio.subprocess.PIPE
    )
    assert agent.stdout is not None
    async with asyncio.timeout(SECONDS):
        told = json.loads(await agent.stdout.readline())
    (endpoint,) = [url for url in told["endpoints"].values() if url.startswith("http://127")][:1]
    assert listens(endpoint)
    assert len(processes_in(project.root)) == 3  # agent, server, mock

    agent.kill()
    await agent.wait()

    await until(lambda: not processes_in(project.root), "server and mock have ended")


@pytest.mark.parametrize("transport", ["--http", "--sse"])
async def test_what_clients_leave_on_a_port_ends_a_while_after_them(
    project: Workspace, web: Web, transport: str
) -> None:
    async with web(project.root, transport, "--idle", "0.03") as (url, process):
        endpoint = Client(sse_client(url)) if transport == "--sse" else Client(url)
        async with endpoint as client:
            started = fields(await client.call_tool("start_mock", {"snapshot": "first", "start_app": False}))
        assert len(processes_in(project.root)) == 2

        assert process.stderr is not None
        async with asyncio.timeout(SECONDS):
            line = (await process.stderr.readline()).decode()
        assert line == f"wiretape mcp: no client for 0.03 min, ending mock {started['mock']}\n"
        await until(lambda: processes_in(project.root) == {process.pid}, "the mock has ended")
        async with Client(sse_client(url)) if transport == "--sse" else Client(url) as client:
            stopped = fields(await client.call_tool("stop_mock", {"mock": started["mock"]}))
        assert stopped["mock"] == started["mock"]


async def test_a_client_that_hangs_up_in_a_call_leaves_a_server_that_serves(project: Workspace, web: Web) -> None:
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": {"name": "start_mock", "arguments": {"snapshot": "first", "start_app": False}}}  # fmt: skip
    body = json.dumps(call).encode()
    async with web(project.root, "--http", "--idle", "0.03") as (url, process):
        host, port = url.split("/")[2].split(":")
        for _ in range(3):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                         b"accept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\n"
                         b"content-length: %d\r\n\r\n%b" % (len(body), body))  # fmt: skip
            await writer.drain()
            writer.transport.abort()
        async with Client(url) as client:
            assert fields(await client.call_tool("list_runs", {}))["total"] == 1
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        await until(lambda: not Path(children).read_text().split(), "no job is left")
        assert process.returncode is None


async def test_clients_of_several_servers_share_one_workspace(project: Workspace, web: Web, stdio: Connect) -> None:
    async with (
        an_app() as target, web(project.root, "--http") as (url, _), Client(url) as first, Client(url) as second,
        stdio(project.root) as third,
    ):  # fmt: skip
        clients = (first, second, third)
        arguments = {"snapshot": "first", "target": target}
        runs = await asyncio.gather(*(client.call_tool("run_replay", arguments) for client in clients))
        ids = {fields(each)["run"] for each in runs}
        mock = fields(await first.call_tool("start_mock", {"snapshot": "first", "start_app": False}))["mock"]
        other = await third.call_tool("stop_mock", {"mock": mock})
        stopped = fields(await second.call_tool("stop_mock", {"mock": mock}))
        listed = fields(await third.call_tool("list_runs", {}))

    assert len(ids) == 3
    assert ids <= {row["run"] for row in listed["runs"]}
    assert stopped["mock"] == mock
    assert other.is_error, "another server's mock is not this one's to end"


async def test_a_server_on_a_port_is_no_open_door(project: Workspace, web: Web) -> None:
    async with web(project.root, "--http") as (url, _), httpx.AsyncClient(trust_env=False) as http:
        accept = {"accept": "application/json, text/event-stream"}
        large = await http.post(url, content=b"x" * (5 << 20), headers={**accept, "content-type": "application/json"})
        form = await http.post(url, content=b"{}", headers={**accept, "content-type": "text/plain"})
        preflight = await http.options(url, headers={
            "origin": "https://evil.test", "access-control-request-method": "POST"})  # fmt: skip
        async with Client(url) as client:
            served = await client.call_tool("list_snapshots", {})

    assert large.status_code == 413
    assert form.status_code in (400, 415)
    assert "access-control-allow-origin" not in preflight.headers
    assert not served.is_error


async def test_presence_counts_requests_and_open_streams() -> None:
    now, hold = 100.0, asyncio.Event()

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        await hold.wait()

    async def nothing(*_: Any) -> Any:
        return None

    presence = Presence(app, lambda: now)
    now = 130.0
    assert presence.idle_seconds == 30
    stream = asyncio.create_task(presence({"type": "http"}, nothing, nothing))
    await asyncio.sleep(0)
    now = 500.0
    assert presence.idle_seconds == 0
    stream.cancel()
    with suppress(asyncio.CancelledError):
        await stream
    now = 507.0
    assert presence.idle_seconds == 7


def test_after_initialize_nothing_heavy_is_imported(tmp_path: Path) -> None:
    """By what the process has mapped and opened: a module imported in a thread after the answer would show as well."""
    code = "import sys, threading; from wiretape_server.mcp.__main__ import main; code = main(); " \
           "sys.stderr.write('MODULES ' + ' '.join(sys.modules))"  # fmt: skip
    handshake = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
                 "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                            "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, input=json.dumps(handshake) + "\n", capture_output=True, text=True,
        timeout=SECONDS, check=True,
    )  # fmt: skip
    assert json.loads(ran.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "wiretape"
    loaded = set(ran.stderr.partition("MODULES ")[2].split())
    heavy = {"mitmproxy", "httpx", "aiosqlite", "sqlite3", "rich", "jsonpatch", "uvloop", "yaml",
             "wiretape_replay.verdict.judge", "wiretape_replay.engine.spec"}  # fmt: skip
    assert heavy & loaded == set()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_on_stdio_ends_a_mock_too(project: Workspace, end: signal.Signals) -> None:
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, cwd=project.root, stdout=asyncio.subprocess.PIPE
    )
    assert agent.stdout is not None
    async with asyncio.timeout(SECONDS):
        told = json.loads(await agent.stdout.readline())
    assert listens(told["endpoints"]["proxy"])
    os.kill(told["server"], end)
    async with asyncio.timeout(SECONDS):
        await agent.wait()
    await until(lambda: not processes_in(project.root), "the mock has ended")
