"""Bad clients over a real pipe: a thousand calls at once, one that never reads, arguments without end."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from wiretape_server.workspace.workspace import Workspace

PATIENCE = 100
"""Seconds, for a machine that does much else."""
INITIALIZE = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number: int, tool: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


class Pipe:
    """A server process and the frames to and from it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def send(self, messages: Iterable[dict[str, Any]]) -> None:
        assert self.process.stdin is not None
        for message in messages:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            await self.process.stdin.drain()

    async def answers(self, count: int) -> dict[int, dict[str, Any]]:
        assert self.process.stdout is not None
        found: dict[int, dict[str, Any]] = {}
        while len(found) < count:
            line = await self.process.stdout.readline()
            assert line, "the server ended"
            message = json.loads(line)
            if message.get("id") is not None:
                found[message["id"]] = message
        return found

    def resident(self) -> int:
        """KiB of memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@asynccontextmanager
async def pipe(workspace: Workspace) -> AsyncIterator[Pipe]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wiretape_server.mcp", cwd=workspace.root, limit=1 << 24,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            one = Pipe(process)
            await one.send([INITIALIZE, INITIALIZED])
            await one.answers(1)
            yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def told(answer: dict[str, Any]) -> str:
    text: str = answer["result"]["content"][0]["text"]
    return text


async def test_a_thousand_calls_at_once_are_all_answered_and_leave_nothing(project: Workspace) -> None:
    async with pipe(project) as server:
        await server.send([call(1, "list_snapshots"), call(2, "get_exchange", sequence=1, snapshot="first")])
        await server.answers(2)
        files = server.open_files()
        calls = [call(n, "get_exchange", sequence=1, snapshot="first") if n % 4 == 0 else call(n, "list_snapshots")
                 for n in range(10, 1010)]  # fmt: skip
        reading = asyncio.create_task(server.answers(1000))
        await server.send(calls)
        answers = await reading
        left = server.open_files()

    assert set(answers) == set(range(10, 1010))
    assert not [answer for answer in answers.values() if answer["result"].get("isError")]
    assert left <= files + 2


async def test_a_client_that_does_not_read_for_long_costs_little_and_misses_nothing(project: Workspace) -> None:
    count = 1500
    async with pipe(project) as server:
        await server.send([call(1, "list_snapshots")])
        await server.answers(1)
        before = server.resident()
        sending = asyncio.create_task(server.send(call(n, "get_diff") for n in range(10, 10 + count)))
        done, _ = await asyncio.wait({sending}, timeout=15)
        grown = server.resident() - before
        answers = await server.answers(count)
        await sending

    assert grown < 100 * 1024, f"{grown} KiB for {count} calls that nobody read, all sent: {bool(done)}"
    assert len(answers) == count


async def test_arguments_without_end_get_a_short_answer(project: Workspace) -> None:
    huge = "x" * 3_000_000
    async with pipe(project) as server:
        await server.send([
            call(1, "get_exchange", sequence=1, snapshot=huge), call(2, "explain", id=huge),
            call(3, "get_traffic", route=huge), call(4, "accept_noise", finding="F-1", reason=huge),
            call(5, "run_replay", only=[huge], target="http://127.0.0.1:9"), call(6, "start_recording", maps=[huge]),
            call(7, "search_exchanges", text=huge), call(8, "start_recording", name=huge, app_port=1),
            call(9, "accept_noise", undo=huge),
        ])  # fmt: skip
        answers = await server.answers(9)
        await server.send([call(10, "list_runs")])
        alive = await server.answers(1)

    assert {number for number, answer in answers.items() if answer["result"].get("isError")} == set(answers) - {7}
    assert all(len(told(answer)) < 2100 for answer in answers.values())
    assert not alive[10]["result"].get("isError")


async def test_runs_at_once_without_an_app_are_refused_one_by_one(project: Workspace) -> None:
    """Nine and more jobs at a time are refused in words; none is left when the server ends."""
    async with pipe(project) as server:
        await server.send(call(n, "start_mock", snapshot="first") for n in range(1, 13))
        answers = await server.answers(12)

    refused = [told(answer) for answer in answers.values() if answer["result"].get("isError")]
    assert len(refused) == 4
    assert all("stop one before starting another" in each for each in refused)
