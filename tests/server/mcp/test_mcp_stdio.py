"""Life and death on stdio: late clients, unknown frames, and that nothing is left when the server ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from wiretape_server.workspace.workspace import Workspace

DISCOVER = {
    "jsonrpc": "2.0", "id": 0, "method": "server/discover",
    "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }},
}  # fmt: skip
INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST_TOOLS = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


@asynccontextmanager
async def raw_server(workspace: Workspace) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wiretape_server.mcp", cwd=workspace.root, limit=1 << 20,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def send(process: asyncio.subprocess.Process, *messages: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))


async def answer_to(process: asyncio.subprocess.Process, number: int) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        async for line in process.stdout:
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == number:
                return message
    raise AssertionError(f"no answer to {number}")


async def test_a_client_that_gave_up_on_its_probe_still_gets_its_tools(project: Workspace) -> None:
    async with raw_server(project) as process:
        send(process, DISCOVER, INITIALIZE, INITIALIZED, LIST_TOOLS)
        handshake = await answer_to(process, 1)
        tools = await answer_to(process, 2)

    assert handshake["result"]["protocolVersion"] == "2025-11-25"
    assert len(tools["result"]["tools"]) == 11


async def test_a_probe_that_is_followed_by_nothing_is_answered(project: Workspace) -> None:
    async with raw_server(project) as process:
        send(process, DISCOVER)
        found = await answer_to(process, 0)

    assert "2026-07-28" in found["result"]["supportedVersions"]


async def test_the_server_ends_with_its_input(project: Workspace) -> None:
    async with raw_server(project) as process:
        send(process, INITIALIZE)
        await answer_to(process, 1)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(10):
            assert await process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_server_with_its_input_open(project: Workspace, number: signal.Signals) -> None:
    async with raw_server(project) as process:
        send(process, INITIALIZE)
        await answer_to(process, 1)
        process.send_signal(number)
        async with asyncio.timeout(10):
            assert await process.wait() == 128 + number


async def test_bytes_that_are_no_message_do_not_end_the_server(project: Workspace) -> None:
    async with raw_server(project) as process:
        assert process.stdin is not None
        process.stdin.write(b"\xff\xfe not json\n[1,2\n")
        send(process, INITIALIZE)
        handshake = await answer_to(process, 1)

    assert handshake["result"]["serverInfo"]["name"] == "wiretape"
