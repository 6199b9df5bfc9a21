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
from mcp.types import jsonrpc_message_adapter
from pydantic import ValidationError

from wiretape_server.mcp.malformed import answer_to
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


async def answer_to_call(process: asyncio.subprocess.Process, number: int) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(90):
        async for line in process.stdout:
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == number:
                return message
    raise AssertionError(f"no answer to {number}")


async def test_a_client_that_gave_up_on_its_probe_still_gets_its_tools(project: Workspace) -> None:
    async with raw_server(project) as process:
        send(process, DISCOVER, INITIALIZE, INITIALIZED, LIST_TOOLS)
        handshake = await answer_to_call(process, 1)
        tools = await answer_to_call(process, 2)

    assert handshake["result"]["protocolVersion"] == "2025-11-25"
    assert len(tools["result"]["tools"]) == 14


async def test_a_probe_that_is_followed_by_nothing_is_answered(project: Workspace) -> None:
    async with raw_server(project) as process:
        send(process, DISCOVER)
        found = await answer_to_call(process, 0)

    assert "2026-07-28" in found["result"]["supportedVersions"]


async def test_the_server_ends_with_its_input(project: Workspace) -> None:
    async with raw_server(project) as process:
        send(process, INITIALIZE)
        await answer_to_call(process, 1)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(60):
            assert await process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_server_with_its_input_open(project: Workspace, number: signal.Signals) -> None:
    async with raw_server(project) as process:
        send(process, INITIALIZE)
        await answer_to_call(process, 1)
        process.send_signal(number)
        async with asyncio.timeout(60):
            assert await process.wait() == 128 + number


async def test_bytes_that_are_no_message_do_not_end_the_server(project: Workspace) -> None:
    async with raw_server(project) as process:
        assert process.stdin is not None
        process.stdin.write(b"\xff\xfe not json\n[1,2\n")
        send(process, INITIALIZE)
        handshake = await answer_to_call(process, 1)

    assert handshake["result"]["serverInfo"]["name"] == "wiretape"


@pytest.mark.parametrize(
    ("line", "number", "code", "said"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"list_runs","arguments":{"cursor":"\\ud800"}}}',
         7, -32600, "not valid Unicode"),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[]}', 7, -32600, "params must be an object"),
        (b'{"jsonrpc":"2.0","id":"a","method":"ping","params":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001, "a", -32600,
         "nested too deeply"),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":' + b'{"a":' * 300 + b"1" + b"}" * 301, 7, -32600,
         "nested too deeply"),
        (b'[{"jsonrpc":"2.0","id":7,"method":"ping"}]', None, -32600, "one message a line"),
        (b'{"jsonrpc":"1.0","id":7,"method":"ping"}', 7, -32600, "not a JSON-RPC 2.0 message"),
        (b'{"jsonrpc":"2.0","id":true}', None, -32600, "not a JSON-RPC 2.0 message"),
        (b"not json", None, -32700, "Parse error"),
        (b"\xff\xfe", None, -32700, "Parse error"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_message_gets_an_answer(line: bytes, number: int | str | None, code: int, said: str) -> None:
    with pytest.raises(ValidationError) as fault:
        jsonrpc_message_adapter.validate_json(line.decode(errors="replace"))
    answer = answer_to(fault.value)

    assert answer is not None
    assert (answer.id, answer.error.code) == (number, code)
    assert said in answer.error.message
    assert len(answer.error.message) < 300


@pytest.mark.parametrize("line", ["", "\r", '{"jsonrpc":"2.0","method":"notifications/x","params":[]}'])
def test_what_wants_no_answer_gets_none(line: str) -> None:
    with pytest.raises(ValidationError) as fault:
        jsonrpc_message_adapter.validate_json(line)

    assert answer_to(fault.value) is None


async def test_the_server_answers_what_it_cannot_read(project: Workspace) -> None:
    async with raw_server(project) as process:
        assert process.stdin is not None
        process.stdin.write(b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":[]}\n')
        send(process, INITIALIZE)
        refused = await answer_to_call(process, 5)
        handshake = await answer_to_call(process, 1)

    assert refused["error"]["code"] == -32600
    assert "result" in handshake
