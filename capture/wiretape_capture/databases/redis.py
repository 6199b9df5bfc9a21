"""Greets the clients of a Redis server and logs in for them; then bytes pass raw.

Where the password is known from the app's own settings, wiretape logs in, the app may give any and its own AUTH is
answered here; else the app's login passes. What belongs to wiretape's login is never followed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from wiretape_capture.databases.downstream import secured
from wiretape_capture.databases.greeting import GREETING_SECONDS, Desk, Greet, Greeted, stranger
from wiretape_capture.databases.other import QUIET_SECONDS, OtherSpoken, spoken_at
from wiretape_capture.databases.records import Facts
from wiretape_capture.databases.side import Side
from wiretape_capture.databases.upstream import CONNECT_SECONDS, dial, tls_context
from wiretape_capture.launch.database_url import logins_by_name
from wiretape_capture.launch.naming import by_user, known_servers
from wiretape_capture.protocols.observed import Book, Follower
from wiretape_capture.protocols.redis import told
from wiretape_capture.protocols.redis.buffer import LINE_LIMIT, Malformed
from wiretape_capture.protocols.redis.requests import split_inline, write_command

if TYPE_CHECKING:  # the forwarding process is to start fast
    from wiretape_capture.launch.spec import ServiceMap

TLS_RECORD = b"\x16"
LONGEST_NAME = 16
PROBE_SECONDS = 2.0
"""For a server to answer a question in plain text."""
ROOTS = "NODE_EXTRA_CA_CERTS"
"""The variable in which an app names certificates that it trusts; SSL_CERT_FILE holds for wiretape, too."""
NO_PASSWORD = (
    b"-ERR AUTH <password> called without any password configured",
    b"-ERR Client sent AUTH, but no password",
)
"""How a server answers that wants none."""
_REPLY = re.compile(rb"[+-]|[:$*]-?\d+$")
"""How a reply begins: most servers answer `+PONG` or an error."""
OPENING: Facts = {"db": 0, "resp": 2}


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
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By user; an empty name is the default user."""
    guessed: bool = False
    """Whether the passwords are from longer texts: examples, perhaps."""

    @classmethod
    def of(cls, service: ServiceMap, environ: Mapping[str, str]) -> Entrance:
        """From a map and the variables that the app would have had."""
        known = known_servers(service, environ)
        passwords = by_user(known.sure, logins_by_name(environ, service.host, service.port))
        guessed = by_user(known.guessed) if not passwords else {}
        secure = next((each for each in known.telling if each.options.get("tls")), None)
        tls = _tls(secure.options if secure is not None else {}, environ)
        in_tls = True if secure is not None else False if known.by_url else None
        return cls(service.name, service.host, service.port, tls, in_tls, next(iter(passwords or guessed), ""),
                   passwords or guessed, bool(guessed))  # fmt: skip


def _tls(options: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """redis-py's options, as libpq calls them. As with redis-py and Node.js, certificates are verified by default."""
    roots = options.get("ssl_ca_certs") or environ.get(ROOTS, "")
    verifies = options.get("ssl_cert_reqs", "required").lower() not in ("none", "cert_none", "false")
    hostname = options.get("ssl_check_hostname", "true").lower() not in ("false", "0", "no")
    mode = ("verify-full" if hostname else "verify-ca") if verifies else "require"
    return {"sslmode": mode, "sslrootcert": roots, "sslcert": options.get("ssl_certfile", ""),
            "sslkey": options.get("ssl_keyfile", "")}  # fmt: skip


def entrance(service: ServiceMap, environ: Mapping[str, str]) -> Facts:
    """How a server is entered."""
    return asdict(Entrance.of(service, environ))


def greet(facts: Facts, tls: ssl.SSLContext) -> Greet:
    """How the clients of one server are greeted; `tls` is for those that begin with it."""
    way, met = Entrance(**facts), asyncio.Event()

    async def greet(client: Side, desk: Desk) -> Greeted | None:
        return await _Greeting(way, client, desk, met).run(tls)

    return greet


def follow(book: Book, opening: Facts) -> Follower:
    """Reads the copies of one connection."""
    from wiretape_capture.protocols.redis.follower import RedisFollower

    return RedisFollower(book, opening["db"], opening["resp"])


class _Greeting:
    def __init__(self, entrance: Entrance, client: Side, desk: Desk, met: asyncio.Event) -> None:
        self._entrance = entrance
        self._met = met
        """Set when the server was heard to be a Redis."""
        self._client = client
        self._desk = desk
        self._securing = False

    async def run(self, tls: ssl.SSLContext) -> Greeted | None:
        # The client speaks first, and only then is known whether it does so in TLS.
        first = await self._client.read(1)
        self._client.unread(first)
        self._started = time.monotonic_ns()
        begins_tls = first == TLS_RECORD
        if begins_tls:
            await secured(self._client, tls, self._entrance.name, self._desk, "use redis:// or turn TLS off")
        if problem := stranger(self._client, "Redis"):
            self._strange(problem)
            return None
        try:
            server = await self._connect(in_tls=begins_tls)
        except (OSError, EOFError, TimeoutError) as error:
            self._unreachable(error)
            return None
        try:
            served = await self._begin(server)
        except Malformed as error:
            self._strange(str(error))
            served = False
        except TimeoutError:
            self._desk.note(f"logins to {self._entrance.name} that the server did not answer within "
                            f"{GREETING_SECONDS:.0f} s; the connections were closed")  # fmt: skip
            served = False
        except EOFError:
            if self._client.lost:
                server.abort()
                raise
            self._desk.note(f"connections to {self._entrance.name} on which the server hung up during the login: "
                            "where it speaks TLS, write rediss:// in the map's URL")  # fmt: skip
            served = False
        except BaseException:
            server.abort()
            raise
        if not served:
            server.close()
            return None
        return Greeted(server, OPENING)

    def _strange(self, problem: str) -> None:
        self._desk.note(f"connections to {self._entrance.name} that did not begin as Redis: {problem}")
        self._client.write(b"-ERR wiretape: %b\r\n" % problem.encode())

    async def _connect(self, *, in_tls: bool) -> Side:
        """A connection to the server, for an app that is in TLS or not."""
        entrance = self._entrance
        secure = entrance.secure
        if secure is None:
            secure = in_tls and not await self._is_plain()
        context = tls_context(entrance.tls) if secure else None
        if context is None and not self._met.is_set():
            await self._meet()
        server = await dial(entrance.host, entrance.port)
        if context is not None:
            self._securing = True
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._secured(server, context)
            except BaseException:
                server.abort()
                raise
        return server

    async def _secured(self, server: Side, context: ssl.SSLContext) -> None:
        """Go on in TLS. A plain Redis waits for the end of what is no line to it: then ask what it speaks."""
        going = asyncio.ensure_future(server.secure(context, server_side=False, host=self._entrance.host))
        try:
            await asyncio.wait({going}, timeout=QUIET_SECONDS)
            if not going.done() or _is_no_tls(going.exception()):
                spoken = await spoken_at(self._entrance.host, self._entrance.port)
                if spoken not in ("", "TLS"):
                    raise OtherSpoken(spoken, "Redis")
            await going
        finally:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)

    async def _meet(self) -> None:
        """Hear once whether a plain server is a Redis: others wait for more, or hang up. Raises OtherSpoken."""
        if not await self._is_plain():
            spoken = await spoken_at(self._entrance.host, self._entrance.port)
            if spoken not in ("", "Redis", "TLS"):
                raise OtherSpoken(spoken, "Redis")
        self._met.set()

    async def _is_plain(self) -> bool:
        """Whether the server answers in plain text."""
        server = await dial(self._entrance.host, self._entrance.port)
        try:
            server.write(write_command([b"PING"]))
            async with asyncio.timeout(PROBE_SECONDS):
                return bool(_REPLY.match(await _line(server)))
        except (Malformed, EOFError, TimeoutError):
            return False
        finally:
            server.abort()

    def _unreachable(self, error: BaseException) -> None:
        """The app's connection ends, as one to a server that is not there does not begin."""
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, FileNotFoundError) and not self._entrance.host.startswith("/"):
            files = [self._entrance.tls[name] for name in ("sslrootcert", "sslcert", "sslkey")]
            why = f"a file of its options for TLS is missing: {', '.join(filter(None, files))}"
        elif isinstance(error, ssl.SSLCertVerificationError):
            why = (f"its certificate does not verify: {error.verify_message}; name its authority in the map's URL by "
                   f"?ssl_ca_certs=FILE, or ?ssl_cert_reqs=none")  # fmt: skip
        elif isinstance(error, OtherSpoken) and error.spoken == "Redis":
            why = "it speaks no TLS: write redis:// instead of rediss:// in the map's URL"
        elif isinstance(error, OtherSpoken):
            why = str(error)
        elif self._securing:
            reason = error.reason if isinstance(error, ssl.SSLError) else type(error).__name__
            why = f"TLS failed ({reason}): where the server is plain, write redis:// instead of rediss://"
        problem = f"{told.UNREACHABLE}{self._entrance.name}: {why}"
        self._desk.note(f"connections to {self._entrance.name} that could not be made: {why}")
        self._desk.seen(told.refused(problem, self._started, time.monotonic_ns()))

    async def _begin(self, server: Side) -> bool:
        """Log in and read up to the first command that is no login; it is left to be forwarded. Raises Malformed."""
        knows = self._entrance.passwords
        if knows and (refusal := await self._log_in(server, self._entrance.user)):
            if not self._entrance.guessed:
                self._refused(refusal)
                return False
            knows = {}  # found in a text that may mean something else: the app's own login is to decide
        while knows:
            name, raw, arguments = await self._peek()
            if name == b"AUTH" and 2 <= len(arguments) <= 3:
                if not await self._answer_auth(server, arguments):
                    return False
                continue
            self._client.unread(_without_auth(arguments) if name == b"HELLO" else raw)
            break
        return True

    async def _answer_auth(self, server: Side, arguments: list[bytes]) -> bool:
        """The app's own AUTH: of a user whose password is known it is answered here, of another it passes."""
        user = arguments[1].decode("utf-8", "replace") if len(arguments) == 3 else self._entrance.user
        if user in ("default", self._entrance.user) or user in self._entrance.passwords:
            if user not in ("default", self._entrance.user) and (refusal := await self._log_in(server, user)):
                self._refused(refusal)
                return False
            self._client.write(b"+OK\r\n")
            return True
        server.write(write_command(arguments))
        async with asyncio.timeout(GREETING_SECONDS):
            answer = await _line(server)
        if answer[:1] == b"-":
            self._refused(answer)
        else:
            self._client.write(answer + b"\r\n")
        return True

    async def _log_in(self, server: Side, user: str) -> bytes:
        """AUTH with a known password; the server's refusal, or nothing. Raises Malformed, EOFError, TimeoutError."""
        password = self._entrance.passwords[user]
        words = [b"AUTH", *([user.encode()] if user else []), password.encode()]
        server.write(write_command(words))
        async with asyncio.timeout(GREETING_SECONDS):
            answer = await _line(server)
        return b"" if answer[:1] == b"+" or answer.startswith(NO_PASSWORD) else answer

    def _refused(self, refusal: bytes) -> None:
        error = refusal[1:].decode("utf-8", "replace")
        self._desk.seen(told.refused(error, self._started, time.monotonic_ns()))
        self._client.write(refusal + b"\r\n")

    async def _peek(self) -> tuple[bytes, bytes, list[bytes]]:
        """The next command's name and bytes: all of a login with its arguments, of others only what was read for it."""
        head = await _line(self._client)
        if head[:1] != b"*":
            words = split_inline(head) if head[:4].upper() == b"AUTH" else [b""]
            return words[0].upper(), head + b"\r\n", words
        if not head[1:].isdigit() or len(head) > 3:
            return b"", head + b"\r\n", []  # too many arguments for a login, or none at all
        count = int(head[1:])
        size = await _line(self._client)
        raw = head + b"\r\n" + size + b"\r\n"
        if count < 1 or size[:1] != b"$" or not size[1:].isdigit() or int(size[1:]) > LONGEST_NAME:
            return b"", raw, []
        name = await self._client.read(int(size[1:]) + 2)
        raw += name
        arguments = [name[:-2]]
        if name[:-2].upper() in (b"AUTH", b"HELLO"):
            for _ in range(count - 1):
                line = await _line(self._client)
                value = await self._client.read(_length(line[1:], LINE_LIMIT) + 2)
                raw += line + b"\r\n" + value
                arguments.append(value[:-2])
        return name[:-2].upper(), raw, arguments


def _is_no_tls(error: BaseException | None) -> bool:
    """Whether a handshake failed for another reason than a certificate."""
    return error is not None and not isinstance(error, ssl.SSLCertVerificationError)


def _length(digits: bytes, most: int) -> int:
    if not digits.isdigit() or len(digits) > 9 or int(digits) > most:
        raise Malformed(f"a login with {digits[:20]!r} as a length")
    return int(digits)


def _without_auth(arguments: list[bytes]) -> bytes:
    """HELLO without the login in it: it is done."""
    at = next((at for at, raw in enumerate(arguments) if raw.upper() == b"AUTH"), len(arguments))
    return write_command(arguments[:at] + arguments[at + 3 :])


async def _line(side: Side) -> bytes:
    """The next line, without its end. Raises Malformed, EOFError."""
    line = bytearray()
    while not line.endswith(b"\n"):
        line += await side.read(1)
        if len(line) > LINE_LIMIT:
            raise Malformed(f"a line is longer than {LINE_LIMIT} bytes")
    return bytes(line).removesuffix(b"\n").removesuffix(b"\r")
