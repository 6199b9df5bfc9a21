"""Greets the clients of a MySQL or MariaDB database and logs in for them; from the OK of a login on bytes pass raw.

The server speaks first, so it is dialled as soon as a client is here, and its greeting passes with what could not be
read left out: compression, and TLS where the app's password is not known. Where it is, wiretape logs in and the app
need not; else the client's own login passes. What belongs to a login is never followed and so never stored.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from wiretape_capture.databases.downstream import secured
from wiretape_capture.databases.greeting import Desk, Greet, Greeted, in_time, stranger
from wiretape_capture.databases.mysql_login import Login, Unspoken
from wiretape_capture.databases.other import OtherSpoken, first_answer
from wiretape_capture.databases.records import Facts
from wiretape_capture.databases.side import Side
from wiretape_capture.databases.upstream import dial, tls_context, wants_tls
from wiretape_capture.launch import mysql_dsn
from wiretape_capture.launch.naming import by_user, known_servers
from wiretape_capture.protocols.mysql import login, packets, told
from wiretape_capture.protocols.mysql.login import Greeting, Response
from wiretape_capture.protocols.mysql.packets import Failure
from wiretape_capture.protocols.mysql.wire import ERR, OK, UNREADABLE, Capability, Extended, Malformed, packet
from wiretape_capture.protocols.observed import Book, Follower

if TYPE_CHECKING:  # the forwarding process is to start fast
    from wiretape_capture.launch.spec import ServiceMap

LOGIN_LIMIT = 1 << 20
"""Bytes of one packet before the login is done."""
WITHOUT_TLS = (
    "clients of {} that left at its greeting; one that insists on TLS gets none where its password is not known: "
    "turn TLS off where the app connects, or write the password into the map's URL"
)
UNREACHABLE, REFUSED = 2003, 1045
"""Error codes: the server cannot be reached (CR_CONN_HOST_ERROR), access is denied (ER_ACCESS_DENIED_ERROR)."""


@dataclass(frozen=True)
class Entrance:
    """How one database is entered."""

    name: str
    host: str
    port: int
    database: str
    options: Mapping[str, str]
    """libpq's words for TLS."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By user; `""` holds for any."""

    @classmethod
    def of(cls, service: ServiceMap, environ: Mapping[str, str]) -> Entrance:
        """From a map and the variables that the app would have had."""
        known = known_servers(service, environ)
        options = next((each.options for each in known.telling if each.options.get("sslmode")), {})
        passwords = by_user(known.sure, mysql_dsn.logins(environ, service.host, service.port))
        passwords = by_user(known.guessed) | passwords
        database = next((each.database for each in known.telling if service.url), "")
        return cls(service.name, service.host, service.port, database, options, passwords)

    def password(self, user: str) -> str:
        """The password for a login; empty where none is known."""
        return self.passwords.get(user) or self.passwords.get("") or ""


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
    from wiretape_capture.protocols.mysql.follower import MysqlFollower

    return MysqlFollower(book, opening)


class _Talk:
    """One side's packets of a login, numbered as it expects them."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._number = 0

    async def hear(self) -> bytes:
        """The next payload. Raises Malformed, EOFError."""
        head = await self.side.read(4)
        length = int.from_bytes(head[:3], "little")
        if length > LOGIN_LIMIT or head[3] != self._number:
            self.side.unread(head)
            raise Malformed(f"a packet of a login claims {length} bytes and the number {head[3]}")
        self._number = (head[3] + 1) & 0xFF
        return await self.side.read(length)

    def say(self, payload: bytes) -> None:
        """Send a payload."""
        self.side.write(packet(self._number, payload))
        self._number = (self._number + 1) & 0xFF


class _Greeting:
    def __init__(self, entrance: Entrance, client: Side, desk: Desk, tls: ssl.SSLContext) -> None:
        self._entrance = entrance
        self._client = _Talk(client)
        self._desk = desk
        self._tls = tls
        self._started = time.monotonic_ns()
        self._user, self._database = "", entrance.database

    async def run(self) -> Greeted | None:
        try:
            server = await dial(self._entrance.host, self._entrance.port)
        except (OSError, TimeoutError) as error:
            self._unreachable(error)
            return None
        try:
            greeted = await self._enter(_Talk(server))
        except BaseException:
            server.abort()
            raise
        if greeted is None:
            server.close()
        return greeted

    async def _enter(self, server: _Talk) -> Greeted | None:
        try:
            await first_answer(server.side, (self._entrance.host, self._entrance.port), "MySQL")
            payload = await server.hear()
            if payload[:1] == bytes((ERR,)):
                self._refused(payload)  # too many connections, a host that is blocked
                return None
            greeting = login.read_greeting(payload)
        except OtherSpoken as error:
            self._desk.note(f"connections to {self._entrance.name} that could not be made: {error}")
            self._unreachable(error)
            return None
        except Malformed as error:
            self._fail(f"{self._entrance.name} does not greet as MySQL does: {error}", UNREACHABLE)
            return None
        except EOFError:
            self._unreachable(ConnectionResetError("it hung up without a greeting"))
            return None
        try:
            offered, response = await self._response(greeting)
        except EOFError:
            if greeting.capabilities & Capability.SSL and not self._entrance.passwords:
                self._desk.note(WITHOUT_TLS.format(self._entrance.name))
            raise
        except Malformed as error:
            problem = stranger(self._client.side, "MySQL") or str(error)
            self._desk.note(f"connections to {self._entrance.name} that did not begin as MySQL: {problem}")
            self._fail(f"wiretape: {problem}", 1043)
            return None
        self._user, self._database = response.user, response.database
        capabilities, extended = login.agreed(offered, response)
        sent = replace(response, capabilities=capabilities, extended=extended)
        try:
            if not await self._log_in(server, greeting, sent, response):
                return None
        except Unspoken as error:
            self._desk.note(f"logins to {self._entrance.name} that wiretape could not make: {error}")
            self._fail(f"wiretape: {error}", REFUSED)
            return None
        except (OSError, EOFError) as error:
            if self._client.side.lost:
                raise
            self._unreachable(error)
            return None
        told_of = {"version": greeting.version, "charset": greeting.charset, "capabilities": greeting.capabilities,
                   "extended": greeting.extended, "plugin": greeting.plugin, "status": greeting.status}  # fmt: skip
        return Greeted(server.side, {
            "capabilities": capabilities, "extended": extended, "user": self._user, "database": self._database,
            "server": told_of, "started": self._started, "ready": time.monotonic_ns(),
        })  # fmt: skip

    async def _response(self, greeting: Greeting) -> tuple[Greeting, Response]:
        """What the client was offered, and its answer, in TLS where it asks for that."""
        dropped = UNREADABLE | Capability.SSL
        kept = greeting.capabilities & ~dropped | (Capability.SSL if self._entrance.passwords else 0)
        offered = greeting.offering(kept, greeting.extended & Extended.KNOWN)
        self._client.say(login.write_greeting(offered))
        payload = await self._client.hear()
        if login.is_tls_request(payload):
            await secured(self._client.side, self._tls, self._entrance.name, self._desk, "turn TLS off")
            payload = await self._client.hear()
        return offered, login.read_response(payload)

    async def _log_in(self, server: _Talk, greeting: Greeting, sent: Response, given: Response) -> bool:
        """Log in at the server; whether it let us in. `sent` is `given` with what both sides can do."""
        password = self._entrance.password(sent.user)
        options = self._entrance.options
        # A login that passes must not be in TLS by chance: what it proves may depend on that.
        default = "prefer" if password else "disable"
        secure = await self._secure(server, greeting, sent, {"sslmode": default, **options})
        capabilities = sent.capabilities & ~Capability.SSL | (Capability.SSL if secure else 0)
        login_here = None
        if password:
            login_here = Login(password, greeting.scramble, secure=secure or self._entrance.host.startswith("/"))
            capabilities |= greeting.capabilities & Capability.PLUGIN_AUTH
            plugin, proof = login_here.first(greeting.plugin)
            sent = replace(sent, plugin=plugin, proof=proof)
        server.say(login.write_response(replace(sent, capabilities=capabilities)))
        return await self._prove(server, login_here, given)

    async def _secure(self, server: _Talk, greeting: Greeting, sent: Response, options: Mapping[str, str]) -> bool:
        """Go on in TLS towards the server where that is asked for and it has it."""
        asked, required = wants_tls(options)
        if not asked or self._entrance.host.startswith("/"):
            return False
        if not greeting.capabilities & Capability.SSL:
            if required:
                raise ConnectionRefusedError(f"TLS is asked for ({options['sslmode']}), and the server has none")
            return False
        server.say(login.write_tls_request(replace(sent, capabilities=sent.capabilities | Capability.SSL)))
        await server.side.secure(tls_context(options), server_side=False, host=self._entrance.host)
        return True

    async def _prove(self, server: _Talk, login_here: Login | None, given: Response) -> bool:
        """Answer what the server asks until it lets us in or refuses; without a login of ours the client answers."""
        while True:
            payload = await server.hear()
            kind = payload[:1]
            if kind == bytes((OK,)):
                if login_here is not None and given.plugin == login.CACHING_SHA2 and given.proof:
                    self._client.say(bytes((1, login.FAST_OK)))  # this client waits for it
                self._client.say(payload)
                return True
            if kind == bytes((ERR,)):
                self._refused(payload)
                return False
            if login_here is not None:
                if (reply := login_here.reply(payload)) is not None:
                    server.say(reply)
                continue
            self._client.say(payload)
            if payload != bytes((1, login.FAST_OK)):
                server.say(await self._client.hear())

    def _unreachable(self, error: BaseException) -> None:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate does not verify: {error.verify_message}"
        self._fail(f"could not connect to {self._entrance.name}: {why}", UNREACHABLE)

    def _fail(self, problem: str, code: int) -> None:
        failure = Failure(code, "08001" if code == UNREACHABLE else "08S01", problem)
        self._seen(failure)
        self._client.say(packets.write_error(failure))

    def _refused(self, payload: bytes) -> None:
        self._seen(packets.read_error(payload))
        self._client.say(payload)

    def _seen(self, failure: Failure) -> None:
        self._desk.seen(told.refused(self._user, self._database, failure, self._started, time.monotonic_ns()))
