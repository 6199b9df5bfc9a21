"""The socket side of one client of a mocked database: it moves bytes, waits where a delay is asked for, and ends it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from wiretape_capture.protocols.first_bytes import may_be_tls, spoken_by
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.databases.direct import Direct, Line
from wiretape_replay.mock.databases.outages import Doors
from wiretape_replay.mock.databases.strangers import Stranger, check_hello, farewell
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.tls import TlsLayer

HANDSHAKE_SECONDS = 10.0
"""For a client that begins TLS to get through with it."""
UNTRUSTED = "have the client trust wiretape's authority, or connect without TLS"


class Session(Protocol):
    """What one client is told: bytes in, bytes out. It holds no socket."""

    closing: bool
    """The connection ends after what was said."""
    fault: Fault
    """How it ends, where the recorded one broke off."""
    delay: float
    """Seconds to wait before what was said is sent."""
    secures: bool
    """The client was just told to go on in TLS."""

    @property
    def within(self) -> bool:
        """Whether the client has begun something that it did not finish."""
        ...

    @property
    def rests(self) -> bool:
        """Whether nothing would be lost with the connection: no transaction is open."""
        ...

    def feed(self, data: bytes) -> None:
        """Bytes from the client. Raises the protocol's own error for those that are none of it."""
        ...

    def take(self) -> bytes:
        """What is to be sent now."""
        ...


@dataclass(frozen=True, slots=True)
class Manners:
    """How clients of one protocol behave."""

    name: str
    """The protocol, as `spoken_by` has it."""
    words: str
    """The same with what is to be known of TLS, for those who speak something else."""
    malformed: type[Exception]
    """Raised for bytes that are none of it."""
    tls_first: bool = True
    """A client may begin with TLS."""
    server_first: bool = False
    """The server speaks first: a client of another protocol has heard this one already."""


class DatabaseConnection(asyncio.Protocol):
    """The server side of one client's connection. `service` is the database's name.

    `direct` is the short way of what came before, if there is one.
    """

    def __init__(self, session: Session, manners: Manners, service: str, journal: Journal,
                 tls: Callable[[], ssl.SSLContext], doors: Doors[Any], *,
                 direct: Direct | None = None) -> None:  # fmt: skip
        self._session = session
        self._manners = manners
        self._service = service
        self._journal = journal
        self._context = tls
        self._doors = doors if doors.any else None
        self._tls: TlsLayer | None = None
        self._fresh = True
        """What the client speaks is not known yet."""
        self._first = b""
        self._handshake: asyncio.TimerHandle | None = None
        """Runs while TLS is set up."""
        self._greeted = False
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._held: list[bytes] = []
        self._direct = direct if self._doors is None else None  # an outage may begin with any answer
        self._line: Line | None = None

    def refusal(self, error: Exception) -> bytes:
        """The last words to a client that sent what is malformed, in the protocol's own form."""
        raise NotImplementedError

    def break_off(self) -> None:
        """An outage has begun: every connection of the server is to end."""
        raise NotImplementedError

    @property
    def rests(self) -> bool:
        """Whether nothing is under way on it."""
        return self._session.rests and self._timer is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        self._file = sock.fileno() if sock is not None else -1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the client is gone."""
        self._file = -1
        for timer in (self._timer, self._handshake):
            if timer is not None:
                timer.cancel()
        if self._session.closing:
            return
        if self._handshake is not None:
            self._journal.refuse(f"connections to {self._service} that ended in their TLS handshake: {UNTRUSTED}")
        elif self._session.within or self._first:
            self._journal.refuse(f"connections to {self._service} that ended in the middle of something")

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes from the client; while an answer is held back they wait."""
        if self._timer is not None:
            self._held.append(data)
            return
        direct = self._direct
        plain = self._tls is None and not self._fresh
        if direct is not None and plain and (answer := direct.answer(data)) is not None:
            self._write(answer)
            if direct.busy:
                self._go_direct(direct)
            return
        self._busy = True
        try:
            if self._fresh:
                data = self._begin(data)
            elif self._tls is not None:
                data = self._plain(self._tls, data)
            self._session.feed(data)
        except Stranger as stranger:
            words = b"" if self._manners.server_first else farewell(stranger)
            self._refuse(str(stranger), words or self.refusal(stranger))
        except ssl.SSLError as error:
            self._refuse(f"TLS failed ({error.reason}): {UNTRUSTED}", b"")
        except self._manners.malformed as error:
            self._refuse(str(error), self._session.take() + self.refusal(error))
        self._busy = False
        if self._session.delay > 0:
            self._transport.pause_reading()
            self._timer = asyncio.get_running_loop().call_later(self._session.delay, self.go_on)
            self._session.delay = 0.0
        else:
            self._send()

    def _go_direct(self, direct: Direct) -> None:
        """Leave the conversation to a thread of its own."""
        if self._file < 0 or self._transport.is_closing() or self._transport.get_write_buffer_size():
            return
        loop = asyncio.get_running_loop()

        def back(data: bytes) -> None:
            loop.call_soon_threadsafe(self._come_back, direct, data)

        self._line = direct.line(self._file, back)
        if self._line is not None:
            self._transport.pause_reading()

    def _come_back(self, direct: Direct, data: bytes) -> None:
        line, self._line = self._line, None
        assert line is not None
        direct.close(line)
        if self._file >= 0 and not self._transport.is_closing():
            self._transport.resume_reading()
            if data:
                self.data_received(data)

    def _refuse(self, problem: str, words: bytes) -> None:
        self._journal.refuse(f"connections to {self._service} that were refused: {problem}")
        self._session.closing = True
        if words and (self._tls is None or self._tls.established):
            self._write(words)

    def _begin(self, data: bytes) -> bytes:
        """The first bytes, from which it shows what the client speaks; plain text. Raises Stranger, SSLError."""
        if self._tls is None:
            data, self._first = self._first + data, b""
            if may_be_tls(data):
                self._first = data
                return b""
            if spoken_by(data) == "TLS":
                if not self._manners.tls_first:
                    raise Stranger(f"this is TLS, and the port speaks {self._manners.words}", "TLS")
                self._secure()
        if self._tls is not None:
            data = self._plain(self._tls, data)
            if not data:
                return b""
        self._fresh = False
        spoken = spoken_by(data)
        if spoken is not None and spoken != self._manners.name:
            raise Stranger(f"this is {spoken}, and the port speaks {self._manners.words}", spoken)
        return data

    def _secure(self) -> None:
        """Go on in TLS."""
        self._tls = TlsLayer(self._context())
        self._handshake = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._handshake = None
        self._refuse(f"a TLS handshake took longer than {HANDSHAKE_SECONDS:.0f} s", b"")
        self._transport.close()

    def _plain(self, tls: TlsLayer, data: bytes) -> bytes:
        if self._handshake is not None and not self._greeted:
            try:
                check_hello(data)
            except Stranger:
                self._tls = None  # so that it is told in plain text
                raise
            self._greeted = True
        try:
            return tls.feed(data)
        finally:
            self._transport.write(tls.pending())
            if tls.established and self._handshake is not None:
                self._handshake.cancel()
                self._handshake = None

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            data = self._tls.seal(data) if data else data
        elif self._file >= 0 and not self._transport.is_closing() and not self._transport.get_write_buffer_size():
            # The loop would send it after another look at all sockets: so the client has it at once.
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:
                pass
            except OSError:
                self._transport.abort()
                return
        if data:
            self._transport.write(data)

    def go_on(self) -> None:
        """The wait is over."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self._send()
        held, self._held = b"".join(self._held), []
        if not self._transport.is_closing():
            self._transport.resume_reading()
            if held:
                self.data_received(held)

    def _send(self) -> None:
        session = self._session
        if (data := session.take()) and session.fault != "reset":
            self._write(data)
        if session.secures:
            session.secures = False
            self._secure()
        if session.fault == "reset":
            self._reset()
        elif session.closing and session.fault != "hang":
            self._transport.close()
        if self._doors is not None and self._doors.breaks():
            asyncio.get_running_loop().call_soon(self.break_off)

    def _reset(self) -> None:
        """End the connection with RST (SO_LINGER in socket(7))."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def pause_writing(self) -> None:
        """asyncio: the client does not keep up, so it is not read either."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio: the client keeps up again."""
        self._transport.resume_reading()

    def tell(self) -> None:
        """The session has something to say of itself."""
        if not self._busy and self._timer is None:
            self._send()

    def hang_up(self) -> None:
        """End the connection after what was said, as a server does that goes."""
        self._session.closing = True
        if self._line is not None:
            self._line.end()
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self._line is not None:
            self._line.end()
        self._transport.abort()
