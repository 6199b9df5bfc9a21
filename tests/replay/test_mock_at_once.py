"""Requests that came before and come alone are answered at once, in plain text and inside of TLS.

With real clients that keep their connections, come back, end one side only or do not read.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from mock_kit import Served, answer, call, serving

API = "api.example.com"
ASK = f"GET /a HTTP/1.1\r\nHost: {API}\r\n\r\n".encode()
BYE = f"GET /a HTTP/1.1\r\nHost: {API}\r\nConnection: close\r\n\r\n".encode()
LARGE = b"large" * 20_000
ROUNDS = 5
SECURE: dict[str, Any] = {"service": f"{API}:443", "scheme": "https"}


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[Served]:
    recorded = [
        call(1, "GET", "/a", answer(200, b"yes", ()), **SECURE),
        call(2, "POST", "/cart", answer(201, {"added": 1}), body={"line": 1}, **SECURE),
        call(3, "GET", "/cart", answer(200, {"lines": 1}), **SECURE),
        call(4, "POST", "/cart", answer(201, {"added": 2}), body={"line": 2}, **SECURE),
        call(5, "GET", "/cart", answer(200, {"lines": 2}), **SECURE),
        call(6, "GET", "/same", answer(200, {"lines": 1}), **SECURE),
        call(7, "GET", "/large", answer(200, LARGE, ()), **SECURE),
        call(8, "GET", "/large/too", answer(200, LARGE, (("Transfer-Encoding", "chunked"),)), **SECURE),
    ]
    async with serving(tmp_path, recorded, at_end="cycle") as served:
        yield served


def authority(folder: Path) -> str:
    return str(folder / "ca" / "wiretape-ca.crt")


TALK: list[tuple[str, str, Any]] = [
    ("GET", "/a", None), ("POST", "/cart", {"line": 1}), ("GET", "/cart", None), ("POST", "/cart", {"line": 2}),
    ("GET", "/cart", None), ("GET", "/same", None), ("GET", "/large", None), ("GET", "/large/too", None),
]  # fmt: skip
SAID = [b"yes", b'{"added":1}', b'{"lines":1}', b'{"added":2}', b'{"lines":2}', b'{"lines":1}', LARGE, LARGE]


async def as_recorded(mock: Served, said: list[bytes]) -> None:
    assert said == SAID * ROUNDS
    result = await mock.end()
    assert (result.tally.exact, result.tally.total, result.refused) == (8 * ROUNDS, 8 * ROUNDS, 0)
    assert [each.sequence for each in mock.answers()] == list(range(1, 9)) * ROUNDS


async def test_httpx_on_one_connection(mock: Served, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=authority(tmp_path))
    async with httpx.AsyncClient(proxy=mock.proxy, verify=context, trust_env=False, base_url=f"https://{API}") as http:
        said = [(await http.request(method, path, json=sent)).content for method, path, sent in TALK * ROUNDS]
    await as_recorded(mock, said)


async def test_requests_on_one_connection(mock: Served, tmp_path: Path) -> None:
    def talk() -> list[bytes]:
        with requests.Session() as http:
            http.trust_env = False
            http.verify, http.proxies = authority(tmp_path), {"https": mock.proxy}
            return [http.request(method, f"https://{API}{path}", json=sent, timeout=30).content
                    for method, path, sent in TALK * ROUNDS]  # fmt: skip

    await as_recorded(mock, await asyncio.to_thread(talk))


async def test_curl_on_one_connection(mock: Served, tmp_path: Path) -> None:
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--max-time", "30", "--proxy", mock.proxy, "--cacert", authority(tmp_path),
        "--write-out", "%{num_connects}\n", *[f"https://{API}/a"] * 20, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await curl.communicate()
    # The first line counts the tunnel's connection, too; all others came over the same one.
    assert re.findall(rb"yes(\d)", out)[1:] == [b"0"] * 19


async def test_openssl_resumes_its_session(mock: Served, tmp_path: Path) -> None:
    async def session(*more: str) -> bytes:
        command = ["openssl", "s_client", "-proxy", f"127.0.0.1:{mock.port}", "-connect", f"{API}:443",
                   "-servername", API, "-CAfile", authority(tmp_path), "-verify_return_error", *more]  # fmt: skip
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
        assert process.stdin is not None
        assert process.stdout is not None
        out = b""
        async with asyncio.timeout(30):
            for _ in range(ROUNDS):
                process.stdin.write(ASK)
                out += await process.stdout.readuntil(b"yes")
            process.stdin.write(BYE)
            out += await process.stdout.read()
        await process.wait()
        return out

    kept = str(tmp_path / "session")
    first, second = await session("-sess_out", kept), await session("-sess_in", kept)
    assert (b"\nNew, TLSv1.3" in first, b"\nReused, TLSv1.3" in second) == (True, True)
    assert first.count(b"yes") == second.count(b"yes") == ROUNDS + 1


async def test_a_client_that_ends_its_side_gets_its_answer(mock: Served, tmp_path: Path) -> None:
    """Its last request was known before, and the end came with it."""
    reader, writer = await _opened(mock, tmp_path, secure=False)
    async with asyncio.timeout(30):
        for _ in range(3):
            writer.write(ASK)
            await reader.readuntil(b"yes")
        writer.write(ASK)
        writer.write_eof()
        assert (await reader.read()).endswith(b"yes")
    writer.close()
    result = await mock.end()
    assert (result.tally.exact, result.refused) == (4, 0)


async def test_a_client_that_ends_its_side_of_tls_gets_its_answer(mock: Served, tmp_path: Path) -> None:
    """Its close_notify came in one piece with a request that was known before."""
    reader, writer = await _opened(mock, tmp_path, secure=False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=authority(tmp_path))
    session = context.wrap_bio(incoming, outgoing, server_hostname=API)

    async def until[T](step: Callable[[], T]) -> T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(1 << 16))
                continue
            writer.write(outgoing.read())
            return done

    async with asyncio.timeout(30):
        await until(session.do_handshake)
        for _ in range(3):
            session.write(ASK)
            assert (await until(session.read)).endswith(b"yes")
        session.write(ASK)
        with pytest.raises(ssl.SSLWantReadError):
            session.unwrap()
        writer.write(outgoing.read())
        incoming.write(await reader.read())
    assert session.read().endswith(b"yes")
    with pytest.raises(ssl.SSLZeroReturnError):
        session.read()
    writer.close()
    result = await mock.end()
    assert (result.tally.exact, result.refused) == (4, 0)


@pytest.mark.parametrize("secure", [False, True])
async def test_a_client_that_does_not_read_is_not_read(mock: Served, tmp_path: Path, secure: bool) -> None:
    """Answers are ten times as large as requests; they must not pile up in the mock, nor get lost."""
    asked = ASK.replace(b"/a ", b"/large ").replace(b"Host", b"X: " + b"x" * 10_000 + b"\r\nHost")
    reader, writer = await _opened(mock, tmp_path, secure)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    writer.transport.set_write_buffer_limits(0)
    sent = 0
    async with asyncio.timeout(60):
        for _ in range(3):
            writer.write(asked)
            await reader.readuntil(LARGE)
        # asyncio reads ahead up to its limit and then leaves the rest to the socket.
        with suppress(TimeoutError):
            while sent < 10_000:
                writer.write(asked)
                sent += 1
                await asyncio.wait_for(writer.drain(), 2)
        assert 0 < sent < 10_000
        for _ in range(sent):
            await reader.readuntil(LARGE)
    writer.close()
    assert (await mock.end()).tally.exact == 3 + sent


@pytest.mark.parametrize("secure", [False, True])
async def test_known_requests_however_their_bytes_arrive(mock: Served, tmp_path: Path, secure: bool) -> None:
    reader, writer = await _opened(mock, tmp_path, secure)
    half = len(ASK) // 2
    async with asyncio.timeout(30):
        for first in (ASK, ASK, ASK, ASK[:half], ASK + ASK[:half], ASK):
            writer.write(first)
            if not first.endswith(b"\r\n\r\n"):
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.write(ASK[half:])
            await reader.readuntil(b"yes")
        writer.write(BYE)
        rest = await reader.read()
    assert rest.count(b"yes") == 2
    writer.close()
    assert (await mock.end()).tally.exact == 8


async def test_broken_records_end_their_connection_only(mock: Served, tmp_path: Path) -> None:
    reader, writer = await _opened(mock, tmp_path, secure=True)
    async with asyncio.timeout(30):
        for _ in range(4):
            writer.write(ASK)
            await reader.readuntil(b"yes")
        socket.socket.send(writer.get_extra_info("socket")._sock, b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
            await reader.readuntil(b"yes")
        writer.transport.abort()
        await mock.noticed()
        reader, writer = await _opened(mock, tmp_path, secure=True)
        writer.write(BYE)
        assert (await reader.read()).endswith(b"yes")
    assert "broke off TLS" in mock.notices[0]


async def _opened(mock: Served, folder: Path, secure: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection through the mock's tunnel."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port, limit=1 << 20)
    # What a tunnel to port 443 carries in plain text is taken for http there.
    writer.write(f"CONNECT {API}:443 HTTP/1.1\r\nHost: {API}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    if secure:
        await writer.start_tls(ssl.create_default_context(cafile=authority(folder)), server_hostname=API)
    return reader, writer
