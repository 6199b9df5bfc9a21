"""Requests that come before the app listens: they wait for it, and those that waited in vain are counted and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from wiretape_capture.proxy import early

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
POST = b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@asynccontextmanager
async def app_at(port: int) -> AsyncIterator[list[bytes]]:
    """An app that begins to listen now; gives the requests that it got."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(1 << 16)
        if data:
            got.append(data)
            writer.write(OK)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield got


async def sent(port: int, raw: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    await writer.drain()
    return reader, writer


async def test_a_request_waits_for_the_app_and_is_recorded_as_any(
    recording: Any, ask: Any, free_port: Callable[[], int]
) -> None:
    port = free_port()
    rec = await recording(app_port=port)
    assert f"nothing listens on port {port} yet; requests wait until the app does" in rec.notices
    reader, writer = await sent(rec.port("inbound"), POST)
    _, gone = await sent(rec.port("inbound"), POST.replace(b"/orders", b"/impatient"))
    gone.close()
    await gone.wait_closed()
    _, probe = await sent(rec.port("inbound"), b"")
    async with asyncio.timeout(30), app_at(port) as got:
        assert (await reader.read()).endswith(b"hi")
        assert (await ask(rec.port("inbound"), POST)).endswith(b"hi")
        assert [data.split()[1] for data in got] == [b"/orders", b"/orders"]
    for each in (writer, probe):
        each.close()
    tape = await rec.finish()
    assert [(each.location, each.status, each.error) for each in tape] == [("/orders", "200", "")] * 2
    assert rec.result.notes == (f"requests that came before the app listened on port {port} and were not recorded",)


async def test_requests_in_vain_are_told_and_not_recorded(
    recording: Any, ask: Any, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "PATIENCE", 0.2)
    port = free_port()
    rec = await recording(app_port=port)
    async with asyncio.timeout(30):
        replies = [await ask(rec.port("inbound"), POST) for _ in range(2)]
        reader, writer = await sent(rec.port("inbound"), POST)
        tape = await rec.finish()
        replies.append(await reader.read())
        writer.close()
    assert tape == []
    for reply in replies:
        assert reply.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert reply.endswith(f"the app does not listen on port {port} yet; this request was not recorded\n".encode())
    assert "and were not recorded (3 times)" in str(rec.result.notes)


async def test_an_app_that_went_away_again_is_a_failure_as_ever(
    recording: Any, ask: Any, free_port: Callable[[], int]
) -> None:
    port = free_port()
    async with app_at(port):
        rec = await recording(app_port=port)
        assert (await ask(rec.port("inbound"), POST)).endswith(b"hi")
    await ask(rec.port("inbound"), POST)
    tape = await rec.finish()
    assert [(each.status, each.error) for each in tape] == [("200", ""), ("", "connection refused")]
