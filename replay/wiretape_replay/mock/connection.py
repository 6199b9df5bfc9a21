"""One client's connection: what its bytes are (HTTP, CONNECT, SOCKS5, TLS), answers in order, bounds on time and size.

It decides nothing about what is answered: requests go to the desk, allowed hosts to a relay.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from wiretape_capture.errors import WiretapeError
from wiretape_replay.mock import refusal, socks
from wiretape_replay.mock.allow import AllowList, split_authority
from wiretape_replay.mock.answer import Answer
from wiretape_replay.mock.desk import Desk, Reply
from wiretape_replay.mock.incoming import BadRequest, Head, Incoming, RequestReader
from wiretape_replay.mock.journal import Entry
from wiretape_replay.mock.origin import PROXY, Origin, aim
from wiretape_replay.mock.relay import Relay, forwarded_head, is_chunked
from wiretape_replay.mock.tls import Certificates, TlsLayer

TLS_HANDSHAKE = 0x16
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
BACKLOG_LIMIT = 256
"""Pipelined requests waiting for an answer; beyond it the connection is not read."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long a client may take."""

    head: float = 20.0
    """From the first byte of a request's head to its last."""
    body: float = 60.0
    """Between two pieces of a body."""
    hang: float = 300.0
    """How long a recorded time-out holds the connection, at most."""


@dataclass(slots=True)
class House:
    """What all connections of one mock share."""

    desk: Desk
    certificates: Certificates
    allow: AllowList
    body_chunks: Callable[[str], AsyncIterator[bytes]]
    seconds: Seconds
    connections: set[Connection]
    on_notice: Callable[[str], None]


class Connection(asyncio.Protocol):
    """The server side of one client's connection."""

    def __init__(self, house: House, origin: Origin = PROXY) -> None:
        self._house = house
        self._origin = origin
        self._stage: Callable[[bytes], None] = self._first_bytes
        self._reader = self._new_reader()
        self._tls: TlsLayer | None = None
        self._relay: Relay | None = None
        self._relay_framed = False
        self._out: list[bytes] = []
        self._backlog: deque[Incoming] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._held = b""
        self._closing = False
        self.deadline = 0.0
        """Loop time at which a half-sent request is given up; 0 while none is."""

    def _new_reader(self) -> RequestReader:
        return RequestReader(self._on_head, self._on_relayed_piece, self._on_request)

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        self._transport = cast("asyncio.Transport", transport)
        self._house.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the client is gone."""
        self._closing = True
        self._house.connections.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """asyncio: the client reads too slowly."""
        self._writable.clear()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio: the client caught up."""
        self._writable.set()
        self._read_on()

    def eof_received(self) -> bool:
        """asyncio: the client sends no more; answers under way are still sent."""
        if self._relay is not None:
            self._relay.end()
            return True
        return self._task is not None

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes from the client."""
        if self._closing:
            return
        try:
            self._stage(data)
        except BadRequest as error:
            self._give_up(error)
        except ssl.SSLError as error:
            self._tls_failed(error)
        self._flush()
        self._set_deadline()

    def expire(self, now: float) -> None:
        """End the connection if its deadline is past."""
        if self.deadline and now > self.deadline:
            self._give_up(BadRequest(408, "the request did not arrive in time"))
            self._flush()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _set_deadline(self) -> None:
        within = self._reader.within
        if within == "head" or self._held:
            self.deadline = self.deadline or self._now() + self._house.seconds.head
        elif within == "body" and self._relay is None:
            self.deadline = self._now() + self._house.seconds.body
        else:
            self.deadline = 0.0

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # what the bytes are

    def _first_bytes(self, data: bytes) -> None:
        if data[0] == TLS_HANDSHAKE:
            where = f"map '{self._origin.name}'" if self._origin.name else "the proxy port"
            self._house.on_notice(f"a client spoke TLS to {where}, which expects plain HTTP; use its http:// URL")
            raise BadRequest(400, f"this port expects plain HTTP, not TLS: use the http:// URL of {where}")
        self._stage = self._socks_greeting if data[0] == socks.VERSION and self._origin is PROXY else self._http
        self._stage(data)

    def _http(self, data: bytes) -> None:
        rest = self._reader.feed(data)
        if rest:
            self._stage(rest)

    def _tunnel_first(self, data: bytes) -> None:
        if data[0] != TLS_HANDSHAKE:
            self._stage = self._http
            self._http(data)
            return
        self._origin = Origin("https", self._origin.authority)
        host, _ = split_authority(self._origin.authority, 443)
        try:
            self._tls = TlsLayer(self._house.certificates.context(host))
        except ValueError:
            raise BadRequest(400, f"'{host[:100]}' is no host name") from None
        self._stage = self._tls_records
        self._tls_records(data)

    def _tls_records(self, data: bytes) -> None:
        assert self._tls is not None
        try:
            plain = self._tls.feed(data)
        finally:
            self._write_raw(self._tls.pending())
        if plain:
            self._http(plain)
        if self._tls.closed and self._task is None:
            self._flush()
            self._close()

    def _socks_greeting(self, data: bytes) -> None:
        self._socks_step(data, socks.greet, self._socks_request)

    def _socks_request(self, data: bytes) -> None:
        self._socks_step(data, socks.connect, self._tunnel_first)

    def _socks_step(self, data: bytes, read: Callable[[bytes], socks.Step | None],
                    then: Callable[[bytes], None]) -> None:  # fmt: skip
        self._held += data
        step = read(self._held)
        if step is None:
            return
        rest, self._held = self._held[step.used :], b""
        self._stage = then
        if step.authority and step.authority in self._house.allow:
            self._open_tunnel(step.authority, step.reply)
        else:
            self._write_raw(step.reply)
            self._origin = Origin("http", step.authority) if step.authority else self._origin
        if step.refused:
            self._close()
        elif rest:
            self._stage(rest)

    def _relayed(self, data: bytes) -> None:
        assert self._relay is not None
        self._relay.put(data)
        if self._relay.full:
            self._transport.pause_reading()

    # requests

    def _on_head(self, head: Head) -> bool:
        """Whether the request goes to an allowed host; its body is then not kept."""
        if head.method == "CONNECT":
            return False
        origin, target = aim(self._origin, head.target, head.headers)
        if self._tls is None and self._house.allow.entries and origin.authority in self._house.allow:
            self._forward(head, origin, target)
            return True
        if any(name.lower() == "expect" and value.lower() == "100-continue" for name, value in head.headers):
            self._out.append(CONTINUE)
        return False

    def _on_relayed_piece(self, data: bytes) -> None:
        assert self._relay is not None
        self._relayed(b"%x\r\n%b\r\n" % (len(data), data) if self._relay_framed else data)

    def _on_request(self, incoming: Incoming | None) -> None:
        if incoming is None:
            if self._relay_framed:
                self._relayed(b"0\r\n\r\n")
            self._stage = self._ignored
        elif incoming.head.method == "CONNECT":
            self._connect(incoming.head)
        elif self._task is not None or self._closing:
            self._backlog.append(incoming)
            if len(self._backlog) > BACKLOG_LIMIT:
                self._transport.pause_reading()
        else:
            self._answer(incoming)

    def _ignored(self, data: bytes) -> None:
        """A relayed request is the last of its connection."""

    def _connect(self, head: Head) -> None:
        authority = head.target
        if not authority.rpartition(":")[2].isdecimal():
            raise BadRequest(400, f"CONNECT wants host:port, not '{authority[:100]}'")
        if authority in self._house.allow:
            self._open_tunnel(authority, ESTABLISHED)
            return
        self._write_raw(ESTABLISHED)
        self._origin = Origin("http", authority)
        self._reader = self._new_reader()
        self._stage = self._tunnel_first

    def _answer(self, incoming: Incoming) -> None:
        reply = self._house.desk.reply(incoming, self._origin)
        if reply.answer is not None or reply.delay:
            self._flush()
            self._start(self._answer_slowly(reply))
            return
        self._out.append(reply.data)
        if reply.closes:
            self._flush()
            self._close()

    async def _answer_slowly(self, reply: Reply) -> None:
        if reply.delay:
            await asyncio.sleep(reply.delay)
        self._write(reply.data)
        answer = reply.answer
        if answer is not None and answer.stream:
            await self._stream(answer)
        if answer is not None and answer.fault:
            await self._fail_as(answer)
        elif reply.closes:
            self._close()

    async def _stream(self, answer: Answer) -> None:
        async for piece in self._house.body_chunks(answer.stream):
            await self._send(piece)
        self._write(answer.tail)

    async def _fail_as(self, answer: Answer) -> None:
        """End the connection as the recorded peer did."""
        if answer.fault == "hang":
            await asyncio.sleep(min(self._house.seconds.hang, max(1.0, answer.duration_us / 1e6)))
        if answer.fault == "reset":
            sock = self._transport.get_extra_info("socket")
            # Closing with a zero linger time sends RST (SO_LINGER in socket(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            problem = error.problem if isinstance(error, WiretapeError) else f"{type(error).__name__}: {error}"
            self._house.on_notice(f"an answer could not be sent whole: {problem}")
            self.abort()
        while self._backlog and self._task is None and not self._closing:
            self._answer(self._backlog.popleft())
        self._flush()
        if not self._closing and self._task is None:
            self._read_on()

    # allowed hosts

    def _open_tunnel(self, authority: str, greeting: bytes) -> None:
        self._stage = self._relayed
        self._begin_relay(Origin("", authority), "CONNECT", authority, tls=False, greeting=greeting)

    def _forward(self, head: Head, origin: Origin, target: str) -> None:
        self._relay_framed = is_chunked(head.headers)
        relay = self._begin_relay(origin, head.method, target, tls=origin.scheme == "https")
        relay.put(forwarded_head(head, target, origin.authority))

    def _begin_relay(self, origin: Origin, command: str, location: str, *, tls: bool, greeting: bytes = b"") -> Relay:
        self._flush()
        self._relay = relay = Relay(self._send)
        entry = Entry(time.time_ns(), origin.name or origin.authority, command, location, "passthrough")

        def opened() -> None:
            if greeting:
                entry.status = "200"
                self._write_raw(greeting)

        async def carry() -> None:
            try:
                await relay.run(origin, tls=tls, on_drain=self._read_on, on_open=opened)
            except (OSError, TimeoutError) as error:
                entry.status = "502"
                problem = f"the allowed host {origin.authority} cannot be reached: {error or type(error).__name__}"
                self._write(refusal.refusal(502, problem))
            finally:
                entry.status = entry.status or _status_in(relay.first)
                self._house.desk.journal.record(entry)
            self._close()

        self._start(carry())
        return relay

    # writing

    async def _send(self, data: bytes) -> None:
        self._write(data)
        await self._writable.wait()

    def _write(self, data: bytes) -> None:
        if data and not self._closing:
            self._transport.write(self._tls.seal(data) if self._tls is not None else data)

    def _write_raw(self, data: bytes) -> None:
        if data and not self._closing:
            self._transport.write(data)

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._write(data)

    def _read_on(self) -> None:
        if not self._closing and self._writable.is_set() and not (self._relay is not None and self._relay.full):
            self._transport.resume_reading()

    def _give_up(self, error: BadRequest) -> None:
        self._out.append(refusal.refusal(error.status, error.problem))
        self._flush()
        self._close()

    def _tls_failed(self, error: ssl.SSLError) -> None:
        if self._tls is not None and not self._tls.established:
            self._house.on_notice(
                f"a client refused TLS for {self._origin.authority}: {error.reason or error}; "
                "it must trust the workspace's certificate authority"
            )
        self.abort()

    def _close(self) -> None:
        if self._closing:
            return
        if self._tls is not None and self._tls.established:
            self._write_raw(self._tls.close())
        self._closing = True
        self._transport.close()


def _status_in(first: bytes) -> str:
    """The status code of a response that begins with these bytes."""
    words = first.split(b" ", 2)
    return words[1].decode("latin-1")[:3] if first.startswith(b"HTTP/") and len(words) > 1 else ""
