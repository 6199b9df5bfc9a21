"""The replay client: what goes over the wire is what was recorded; what comes back is kept as it came."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Headers, Request
from wiretape_replay.engine.client import Client
from wiretape_replay.engine.wire import raw_headers, raw_target

OK = b"HTTP/1.1 200 Fine By Me\r\nX-Odd: \xff\r\nx-odd: 2\r\nContent-Length: 2\r\n\r\nhi"


class RawServer:
    """Answers each connection's requests with scripted bytes and keeps what it was sent."""

    def __init__(self, *answers: bytes) -> None:
        self.received: list[bytes] = []
        self.connections = 0
        self._answers = list(answers)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self._answers:
                self.received.append(await _message(reader))
                answer = self._answers.pop(0)
                writer.write(answer.removesuffix(b"CLOSE"))
                await writer.drain()
                if answer.endswith(b"CLOSE"):
                    break
        except EOFError:
            pass
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    if b"transfer-encoding: chunked" in lines:
        return head + await reader.readuntil(b"0\r\n\r\n")
    return head + await reader.readexactly(length)


@asynccontextmanager
async def serving(server: RawServer, limit: float = 5.0, path: str = "") -> AsyncIterator[Client]:
    listener = await asyncio.start_server(server, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}{path}", limit)
    try:
        yield client
    finally:
        await client.close()
        listener.close()


def ask(method: str = "GET", target: str = "/", headers: Headers = (), body: bytes = b"") -> Request:
    return Request(method=method, target=target, headers=(("Host", "shop.test"), *headers), body=body_of(body))


async def test_a_request_goes_out_as_it_was_recorded() -> None:
    server = RawServer(OK)
    request = ask("PoST", "/a%2Fb?x=%7B&&y=1;2", (("X-B", "1"), ("x-a", "\xe9"), ("X-B", "2")), b"\0body")
    async with serving(server) as client:
        answer = await client.send(request.model_copy(update={"headers": (*request.headers, ("content-LENGTH", "5"))}))
    assert server.received == [
        b"PoST /a%2Fb?x=%7B&&y=1;2 HTTP/1.1\r\nHost: shop.test\r\nX-B: 1\r\nx-a: \xe9\r\nX-B: 2\r\n"
        b"content-LENGTH: 5\r\n\r\n\0body"
    ]
    assert answer.response is not None
    assert answer.response.reason == "Fine By Me"
    assert answer.response.headers == (("X-Odd", "\xff"), ("x-odd", "2"), ("Content-Length", "2"))
    assert answer.response.body == body_of(b"hi")


async def test_a_chunked_request_stays_chunked() -> None:
    server = RawServer(OK)
    async with serving(server) as client:
        await client.send(ask("POST", "/", (("Transfer-Encoding", "chunked"),), b"abc"))
    assert server.received == [
        b"POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    ]


@pytest.mark.parametrize(("head", "body"), [
    (b"Content-Encoding: gzip\r\nContent-Length: 4", b"\x1f\x8bno"),
    (b"Set-Cookie: a=1\r\nLocation: /else\r\nContent-Length: 0", b""),
])  # fmt: skip
async def test_nothing_is_decoded_followed_or_remembered(head: bytes, body: bytes) -> None:
    server = RawServer(b"HTTP/1.1 302 Found\r\n" + head + b"\r\n\r\n" + body, OK)
    async with serving(server) as client:
        answer = await client.send(ask())
        await client.send(ask())
    assert answer.response is not None
    assert (answer.response.status, answer.response.body) == (302, body_of(body))
    assert server.received[1] == b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"


async def test_a_large_body_streams_both_ways_and_is_kept_as_its_hash() -> None:
    size, piece = 20 << 20, b"x" * 65536
    whole = hashlib.sha256(piece * (size // len(piece))).hexdigest()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size // len(piece)):
            yield piece

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sent = hashlib.sha256()
        for _ in range(size // len(piece)):
            sent.update(await reader.readexactly(len(piece)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            writer.write(piece if sent.hexdigest() == whole else b"?" * len(piece))
            await writer.drain()
        writer.close()

    listener = await asyncio.start_server(echo, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", 30)
    request = ask("PUT").model_copy(update={"body": Body(size=size, sha256=whole, data=None)})
    answer = await client.send(request, chunks)
    await client.close()
    listener.close()
    assert answer.response is not None
    assert answer.response.body == Body(size=size, sha256=whole, data=None)


async def test_a_kept_connection_found_closed_is_not_the_apps_fault() -> None:
    server = RawServer(OK, b"CLOSE", OK)
    async with serving(server) as client:
        await client.send(ask())
        answer = await client.send(ask())
    assert answer.response is not None
    assert server.connections == 2


async def test_a_post_is_never_sent_twice() -> None:
    server = RawServer(OK, b"CLOSE", OK)
    async with serving(server) as client:
        await client.send(ask())
        answer = await client.send(ask("POST", "/", (("Content-Length", "1"),), b"1"))
    assert answer.response is None
    assert "without sending a response" in answer.error
    assert len(server.received) == 2


@pytest.mark.parametrize(("answer", "said"), [
    (b"CLOSE", "server disconnected without sending a response"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhiCLOSE", "peer closed connection without sending complete"),
    (b"what?\r\n\r\nCLOSE", "illegal status line"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "no complete response within 0.3 s"),
])  # fmt: skip
async def test_a_response_that_never_completes_is_an_error_that_says_why(answer: bytes, said: str) -> None:
    async with serving(RawServer(answer, OK), 0.3) as client:
        got = await client.send(ask("POST"))
    assert got.response is None
    assert said in got.error


async def test_a_refused_connection_is_told_as_such(free_port: Callable[[], int]) -> None:
    client = Client(f"http://127.0.0.1:{free_port()}", 2)
    answer = await client.send(ask())
    await client.close()
    assert "did not accept a connection" in answer.error


async def test_a_path_in_the_base_url_comes_before_the_target() -> None:
    server = RawServer(OK)
    async with serving(server, path="/v2/") as client:
        await client.send(ask("GET", "/orders?x=1"))
    assert server.received[0].startswith(b"GET /v2/orders?x=1 HTTP/1.1\r\n")


def test_http2_pseudo_headers_and_missing_framing_become_http1() -> None:
    request = Request(method="POST", target="/", version="HTTP/2.0",
                      headers=((":authority", "shop.test"), ("accept", "*/*")), body=body_of(b"abc"))  # fmt: skip
    assert raw_headers(request, "127.0.0.1:80") == [
        (b"Host", b"shop.test"), (b"accept", b"*/*"), (b"Content-Length", b"3"),
    ]  # fmt: skip
    assert raw_headers(Request(method="GET", target="/"), "127.0.0.1:80") == [(b"Host", b"127.0.0.1:80")]


@given(st.text(st.characters(codec="latin-1")))
def test_any_recorded_target_becomes_one_that_may_be_sent(text: str) -> None:
    target = raw_target("", Request(method="GET", target=f"/{text}"))
    assert target.startswith(b"/")
    assert all(0x21 <= byte <= 0x7E for byte in target)


def test_a_target_that_may_be_sent_is_not_touched() -> None:
    assert raw_target("", Request(method="GET", target="/a%2f?b=|&c={}")) == b"/a%2f?b=|&c={}"


class Http2Server:
    """Speaks HTTP/2 from the first byte and answers every request with its own headers."""

    def __init__(self) -> None:
        self.received: list[list[tuple[bytes, bytes]]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.received.append(list(event.headers))
                elif isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, [(":status", "201"), ("x-made", "yes")])
                    connection.send_data(event.stream_id, b"made", end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()


@asynccontextmanager
async def reaching(server: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[Client]:
    listener = await asyncio.start_server(server, "127.0.0.1", 0)  # type: ignore[arg-type]
    client = Client(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", 5)
    try:
        yield client
    finally:
        await client.close()
        listener.close()


HTTP2 = Request(method="POST", target="/a?b", version="HTTP/2.0", body=body_of(b"abc"),
                headers=(("x-b", "1"), ("host", "shop.test"), ("x-a", "2")))  # fmt: skip


async def test_http2_is_spoken_where_it_was_recorded_and_is_understood() -> None:
    server = Http2Server()
    async with reaching(server) as client:
        answer = await client.send(HTTP2)
    assert answer.response is not None
    assert (answer.response.status, answer.response.version) == (201, "HTTP/2")
    assert (answer.response.headers, answer.response.body) == ((("x-made", "yes"),), body_of(b"made"))
    (headers,) = server.received
    assert headers == [
        (b":method", b"POST"), (b":authority", b"shop.test"), (b":scheme", b"http"), (b":path", b"/a?b"),
        (b"x-b", b"1"), (b"x-a", b"2"), (b"content-length", b"3"),
    ]  # fmt: skip


async def test_http2_falls_back_to_http1_where_the_target_speaks_no_other() -> None:
    received: list[bytes] = []

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK if received[-1].startswith(b"POST") else b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with reaching(old) as client:
        answer = await client.send(HTTP2)
    assert answer.response is not None
    assert answer.response.body == body_of(b"hi")
    assert received[-1] == b"POST /a?b HTTP/1.1\r\nhost: shop.test\r\nx-b: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n"
