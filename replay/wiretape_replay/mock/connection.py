"""What the bytes of one client's connection are: HTTP, CONNECT, SOCKS5 or TLS, within bounds on time and size.

Requests go to a conversation; nothing is decided here about what is answered.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from wiretape_capture.protocols.http import header
from wiretape_replay.mock import refusal, socks
from wiretape_replay.mock.allow import split_authority
from wiretape_replay.mock.conversation import Conversation, House
from wiretape_replay.mock.incoming import BadRequest, Head, Incoming, RequestReader
from wiretape_replay.mock.origin import PROXY, Origin, aim
from wiretape_replay.mock.question import Question
from wiretape_replay.mock.shortcut import Shortcut
from wiretape_replay.mock.tls import TlsLayer
from wiretape_replay.mock.wire import Wire

TLS_HANDSHAKE = 0x16
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LINGER_SECONDS = 2.0
"""How long a refused client may go on sending before it is cut off."""
APART = 32
"""New requests in one piece of data that are read one by one, to be remembered; the rest is read at once."""
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Connection(asyncio.Protocol):
    """The server side of one client's connection."""

    def __init__(self, house: House, open_connections: set[Connection], origin: Origin = PROXY) -> None:
        self._house = house
        self._open = open_connections
        self._origin = origin
        self._stage: Callable[[bytes], None] = self._first_bytes
        self._reader = self._new_reader()
        self._shortcut: Shortcut | None = None
        self._at_once: Callable[[bytes], bytes | None] = _nothing
        """The shortcut's way for a request that comes alone, while requests may be answered at once."""
        self._tls: TlsLayer | None = None
        """TLS that is established; the stage reads what is inside of it."""
        self._asked: list[Question] | None = None
        """What one request asks that is to be remembered."""
        self._held = b""
        self.deadline = 0.0
        """Loop time at which a half-sent request is given up; 0 while none is."""

    def _new_reader(self) -> RequestReader:
        return RequestReader(self._on_head, self._on_relayed_piece, self._on_request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        transport = cast("asyncio.Transport", transport)
        self._write = transport.write
        self._wire = Wire(transport)
        self._conversation = Conversation(self._house, self._wire)
        self._loop = asyncio.get_running_loop()
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the client is gone."""
        if not self._wire.closing and self._wire.tls is not None and not self._wire.tls.established:
            self._tell_of_tls("it hung up")
        if self._reader.within and self._stage not in (self._ignored, self._relayed):
            self._house.desk.journal.refused += 1
        self._open.discard(self)
        self._wire.lost()
        self._conversation.cancel()

    def pause_writing(self) -> None:
        """asyncio: the client reads too slowly."""
        self._wire.block()

    def resume_writing(self) -> None:
        """asyncio: the client caught up."""
        self._wire.unblock()

    def eof_received(self) -> bool:
        """asyncio: the client sends no more; answers under way are still sent."""
        if self._reader.within and self._stage == self._http and not self._conversation.busy:
            self._give_up(BadRequest(400, "the client ended its side in the middle of a request"))
        return self._conversation.client_ended()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes from the client."""
        tls = self._tls
        if tls is not None:
            try:
                data = tls.feed(data)
            except ssl.SSLError as error:
                self._end_tls(tls, error)
                return
            if not data or tls.closed:
                self._read_tls(tls, data)
                return
        answer = self._at_once(data)
        if answer:
            self._write(answer if tls is None else tls.seal(answer))
        elif answer is None:
            self._read(data)
        else:
            self._after_reading()

    def _read(self, data: bytes) -> None:
        if self._wire.closing:
            return
        try:
            self._stage(data)
        except BadRequest as error:
            self._give_up(error)
        self._after_reading()

    def _after_reading(self) -> None:
        self._wire.flush()
        self._set_deadline()
        shortcut = self._shortcut
        idle = not (self._reader.within or self._conversation.busy or self._wire.closing)
        self._at_once = shortcut.at_once if shortcut is not None and idle and self._stage == self._http else _nothing

    def _read_tls(self, tls: TlsLayer, data: bytes) -> None:
        """Read on in TLS that has something to say of itself, or nothing for us."""
        self._wire.raw(tls.pending())
        if data:
            self._read(data)
        if tls.closed and not self._conversation.busy:
            self._wire.close()

    def _end_tls(self, tls: TlsLayer, error: ssl.SSLError) -> None:
        self._wire.raw(tls.pending())
        self._tell_of_tls(error.reason or str(error))
        self._wire.abort()

    def expire(self) -> None:
        """End the connection: its deadline is past."""
        if self._stage == self._ignored:
            self._wire.abort()
        else:
            self._give_up(BadRequest(408, "the request did not arrive in time"))

    def abort(self) -> None:
        """End the connection at once."""
        self._wire.abort()

    def _set_deadline(self) -> None:
        if self._stage == self._ignored:
            return
        within = self._reader.within
        if within == "head" or self._held:
            self.deadline = self.deadline or self._loop.time() + self._house.seconds.head
        elif within == "body" and self._stage != self._relayed:
            self.deadline = self._loop.time() + self._house.seconds.body
        else:
            self.deadline = 0.0

    def _give_up(self, error: BadRequest) -> None:
        """Refuse the request, then read on and discard: closing over unread bytes would reset the refusal away."""
        self._house.desk.journal.refused += 1
        self._stage = self._ignored
        self._at_once, self._tls = _nothing, None
        self.deadline = self._loop.time() + LINGER_SECONDS
        self._wire.write(refusal.refusal(error.status, error.problem))
        self._wire.finish()

    def _tell_of_tls(self, reason: str) -> None:
        self._house.notice(f"a client broke off TLS for {self._origin.authority} ({reason.lower()}); "
                           "it must trust the workspace's certificate authority")  # fmt: skip

    # Stages: each reads the bytes that come next

    def _first_bytes(self, data: bytes) -> None:
        if data[0] == TLS_HANDSHAKE:
            where = f"map '{self._origin.name}'" if self._origin.name else "the proxy"
            self._house.notice(f"a client spoke TLS to {where}, which expects plain HTTP; give it the http:// URL")
            raise BadRequest(400, f"{where} expects plain HTTP, not TLS: use its http:// URL")
        self._stage = self._socks_greeting if data[0] == socks.VERSION and self._origin is PROXY else self._http
        self._stage(data)

    def _http(self, data: bytes) -> None:
        """Requests: those that came before are answered without reading them, the others go to the reader."""
        shortcut = self._shortcut
        if shortcut is None:
            shortcut = self._shortcut = self._new_shortcut()
        stage = self._stage
        for _ in range(APART):
            if self._reader.within or self._conversation.busy:
                break
            used = shortcut.answer(data)
            if used == len(data) or self._wire.closing:
                return
            data = data[used:] if used else data
            raw, body_size, keep = (b"", 0, False) if self._conversation.busy else shortcut.next_request(data)
            if not raw:
                break
            rest = self._learn(shortcut, raw, body_size) if keep else self._reader.feed(raw)
            rest += data[len(raw) :]
            if not rest or self._wire.closing:
                return
            if self._stage != stage:
                self._stage(rest)
                return
            data = rest
        rest = self._reader.feed(data)
        if rest and not self._wire.closing:
            self._stage(rest)

    def _learn(self, shortcut: Shortcut, raw: bytes, body_size: int) -> bytes:
        """Read one request, and remember it if the reader took these bytes as just that."""
        asked: list[Question] = []
        self._asked, stage = asked, self._stage
        rest = self._reader.feed(raw)
        self._asked = None
        if len(asked) == 1 and not rest and not self._reader.within and self._stage == stage:
            shortcut.keep(raw, body_size, asked[0])
        return rest

    def _new_shortcut(self) -> Shortcut:
        house = self._house
        return Shortcut(house.seen, self._origin, self._conversation, self._wire, house.desk)

    def _tunnel_first(self, data: bytes) -> None:
        if data[0] != TLS_HANDSHAKE:
            self._stage = self._http
            self._http(data)
            return
        self._origin = Origin("https", self._origin.authority)
        host, _ = split_authority(self._origin.authority, 443)
        try:
            self._wire.tls = TlsLayer(self._house.certificates.context(host))
        except ValueError:
            raise BadRequest(400, f"'{host[:100]}' is no host name") from None
        self._stage = self._tls_records
        self._tls_records(data)

    def _tls_records(self, data: bytes) -> None:
        """The handshake, up to the first bytes of what is inside."""
        tls = self._wire.tls
        assert tls is not None
        try:
            plain = tls.feed(data)
        except ssl.SSLError as error:
            self._end_tls(tls, error)
            return
        if tls.established:
            self._tls = tls
            self._stage = self._http
        self._read_tls(tls, plain)

    def _relayed(self, data: bytes) -> None:
        self._conversation.carry(data)

    def _ignored(self, data: bytes) -> None:
        """What follows a refused or a forwarded request on its connection."""

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
        if step.authority:
            self._go_to(step.authority, step.reply)
        else:
            self._wire.raw(step.reply)
        if step.refused:
            self._wire.close()
        elif rest:
            self._stage(rest)

    def _go_to(self, authority: str, greeting: bytes) -> None:
        """The client wants a tunnel: a real one to an allowed host, else one that ends here."""
        if authority in self._house.allow:
            self._stage = self._relayed
            self._conversation.tunnel(authority, greeting)
            return
        if (failure := self._house.desk.tunnel_failure(authority)) is not None:
            self._stage = self._ignored
            self._conversation.fail(failure)
            return
        self._wire.raw(greeting)
        self._origin = Origin("http", authority)
        self._stage = self._tunnel_first

    # The reader's callbacks

    def _on_head(self, head: Head) -> bool:
        """Whether the request goes to an allowed host; its body is then not kept."""
        if head.method == "CONNECT":
            return False
        if self._house.allow.entries and self._wire.tls is None:
            origin, target = aim(self._origin, head.target, head.headers)
            if origin.authority in self._house.allow:
                self._conversation.forward(head, origin, target)
                return True
        if "expect" in head.names and (header(head.headers, "expect") or "").lower() == "100-continue":
            self._wire.later((CONTINUE,))
        return False

    def _on_relayed_piece(self, data: bytes) -> None:
        self._conversation.carry_body(data)

    def _on_request(self, incoming: Incoming | None) -> None:
        if incoming is None:
            self._conversation.body_ended()
            self._stage = self._ignored
            self.deadline = 0.0
        elif incoming.head.method == "CONNECT":
            self._connect(incoming.head.target)
        elif not self._wire.closing:
            asked = self._asked
            question = self._conversation.ask(incoming, self._origin, kept=asked is not None)
            if question is not None and asked is not None:
                asked.append(question)

    def _connect(self, authority: str) -> None:
        if not authority.rpartition(":")[2].isdecimal():
            raise BadRequest(400, f"CONNECT wants host:port, not '{authority[:100]}'")
        self._wire.flush()
        self._reader = self._new_reader()
        self._shortcut = None
        self._go_to(authority, ESTABLISHED)


def _nothing(_: bytes) -> bytes | None:
    """Nothing is known."""
    return None
