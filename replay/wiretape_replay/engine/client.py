"""Sends one request with httpx and receives the answer as bytes: no redirects, cookies, added headers or decoding."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import perf_counter_ns
from urllib.parse import urlsplit

import httpcore

from wiretape_capture.snapshot.exchange import Body, Request, Response
from wiretape_replay.engine.lean_httpx import httpx
from wiretape_replay.engine.wire import RawHeaders, raw_headers, raw_target
from wiretape_replay.loopback import is_loopback
from wiretape_replay.run_file import BODY_LIMIT

type OpenBody = Callable[[], AsyncIterator[bytes]]
"""Opens a request body that is too large for memory; called again for a second attempt."""

IN_FLIGHT = 256
"""Most connections at once."""

KEEP_ALIVE_SECONDS = 1.0
"""How long an idle connection is kept: less than any common server, so that none closes it while we send."""

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again on a connection that was found closed (RFC 9110 §9.2.2)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, or why nothing did."""

    response: Response | None
    latency_ms: float | None
    """First byte sent to last byte received; the time to connect is not in it, as in the recording."""
    error: str = ""


class Client:
    """One target; HTTP/2 where the exchange was recorded with it and the target speaks it."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self._base = httpx.URL(base_url)
        self._prefix = urlsplit(base_url).path.rstrip("/")
        self._netloc = self._base.netloc.decode()
        self._timeout = timeout
        self._transports: dict[bool, httpx.AsyncHTTPTransport] = {}
        self._speaks_http2: bool | None = None

    async def send(self, request: Request, open_body: OpenBody | None = None) -> Answer:
        """Send a request; never raises for anything that the target does."""
        transport = await self._transport(request.version.startswith("HTTP/2"))
        for attempt in (1, 2):
            call = _Call(self._base, request, raw_target(self._prefix, request), raw_headers(request, self._netloc))
            answer = await self._attempt(transport, call, open_body)
            if not (call.stale and attempt == 1 and request.method in IDEMPOTENT):
                break
        return answer

    async def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()

    async def _attempt(self, transport: httpx.AsyncHTTPTransport, call: _Call, open_body: OpenBody | None) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await call.exchange(transport, open_body)
        except TimeoutError:
            return Answer(None, None, f"no complete response within {self._timeout:g} s")
        except httpx.LocalProtocolError as error:
            return Answer(None, None, f"the recorded request cannot be sent: {error}")
        except httpx.TransportError as error:
            return Answer(None, None, _told(error))

    async def _transport(self, http2: bool) -> httpx.AsyncHTTPTransport:
        http2 = http2 and (self._base.scheme == "https" or await self._prior_knowledge())
        if http2 not in self._transports:
            # An app under test has a certificate of its own on loopback; anything farther is verified.
            # Without TLS there is no ALPN to negotiate with: HTTP/2 is then spoken from the first byte.
            self._transports[http2] = httpx.AsyncHTTPTransport(
                http1=not http2 or self._base.scheme == "https", http2=http2, verify=not is_loopback(self._base.host),
                limits=httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT,
                                    keepalive_expiry=KEEP_ALIVE_SECONDS),
            )  # fmt: skip
        return self._transports[http2]

    async def _prior_knowledge(self) -> bool:
        """Whether the target answers an HTTP/2 preface without TLS (RFC 9113 §3.3)."""
        if self._speaks_http2 is None:
            self._speaks_http2 = await _answers_preface(self._base.host, self._base.port or 80)
        return self._speaks_http2


class _Call:
    """One attempt, with what httpcore tells about it."""

    def __init__(self, base: httpx.URL, request: Request, target: bytes, headers: RawHeaders) -> None:
        self._request = request
        self._head = (base, target, headers)
        self._began = perf_counter_ns()
        self._connected = False
        self._answered = False
        self._disconnected = False

    @property
    def stale(self) -> bool:
        """Whether a kept connection turned out to be closed, which says nothing about the app."""
        return self._disconnected and not self._connected and not self._answered

    async def exchange(self, transport: httpx.AsyncHTTPTransport, open_body: OpenBody | None) -> Answer:
        try:
            reply = await transport.handle_async_request(self._built(open_body))
            self._answered = True
            try:
                return await self._read(reply)
            finally:
                await reply.aclose()
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            self._disconnected = True
            raise

    def _built(self, open_body: OpenBody | None) -> httpx.Request:
        base, target, headers = self._head
        stream = httpx.ByteStream(self._request.body.data or b"") if open_body is None else _Streamed(open_body)
        built = httpx.Request(self._request.method, base, headers=headers, stream=stream,
                              extensions={"target": target, "trace": self._trace})  # fmt: skip
        built.method = self._request.method  # httpx upper-cases what the app may have been sent in lower case
        return built

    async def _trace(self, event: str, _: object) -> None:
        if event.endswith(".send_request_headers.started"):
            self._began = perf_counter_ns()
        elif event == "connection.connect_tcp.started":
            self._connected = True

    async def _read(self, reply: httpx.Response) -> Answer:
        body = await _received(reply)
        latency = (perf_counter_ns() - self._began) / 1e6
        extensions = reply.extensions
        return Answer(
            Response(
                status=reply.status_code, body=body, reason=extensions.get("reason_phrase", b"").decode("latin-1"),
                version=extensions.get("http_version", b"HTTP/1.1").decode("latin-1"),
                headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.headers.raw),
            ),
            latency,
        )  # fmt: skip


class _Streamed(httpx.AsyncByteStream):
    def __init__(self, open_body: OpenBody) -> None:
        self._open = open_body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._open():
            yield chunk


async def _received(reply: httpx.Response) -> Body:
    """The body by its hash; its bytes only while it is not larger than a run file keeps."""
    digest, size, kept = hashlib.sha256(), 0, bytearray()
    async for chunk in reply.aiter_raw():
        digest.update(chunk)
        size += len(chunk)
        if size <= BODY_LIMIT:
            kept += chunk
        else:
            kept.clear()
    return Body(size=size, sha256=digest.hexdigest(), data=bytes(kept) if size <= BODY_LIMIT else None)


async def _answers_preface(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4" + b"\0" * 5)
                frame = await reader.readexactly(9)
            finally:
                writer.close()
    except (OSError, EOFError):
        return False
    return frame[3] == 4  # SETTINGS must be the server's first frame (RFC 9113 §3.4)


def _told(error: httpx.TransportError) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, httpcore.ConnectError) else None
    if cause is not None or isinstance(error, httpx.ConnectError):
        return f"the target did not accept a connection: {error}"
    text = str(error).rstrip(".")
    said = f"{text[:1].lower()}{text[1:]}" if text else type(error).__name__
    return f"the connection ended before the response was complete: {said}"
