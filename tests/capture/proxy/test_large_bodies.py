"""200 MB in both directions at once: passed on as they come, whole on the tape, memory flat."""

from __future__ import annotations

import asyncio
from pathlib import Path

from wiretape_capture.jobs.events import Finished, Ready
from wiretape_capture.jobs.parent import Job
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_capture.snapshot.tape_reader import TapeReader

BLOCK = bytes(range(256)) * 4096
BLOCKS = 200
SIZE = BLOCKS * len(BLOCK)
GROWTH_KB = 48 * 1024


async def sink_and_source(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a large request with a large response while it is still coming."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % SIZE)
    await asyncio.gather(send_blocks(writer), drop(reader, SIZE))
    writer.close()


async def send_blocks(writer: asyncio.StreamWriter) -> None:
    """Send the large body, never more at once than the peer takes."""
    for _ in range(BLOCKS):
        writer.write(BLOCK)
        await writer.drain()


async def drop(reader: asyncio.StreamReader, size: int) -> None:
    """Read that many bytes."""
    while size > 0:
        data = await reader.read(1 << 20)
        assert data
        size -= len(data)


def peak_kb(pid: int) -> int:
    """Peak resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


async def test_large_bodies_pass_with_flat_memory(tmp_path: Path, ca_dir: Path) -> None:
    server = await asyncio.start_server(sink_and_source, "127.0.0.1", 0)
    spec = RecordSpec(tape=tmp_path / "big.tape", name="big", ca_dir=ca_dir,
                      app_port=server.sockets[0].getsockname()[1])  # fmt: skip
    job = await Job.start("wiretape_capture.record", spec)
    try:
        async with asyncio.timeout(60):
            ready = await job.ready()
            before = peak_kb(job.pid)
            port = int(ready.endpoints["inbound"].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % SIZE)
            sending = asyncio.create_task(send_blocks(writer))
            await reader.readuntil(b"\r\n\r\n")
            await drop(reader, SIZE)
            await sending
            writer.close()
            after = peak_kb(job.pid)
            result = await job.stop()
    finally:
        job.kill()
        server.close()
    assert isinstance(ready, Ready)
    assert isinstance(result, Finished)
    assert after - before < GROWTH_KB
    async with await TapeReader.open(spec.tape) as tape:
        (exchange,) = await tape.exchanges()
    assert exchange.error == ""
    assert exchange.response is not None
    assert (exchange.request.body.size, exchange.response.body.size) == (SIZE, SIZE)
    assert exchange.request.body.complete
    assert exchange.response.body.complete
