"""The socket side of one client of a mocked database: it moves bytes, waits where a delay is asked for, and ends it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Protocol, cast

from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.databases.direct import Direct, Line
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.tls import TlsLayer

TLS_RECORD = 0x16


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

    def feed(self, data: bytes) -> None:
        """Bytes from the client. Raises the protocol's own error for those that are none of it."""
        ...

    def take(self) -> bytes:
        """What is to be sent now."""
        ...


class DatabaseConnection(asyncio.Protocol):
    """The server side of one client's connection."""

    def __init__(self, session: Session, journal: Journal, tls: Callable[[], ssl.SSLContext],
                 malformed: type[Exception], refusal: Callable[[Exception], bytes], *,
                 tls_first: bool = False, direct: Direct | None = None) -> None:  # fmt: skip
        """`refusal` says goodbye to what is `malformed`; `tls_first`: a client may begin with TLS.

        `direct` is the short way of what came before, if there is one.
        """
        self._session = session
        self._journal = journal
        self._context = tls
        self._malformed = malformed
        self._refusal = refusal
        self._tls: TlsLayer | None = None
        self._tls_first = tls_first
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._held: list[bytes] = []
        self._direct = direct
        self._line: Line | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        self._file = sock.fileno() if sock is not None else -1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the client is gone."""
        self._file = -1
        if self._timer is not None:
            self._timer.cancel()
        if self._session.within and not self._session.closing:
            self._journal.refused += 1

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes from the client; while an answer is held back they wait."""
        if self._timer is not None:
            self._held.append(data)
            return
        direct = self._direct
        plain = self._tls is None and not self._tls_first
        if direct is not None and plain and (answer := direct.answer(data)) is not None:
            self._write(answer)
            if direct.busy:
                self._go_direct(direct)
            return
        if self._tls_first:
            self._tls_first = False
            self._tls = TlsLayer(self._context()) if data[0] == TLS_RECORD else None
        self._busy = True
        try:
            self._session.feed(self._plain(data) if self._tls is not None else data)
        except ssl.SSLError:
            self._journal.refused += 1
            self._transport.abort()
            return
        except self._malformed as error:
            self._journal.refused += 1
            self._session.closing = True
            self._write(self._session.take() + self._refusal(error))
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

    def _plain(self, data: bytes) -> bytes:
        assert self._tls is not None
        try:
            return self._tls.feed(data)
        finally:
            self._transport.write(self._tls.pending())

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
            self._tls = TlsLayer(self._context())
        if session.fault == "reset":
            self._reset()
        elif session.closing and session.fault != "hang":
            self._transport.close()

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

    def abort(self) -> None:
        """End the connection at once."""
        if self._line is not None:
            self._line.end()
        self._transport.abort()
