"""Greets the clients of a Postgres database and logs in for them; from AuthenticationOk on bytes pass raw.

Where the password is known from the app's own settings, wiretape logs in and the app need not; else the client's own
login passes, without channel binding. What belongs to a login is never followed and so never stored.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from wiretape_capture.databases.downstream import secured
from wiretape_capture.databases.greeting import Desk, Greet, Greeted, in_time, stranger
from wiretape_capture.databases.other import OtherSpoken, first_answer
from wiretape_capture.databases.postgres_login import OK, Login, without_binding
from wiretape_capture.databases.records import Facts
from wiretape_capture.databases.side import Side
from wiretape_capture.databases.upstream import dial, tls_context, wants_tls
from wiretape_capture.launch import postgres_dsn
from wiretape_capture.launch.naming import by_user, known_servers
from wiretape_capture.protocols.observed import Book, Follower
from wiretape_capture.protocols.postgres import told, wire
from wiretape_capture.protocols.postgres.wire import Malformed

if TYPE_CHECKING:  # the forwarding process is to start fast
    from wiretape_capture.launch.spec import ServiceMap

LOGIN_LIMIT = 1 << 20
"""Bytes of one message before the login is done."""
TLS_RECORD = 0x16


@dataclass(frozen=True)
class Entrance:
    """How one database is entered."""

    name: str
    host: str
    port: int
    options: Mapping[str, str]
    """libpq's parameters."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By user; `""` holds for any."""
    password_lines: str = field(default="", repr=False)
    guesses: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords that longer texts have for this server: examples, perhaps."""

    @classmethod
    def of(cls, service: ServiceMap, environ: Mapping[str, str]) -> Entrance:
        """From a map and the variables that the app would have had."""
        known = known_servers(service, environ)
        options = next((each.options for each in known.telling if each.options.get("sslmode")), {})
        lines = ""
        with suppress(OSError, UnicodeDecodeError):
            lines = postgres_dsn.password_file(environ).read_text()
        told = postgres_dsn.logins(environ, service.host, service.port)
        return cls(service.name, service.host, service.port, options, by_user(known.sure, told), lines,
                   by_user(known.guessed))  # fmt: skip

    @property
    def logs_in(self) -> bool:
        """Whether wiretape knows a password: only then may the app be in TLS, for a login that passes binds to none."""
        return bool(self.passwords or self.password_lines or self.guesses)

    def password(self, user: str, database: str) -> str | None:
        """The password for a login; None where none is known."""
        known = self.passwords.get(user, self.passwords.get(""))
        return known or postgres_dsn.password_in_file(self.password_lines, self.host, self.port, database, user) or None

    def guess(self, user: str) -> str | None:
        """What may be the password for a login."""
        return self.guesses.get(user) or self.guesses.get("")


def entrance(service: ServiceMap, environ: Mapping[str, str]) -> Facts:
    """How a database is entered."""
    return asdict(Entrance.of(service, environ))


def greet(facts: Facts, tls: ssl.SSLContext) -> Greet:
    """How the clients of one database are greeted; `tls` is for those that ask for it."""
    way = Entrance(**facts)

    async def greet(client: Side, desk: Desk) -> Greeted | None:
        return await in_time(_Greeting(way, client, desk, tls).run(), way.name, desk)

    return greet


def follow(book: Book, opening: Facts) -> Follower:
    """Reads the copies of one connection."""
    from wiretape_capture.protocols.postgres.follower import PostgresFollower

    return PostgresFollower(book, opening["startup"], opening["started"])


class _Greeting:
    def __init__(self, entrance: Entrance, client: Side, desk: Desk, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._secure = False
        self._entrance = entrance
        self._client = client
        self._desk = desk

    async def run(self) -> Greeted | None:
        try:
            packet = await self._startup()
        except Malformed as error:
            self._desk.note(f"connections to {self._entrance.name} that did not begin as Postgres: {error}")
            self._refuse("08P01", f"wiretape: {error}")
            return None
        if packet is None:
            return None
        started = time.monotonic_ns()
        try:
            server = await self._connect()
        except (OSError, EOFError, TimeoutError) as error:
            self._unreachable(packet, started, error)
            return None
        server.write((len(packet) + 4).to_bytes(4) + packet)
        if int.from_bytes(packet[:4]) == wire.CANCEL_REQUEST:
            with suppress(EOFError):
                await server.read(1)  # the server answers by hanging up
            server.close()
            return None
        try:
            await first_answer(server, (self._entrance.host, self._entrance.port), "Postgres")
        except OtherSpoken as error:
            server.abort()
            self._unreachable(packet, started, error)
            return None
        return await self._log_in(server, packet, started)

    async def _startup(self) -> bytes | None:
        """The packet that begins a session or cancels one, without its length."""
        declined = 0
        while True:
            try:
                head = await self._client.read(4)
            except EOFError:
                if declined:
                    self._desk.note(f"a client of {self._entrance.name} insists on TLS on the way to wiretape: "
                               f"set sslmode=disable where the app connects")  # fmt: skip
                raise
            if head[0] == TLS_RECORD:
                raise Malformed("the client begins with TLS (sslnegotiation=direct): set sslmode=disable for wiretape")
            length = int.from_bytes(head)
            if not 8 <= length <= wire.STARTUP_LIMIT:
                self._client.unread(head)
                raise Malformed(stranger(self._client, "Postgres") or f"its first packet claims {length} bytes")
            packet = await self._client.read(length - 4)
            code = int.from_bytes(packet[:4])
            if code == wire.SSL_REQUEST and self._entrance.logs_in and not self._secure:
                await self._go_secure()
            elif code in (wire.SSL_REQUEST, wire.GSS_REQUEST):
                declined += code == wire.SSL_REQUEST
                self._client.write(b"N")
            elif code >> 16 == wire.PROTOCOL_3 or code == wire.CANCEL_REQUEST:
                return packet
            else:
                raise Malformed(f"it asks for protocol {code >> 16}.{code & 0xFFFF}")

    async def _go_secure(self) -> None:
        """TLS for an app that asks for it. Raises Malformed for bytes ahead of it, ConnectionError."""
        if not self._client.idle:
            raise Malformed("it sent bytes ahead of TLS")
        self._client.write(b"S")
        await secured(self._client, self._tls, self._entrance.name, self._desk, "set sslmode=disable")
        self._secure = True

    async def _connect(self) -> Side:
        """A connection to the server, in TLS where the app's settings ask for it and the server has it."""
        entrance = self._entrance
        server = await dial(entrance.host, entrance.port)
        asked, required = wants_tls(entrance.options)
        if not asked or entrance.host.startswith("/"):
            return server
        try:
            server.write((8).to_bytes(4) + wire.SSL_REQUEST.to_bytes(4))
            await first_answer(server, (entrance.host, entrance.port), "Postgres")
            if await server.read(1) == b"S":
                if not server.idle:
                    raise ConnectionResetError("the server sent bytes ahead of TLS")
                await server.secure(tls_context(entrance.options), server_side=False, host=entrance.host)
            elif required:
                raise ConnectionRefusedError(f"sslmode={entrance.options['sslmode']}, and the server has no TLS")
        except BaseException:
            server.abort()
            raise
        return server

    async def _again(self) -> Side:
        """Another connection to a server that was there a moment ago. Raises ConnectionError."""
        try:
            return await self._connect()
        except OSError as error:
            raise ConnectionAbortedError from error

    def _unreachable(self, packet: bytes, started: int, error: BaseException) -> None:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate does not verify: {error.verify_message}"
        problem = f"could not connect to {self._entrance.name}: {why}"
        if isinstance(error, OtherSpoken):
            self._desk.note(f"connections to {self._entrance.name} that could not be made: {why}")
        if int.from_bytes(packet[:4]) != wire.CANCEL_REQUEST:
            fields = {"S": "FATAL", "C": "08001", "M": problem}
            self._desk.seen(told.refused(wire.read_startup(packet[4:]), fields, started, time.monotonic_ns()))
        self._refuse("08001", problem)

    def _refuse(self, code: str, problem: str) -> None:
        self._client.write(wire.error(code, problem, severity="FATAL"))

    async def _log_in(self, server: Side, packet: bytes, started: int) -> Greeted | None:
        startup = wire.read_startup(packet[4:])
        user = startup.get("user", "")
        password = self._entrance.password(user, startup.get("database", user))
        guess = self._entrance.guess(user) if password is None else None
        known = password if password is not None else guess
        login = Login(user, known) if known is not None else None
        while True:
            kind, payload = await _message(server)
            if kind == b"R" and int.from_bytes(payload[:4]) == OK:
                self._client.write(wire.message(kind, payload))
                return Greeted(server, {"startup": startup, "started": started})
            if kind == b"E" and login is not None and known is guess and _is_denied(payload):
                # Found in a text that may mean something else: the app's own login is to decide.
                server.close()
                server, login = await self._again(), None
                server.write((len(packet) + 4).to_bytes(4) + packet)
                continue
            if kind == b"E":
                self._client.write(wire.message(kind, payload))
                self._desk.seen(told.refused(startup, wire.read_fields(payload), started, time.monotonic_ns()))
                server.close()
                return None
            if kind != b"R":
                self._client.write(wire.message(kind, payload))  # NegotiateProtocolVersion, notices
            elif login is not None:
                try:
                    server.write(login.reply(payload))
                except Malformed as error:
                    self._desk.note(f"logins to {self._entrance.name} that wiretape could not make: {error}")
                    self._refuse("28000", f"wiretape: {error}")
                    server.close()
                    return None
            else:
                self._client.write(without_binding(payload))
                if int.from_bytes(payload[:4]) != 12:  # SASLFinal wants no answer
                    server.write(wire.message(*await _message(self._client)))


def _is_denied(payload: bytes) -> bool:
    """Whether an ErrorResponse refuses a login (class 28, invalid authorization)."""
    return wire.read_fields(payload).get("C", "").startswith("28")


async def _message(side: Side) -> tuple[bytes, bytes]:
    """The next message of a login. Raises Malformed for one that is too long, EOFError."""
    head = await side.read(5)
    length = int.from_bytes(head[1:])
    if not 4 <= length <= LOGIN_LIMIT:
        raise ConnectionAbortedError(f"a message of a login claims {length} bytes")
    return head[:1], await side.read(length - 4)
