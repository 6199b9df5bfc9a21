"""Greets the clients of a MongoDB server and logs in for them; from the first command on bytes pass raw.

Greetings and logins are read one by one: nothing is compressed, and where the server names other hosts the client is
led back here. So a connection that only monitors the server never gets further. Where the password is known from the
app's own settings wiretape logs in and the app need not; else its own login passes. What belongs to a login is never
followed.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from wiretape_capture.databases.downstream import secured
from wiretape_capture.databases.greeting import Desk, Greet, Greeted, stranger
from wiretape_capture.databases.other import OtherSpoken, first_answer
from wiretape_capture.databases.records import Facts
from wiretape_capture.databases.side import Side
from wiretape_capture.databases.upstream import dial, tls_context
from wiretape_capture.launch import mongodb_url
from wiretape_capture.launch.naming import known_servers
from wiretape_capture.protocols.mongodb import hello, wire
from wiretape_capture.protocols.mongodb.commands import name_of
from wiretape_capture.protocols.mongodb.wire import Malformed, Message
from wiretape_capture.protocols.observed import Book, Follower

if TYPE_CHECKING:  # the forwarding process is to start fast
    from wiretape_capture.launch.spec import ServiceMap
    from wiretape_capture.protocols.mongodb.scram import Door

GREETING_SECONDS = 60.0
"""For a client to send its first message, and for wiretape to connect and log in."""
PROBE_SECONDS = 2.0
"""For a server to answer a question in plain text."""
GREETING_LIMIT = 1 << 20
"""Bytes of one message before the first command."""


@dataclass(frozen=True)
class Entrance:
    """How one server is entered."""

    name: str
    host: str
    port: int
    tls: Mapping[str, str]
    """libpq's names for the options of TLS."""
    secure: bool | None = None
    """Whether the server is to be in TLS; None: where the app is and the server does not answer without."""
    user: str = ""
    password: str = field(default="", repr=False)
    source: str = "admin"
    """The database that knows the user."""
    guessed: bool = False
    """Whether the login is from a longer text: an example, perhaps."""

    @classmethod
    def of(cls, service: ServiceMap, environ: Mapping[str, str]) -> Entrance:
        """From a map and the variables that the app would have had."""
        known = known_servers(service, environ)
        secure = next((each for each in known.telling if mongodb_url.wants_tls(each.options)), None)
        says = any(name in each.options for each in known.telling for name in ("tls", "ssl"))
        tls = mongodb_url.tls_options(secure.options if secure is not None else {})
        entrance = cls(service.name, service.host, service.port, tls,
                       True if secure is not None else False if says else None)  # fmt: skip
        sure = next((each for each in known.sure if each.password), None)
        login = sure or next((each for each in known.guessed if each.password), None)
        if login is None:
            return entrance
        return replace(entrance, user=login.user, password=login.password, source=mongodb_url.source_of(login),
                       guessed=sure is None)  # fmt: skip


def entrance(service: ServiceMap, environ: Mapping[str, str]) -> Facts:
    """How a server is entered. Raises WiretapeError where pymongo is not installed."""
    from wiretape_capture.protocols.mongodb import documents  # noqa: F401 - says what to install

    return asdict(Entrance.of(service, environ))


def greet(facts: Facts, tls: ssl.SSLContext) -> Greet:
    """How the clients of one server are greeted; `tls` is for those that begin with it."""
    way = Entrance(**facts)

    async def greet(client: Side, desk: Desk) -> Greeted | None:
        return await _Greeting(way, client, desk, tls).run()

    return greet


def follow(book: Book, _opening: Facts) -> Follower:
    """Reads the copies of one connection."""
    from wiretape_capture.protocols.mongodb.follower import MongoFollower

    return MongoFollower(book)


class _Greeting:
    def __init__(self, entrance: Entrance, client: Side, desk: Desk, tls: ssl.SSLContext) -> None:
        # BSON is read here, and only where a MongoDB is recorded.
        from wiretape_capture.protocols.mongodb import documents, scram, told

        self._documents, self._scram, self._told = documents, scram, told
        self._entrance = entrance
        self._client = client
        self._desk = desk
        self._tls = tls
        self._secure = entrance.secure
        self._logs_in = bool(entrance.user)
        self._numbers = count(1)
        self._started = time.monotonic_ns()
        self._door: Door | None = None
        self._greeted = False

    async def run(self) -> Greeted | None:
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                await self._listen()
                first = await _message(self._client)
                server = await self._enter()
        except TimeoutError:
            self._desk.note(f"connections to {self._entrance.name} that said nothing within {GREETING_SECONDS:.0f} s; "
                            f"they were closed")  # fmt: skip
            return None
        except Malformed as error:
            self._note(error)
            return None
        if server is None:
            return None
        try:
            await self._until_command(server, first)
        except Malformed as error:
            self._note(error)
            server.close()
            return None
        except OtherSpoken as error:
            server.abort()
            self._refused("HostUnreachable", f"could not connect to {self._entrance.name}: {error}", service=True)
            return None
        except BaseException:
            server.abort()
            raise
        return Greeted(server, {})

    def _note(self, error: Malformed) -> None:
        self._desk.note(f"connections to {self._entrance.name} that did not begin as MongoDB: {error}")

    async def _listen(self) -> None:
        """Wait for the client to speak, and go on in TLS where it does so. Raises Malformed, EOFError, OSError."""
        head = await self._client.read(wire.HEADER.size)
        self._client.unread(head)
        begins_tls = wire.begins_tls(head)
        if begins_tls:
            await secured(self._client, self._tls, self._entrance.name, self._desk, "set tls=false")
        if not begins_tls:
            self._secure = bool(self._secure)
            try:
                wire.checked_header(head)
            except Malformed as error:
                raise Malformed(stranger(self._client, "MongoDB") or str(error)) from error

    async def _enter(self) -> Side | None:
        """A connection with wiretape logged in; None where that failed: the app's connection ends then."""
        entrance = self._entrance
        try:
            server = await self._connect()
        except (OSError, EOFError, TimeoutError) as error:
            self._refused("HostUnreachable", f"could not connect to {entrance.name}: {_why(error)}", service=True)
            return None
        if not self._logs_in:
            return server
        try:
            problem = await self._log_in(server)
        except OtherSpoken as error:
            server.abort()
            self._refused("HostUnreachable", f"could not connect to {entrance.name}: {error}", service=True)
            return None
        except (Malformed, EOFError) as error:
            problem = str(error) or "the server hung up"
        if not problem:
            return server
        server.abort()
        if entrance.guessed:
            self._logs_in = False  # found in a text that may mean something else: the app's own login is to decide
            return await self._enter()
        self._refused("AuthenticationFailed", f"could not log in to {entrance.name}: {problem}", service=False)
        return None

    def _refused(self, code: str, problem: str, *, service: bool) -> None:
        self._desk.note(f"connections to {self._entrance.name} that could not be made: {problem}")
        self._desk.seen(self._told.refused(self._entrance.name, code, problem, self._started, time.monotonic_ns(),
                                           service=service))  # fmt: skip

    async def _connect(self) -> Side:
        entrance = self._entrance
        if self._secure is None:  # the app is in TLS, and nothing says whether the server is
            self._secure = not await self._is_plain()
        server = await dial(entrance.host, entrance.port)
        if self._secure:
            try:
                await server.secure(tls_context(entrance.tls), server_side=False, host=entrance.host)
            except BaseException:
                server.abort()
                raise
        return server

    async def _is_plain(self) -> bool:
        """Whether the server answers in plain text."""
        server = await dial(self._entrance.host, self._entrance.port)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._ask(server, {"hello": 1, "$db": "admin"})
        except (Malformed, EOFError, TimeoutError):
            return False
        finally:
            server.abort()
        return True

    async def _log_in(self, server: Side) -> str:
        """Log in with the known password; why not, or nothing. Raises Malformed, EOFError."""
        entrance = self._entrance
        mechanisms = await self._ask(server, {"hello": 1, "saslSupportedMechs": f"{entrance.source}.{entrance.user}",
                                              "$db": "admin"})  # fmt: skip
        login = self._scram.Login(entrance.user, entrance.password, entrance.source,
                                  mechanisms.get("saslSupportedMechs") or ())  # fmt: skip
        command: dict[str, Any] | None = login.first()
        while command is not None:
            reply = await self._ask(server, command)
            if not reply.get("ok"):
                return str(reply.get("errmsg", "refused"))
            command = login.next(reply)
        return ""

    async def _ask(self, server: Side, command: Mapping[str, Any]) -> dict[str, Any]:
        server.write(wire.write_msg(next(self._numbers), 0, self._documents.encode(command)))
        await first_answer(server, (self._entrance.host, self._entrance.port), "MongoDB")
        reply = await _message(server)
        return self._documents.decode(wire.read_msg(reply.payload).body)

    async def _until_command(self, server: Side, message: Message) -> None:
        """Pass greetings and logins on one by one, up to the first command, which is left to be forwarded."""
        while True:
            command = self._greeting_in(message)
            if command is None:
                self._client.unread(wire.message(*message))
                return
            await self._pass(server, message, command)
            message = await _message(self._client, wire.LARGEST)

    def _greeting_in(self, message: Message) -> dict[str, Any] | None:
        """The greeting or login in a message; None for anything else."""
        if len(message.payload) > GREETING_LIMIT:
            return None
        if message.opcode == wire.OP_QUERY:
            return self._documents.decode(wire.read_query(message.payload)[1])
        if message.opcode != wire.OP_MSG:
            return None
        sections = wire.read_msg(message.payload)
        command = self._documents.decode(sections.body)
        return command if hello.is_greeting(command) or hello.is_login(command) else None

    async def _pass(self, server: Side, message: Message, command: dict[str, Any]) -> None:
        if self._logs_in and hello.is_login(command):
            self._client.write(wire.write_msg(next(self._numbers), message.request_id,
                                              self._documents.encode(self._answered(command))))  # fmt: skip
            return
        greets = hello.is_greeting(command)
        server.write(self._asked(message, command) if greets else wire.message(*message))
        if not self._greeted:
            await first_answer(server, (self._entrance.host, self._entrance.port), "MongoDB")
        reply = await self._reply(server)
        self._client.write(self._at_home(reply) if greets else wire.message(*reply))

    def _answered(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer to the app's own login, where wiretape has logged in."""
        if not name_of(command).startswith("sasl"):
            return {"ok": 1.0}
        if self._door is None:
            self._door = self._scram.Door([self._entrance.password, mongodb_url.PASSWORD])
        return self._door.answer(command)

    def _asked(self, message: Message, command: dict[str, Any]) -> bytes:
        """The app's greeting as it is sent on; its reply is to be the only one, so nothing streams."""
        body = self._documents.encode(hello.asked(command, logs_in=self._logs_in))
        if message.opcode == wire.OP_QUERY:
            return wire.write_query(message.request_id, wire.read_query(message.payload)[0], body)
        return wire.write_msg(message.request_id, 0, body)

    def _at_home(self, message: Message) -> bytes:
        legacy = message.opcode == wire.OP_REPLY
        found = wire.read_reply(message.payload) if legacy else wire.read_msg(message.payload).body
        reply = self._documents.decode(found)
        if not self._greeted:
            self._greeted = True
            kept = self._documents.to_json(hello.remembered(reply))
            assert isinstance(kept, dict)
            self._desk.seen(self._told.connected(self._entrance.name, kept, self._started, time.monotonic_ns()))
        here = "{}:{}".format(*self._client.transport.get_extra_info("sockname")[:2])
        body = self._documents.encode(hello.at_home(reply, here))
        if legacy:
            return wire.write_reply(message.request_id, message.response_to, body)
        return wire.write_msg(message.request_id, message.response_to, body)

    async def _reply(self, server: Side) -> Message:
        """The server's reply; a client that goes meanwhile ends the wait, which is long for one that monitors."""
        reading = asyncio.ensure_future(_message(server))
        leaving = asyncio.ensure_future(self._client.gone())
        try:
            await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise EOFError
            return reading.result()
        finally:
            for task in (reading, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError, EOFError, Malformed):
                    await task


async def _message(side: Side, limit: int = GREETING_LIMIT) -> Message:
    """The next message. Raises Malformed, EOFError."""
    head = await side.read(wire.HEADER.size)
    length, request_id, response_to, opcode = wire.checked_header(head)
    if length > limit:
        raise Malformed(f"a message of {length} bytes before the first command")
    return Message(request_id, response_to, opcode, await side.read(length - wire.HEADER.size))


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (f"its certificate does not verify: {error.verify_message}; name its authority in the map's URL by "
                f"?tlsCAFile=FILE, or ?tlsAllowInvalidCertificates=true")  # fmt: skip
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS ({error.reason}): write tls=false in the map's URL"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
