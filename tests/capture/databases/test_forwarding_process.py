"""The process that forwards databases: what of it ends, stalls or falls behind, and what the tape has of it then."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from database_kit import exchanges, recording

from wiretape_capture.databases.process import DIED

READY = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"
STARTUP = (27).to_bytes(4) + (196608).to_bytes(4) + b"user\0u\0database\0x\0\0"
QUERY = b"Q\0\0\0\x0dselect 1\0"
ANSWER = b"C\0\0\0\x0dSELECT 1\0" + b"Z\0\0\0\x05I"


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A URL; logins are accepted and each query is answered by a command tag (not a database: only its protocol)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(STARTUP))
        writer.write(READY)
        while data := await reader.read(1 << 16):
            writer.write(ANSWER * data.count(QUERY))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1")
    yield f"postgres://u@127.0.0.1:{listening.sockets[0].getsockname()[1]}/x?sslmode=disable"
    listening.close()
    await listening.wait_closed()


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(STARTUP)
    await asyncio.wait_for(reader.readexactly(len(READY)), 20)
    return reader, writer


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(QUERY)
    await asyncio.wait_for(reader.readexactly(len(ANSWER)), 20)


def forwarding() -> int:
    """The process's id."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    (found,) = (
        int(each) for each in children if b"wiretape_capture.databases" in Path(f"/proc/{each}/cmdline").read_bytes()
    )
    return found


async def test_a_process_that_dies_is_started_again(server: str, tmp_path: Path) -> None:
    async with recording(tmp_path, server) as job:
        reader, writer = await connect(job.port)
        await ask(reader, writer)
        await asyncio.sleep(1.1)  # what it saw is told, and it has lived long enough
        os.kill(forwarding(), signal.SIGKILL)
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        reader, writer = await connect(job.port)
        await ask(reader, writer)
        writer.close()
    assert job.result is not None
    assert job.result.notes == (DIED,)
    assert [each.command for each in await exchanges(tmp_path / "tape.tape")] == ["CONNECT", "SELECT"] * 2


async def test_ten_thousand_statements_of_many_connections_are_in_their_order(server: str, tmp_path: Path) -> None:
    async with recording(tmp_path, server) as job:

        async def client() -> None:
            reader, writer = await connect(job.port)
            for _ in range(10):
                writer.write(QUERY * 50)
                await asyncio.wait_for(reader.readexactly(len(ANSWER) * 50), 60)
            writer.close()

        await asyncio.gather(*(client() for _ in range(20)))
    tape = await exchanges(tmp_path / "tape.tape")
    assert len(tape) == 20 + 10_000
    assert [each.started_ns for each in tape if each.command == "SELECT"] == sorted(
        each.started_ns for each in tape if each.command == "SELECT"
    )
    assert {each.status for each in tape} == {"00000"}


async def test_a_stopped_process_holds_the_app_and_loses_nothing(server: str, tmp_path: Path) -> None:
    async with recording(tmp_path, server) as job:
        reader, writer = await connect(job.port)
        process = forwarding()
        os.kill(process, signal.SIGSTOP)
        asking = asyncio.create_task(ask(reader, writer))
        await asyncio.sleep(0.2)
        assert not asking.done()
        os.kill(process, signal.SIGCONT)
        await asking
        writer.close()
    assert [each.command for each in await exchanges(tmp_path / "tape.tape")] == ["CONNECT", "SELECT"]


async def test_ten_thousand_connections_that_break_off_leave_nothing(server: str, tmp_path: Path) -> None:
    async with recording(tmp_path, server) as job:
        reader, writer = await connect(job.port)
        held = resident(process := forwarding())

        def come_and_go() -> None:
            for number in range(5_000):
                with socket.create_connection(("127.0.0.1", job.port)) as one:
                    one.sendall(STARTUP[: number % len(STARTUP)])
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST: socket(7)

        await asyncio.gather(*(asyncio.to_thread(come_and_go) for _ in range(2)))
        await ask(reader, writer)
        writer.close()
        assert resident(process) - held < 30_000_000
        assert open_files(process) < 60
    assert next(each.command for each in await exchanges(tmp_path / "tape.tape")) == "CONNECT"


def resident(process: int) -> int:
    """Bytes of memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files(process: int) -> int:
    """How many it has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
