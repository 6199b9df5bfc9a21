"""The tee at its limits: peers that break off, bytes that mean harm, a recorder that is too slow, a tee that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.proxy.tee_process import DIED
from wiretape_capture.tee.channel import DROPPED, LIMIT
from wiretape_capture.tee.following import UNASKED
from wiretape_capture.tee.lane import CUT_HEAD, LOST

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
OPEN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BLOCK = bytes(1 << 20)
BLOCKS = 3 * LIMIT // len(BLOCK) // 2


@pytest.fixture
def engine() -> str:
    """These are about the tee alone."""
    return "tee"


def tee_of(job: Job) -> int:
    """The process of a job's tee."""
    (pid,) = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    return int(pid)


def alive(pid: int) -> bool:
    """Whether a process runs."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and " Z " not in status.read_text()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_client_that_ends_its_side_still_gets_its_answer(recording: Any, listen: Any) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # the request and the end of the client's side
        writer.write(OK)
        writer.close()

    rec = await recording(app_port=await listen(slow))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(GET)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == OK
    writer.close()
    (exchange,) = await rec.finish()
    assert (exchange.status, exchange.error) == ("200", "")


async def test_a_service_that_resets_inside_a_body(recording: Any, listen: Any) -> None:
    got = asyncio.Event()

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await got.wait()
        reset(writer)

    rec = await recording(app_port=await listen(broken))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(GET)
    await asyncio.wait_for(reader.readuntil(b"half"), 10)
    got.set()
    with pytest.raises(ConnectionResetError):  # a clean end would make half a body look whole
        await asyncio.wait_for(reader.read(), 10)
    writer.close()
    (exchange,) = await rec.finish()
    assert (exchange.error, exchange.response.body.data) == ("connection reset", b"half")
    assert not exchange.response.body.complete


async def test_a_client_that_resets_inside_a_body(recording: Any, listen: Any) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"half")
        started.set()
        try:
            await reader.read()
        except ConnectionResetError:
            ended.set()
        writer.close()

    rec = await recording(app_port=await listen(receive))
    _, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
    await asyncio.wait_for(started.wait(), 10)
    reset(writer)
    await asyncio.wait_for(ended.wait(), 10)
    (exchange,) = await rec.finish()
    assert (exchange.error, exchange.request.body.data) == ("client disconnected", b"half")
    assert not exchange.request.body.complete


async def test_requests_in_a_row_and_garbage_behind_them(recording: Any, service: Any, ask: Any) -> None:
    app = await service(OPEN)
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), GET + GET.replace(b"/ ", b"/2 ") + b"\x00\x01 garbage\r\n\r\n")
    exchanges = await rec.finish()
    assert got.startswith(OPEN + OPEN + b"HTTP/1.1 400 ")
    assert [each.location for each in exchanges] == ["/", "/2"]
    assert any(note.startswith("requests that are not HTTP/1") for note in rec.result.notes)


async def test_a_request_that_two_servers_would_read_differently_is_not_the_tees(
    recording: Any, service: Any, ask: Any
) -> None:
    app = await service(OK)
    rec = await recording(app_port=app.port)
    sent = (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")  # fmt: skip
    got = await ask(rec.port("inbound"), sent)
    assert b"/smuggled" not in b"".join(app.received)
    assert got == OK  # mitmproxy reads it by its chunks (RFC 9112 §6.3) and goes no further on that connection
    (exchange,) = await rec.finish()
    assert (exchange.location, exchange.request.body.size) == ("/", 0)


async def test_a_response_that_cannot_be_followed_passes_and_is_counted(recording: Any, service: Any, ask: Any) -> None:
    broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\nand more"
    app = await service(broken, close=True)
    rec = await recording(app_port=app.port)
    assert await ask(rec.port("inbound"), GET) == broken
    (exchange,) = await rec.finish()
    assert (exchange.response.body.data, exchange.error) == (b"hi", "a chunk's size is no number")
    assert LOST in rec.result.notes


async def test_bytes_that_nobody_asked_for_pass_and_are_counted(recording: Any, service: Any, ask: Any) -> None:
    app = await service(OPEN + b"surprise", close=True)
    rec = await recording(app_port=app.port)
    assert await ask(rec.port("inbound"), GET) == OPEN + b"surprise"
    (exchange,) = await rec.finish()
    assert exchange.response.body.data == b"hi"
    assert UNASKED in rec.result.notes


async def test_clients_that_never_finish_their_heads_do_not_stop_others(recording: Any, service: Any, ask: Any) -> None:
    app = await service(OK)
    rec = await recording(app_port=app.port)
    slow = [await asyncio.open_connection("127.0.0.1", rec.port("inbound")) for _ in range(100)]
    for number, (_, writer) in enumerate(slow):
        writer.write(GET[: 1 + number % (len(GET) - 1)])
    assert await ask(rec.port("inbound"), GET) == OK
    for reader, writer in slow:
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    (exchange,) = await rec.finish()
    assert exchange.status == "200"
    assert any(note.startswith(CUT_HEAD) for note in rec.result.notes)


type StartJob = Callable[..., Awaitable[tuple[Job, int]]]


@pytest.fixture
async def job(tmp_path: Path, ca_dir: Path, listen: Any) -> AsyncIterator[StartJob]:
    """Start a recording of a service that answers with a large block; gives the job and its inbound port."""
    jobs: list[Job] = []

    async def blocks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BLOCK))
            writer.write(BLOCK)
            await writer.drain()

    async def ignoring_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await blocks(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def start(**fields: Any) -> tuple[Job, int]:
        files = {"tape": tmp_path / "limits.tape", "name": "limits", "ca_dir": ca_dir}
        spec = RecordSpec.model_validate({**files, "app_port": await listen(ignoring_the_end), **fields})
        jobs.append(await Job.start("wiretape_capture.record", spec))
        ready = await jobs[-1].ready()
        return jobs[-1], int(ready.endpoints["inbound"].rpartition(":")[2])

    yield start
    for each in jobs:
        with suppress(ProcessLookupError):
            os.kill(each.pid, signal.SIGCONT)
        each.kill()


async def finished(job: Job) -> RecordResult:
    """End a job."""
    ended = await asyncio.wait_for(job.stop(), 60)
    assert isinstance(ended, Finished)
    return RecordResult.model_validate(ended.result)


class Client:
    """Asks for blocks, one after the other."""

    def __init__(self) -> None:
        self.got = 0

    async def ask(self, port: int) -> None:
        """Ask for all of them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(BLOCKS):
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BLOCK))
            self.got += 1
        writer.close()


async def test_a_recorder_that_is_too_slow_makes_traffic_wait(job: StartJob) -> None:
    running, port = await job()
    os.kill(running.pid, signal.SIGSTOP)
    client = Client()
    asking = asyncio.create_task(client.ask(port))
    before = -1
    async with asyncio.timeout(60):
        while client.got != before or not client.got:
            before = client.got
            await asyncio.sleep(1)
    assert 0 < client.got < BLOCKS
    os.kill(running.pid, signal.SIGCONT)
    await asyncio.wait_for(asking, 60)
    result = await finished(running)
    assert (result.exchanges, result.notes) == (BLOCKS, ())


async def test_a_recorder_that_is_too_slow_drops_by_choice_and_counts(job: StartJob) -> None:
    running, port = await job(overflow="drop")
    os.kill(running.pid, signal.SIGSTOP)
    client = Client()
    await asyncio.wait_for(client.ask(port), 60)
    os.kill(running.pid, signal.SIGCONT)
    result = await finished(running)
    (note,) = [note for note in result.notes if note.startswith(DROPPED)]
    dropped = int(note.rpartition("(")[2].strip("()times x")) if "(" in note else 1
    assert dropped > 0
    assert result.exchanges + dropped == client.got == BLOCKS


async def test_if_the_tee_dies_mitmproxy_goes_on(job: StartJob, ask: Any) -> None:
    running, port = await job()
    tee = tee_of(running)
    assert b" 200 " in await ask(port, GET, until=b"\r\n\r\n")
    os.kill(tee, signal.SIGKILL)
    assert b" 200 " in await ask(port, GET, until=b"\r\n\r\n")
    result = await finished(running)
    assert result.exchanges >= 1  # what was not told yet when the tee was killed is gone
    assert DIED in result.notes


async def test_the_tee_ends_with_a_recorder_that_is_killed(job: StartJob) -> None:
    running, _ = await job()
    tee = tee_of(running)
    os.kill(running.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while alive(tee):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
