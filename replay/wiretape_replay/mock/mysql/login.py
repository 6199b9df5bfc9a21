"""How a client of a mocked MySQL gets in: it is greeted, and any password is accepted. No socket."""

from __future__ import annotations

from wiretape_capture.protocols.mysql import login, packets
from wiretape_capture.protocols.mysql.login import Greeting
from wiretape_capture.protocols.mysql.packets import Done, Terms
from wiretape_capture.protocols.mysql.wire import Malformed, OutOfOrder, packet
from wiretape_replay.mock.mysql import replies
from wiretape_replay.mock.mysql.desk import MysqlDesk
from wiretape_replay.mock.sql.recording import Error

LONGEST = 1 << 20
"""Bytes of one packet of a login."""


class Login:
    """The beginning of one connection, up to the OK that lets the client in."""

    def __init__(self, desk: MysqlDesk, greeting: Greeting, refused: Error | None = None) -> None:
        """`refused`: the error that takes the place of the greeting, or, for one of a user, of the OK."""
        self._desk = desk
        self._greeting = greeting
        self._held = bytearray()
        self._number = 1
        self._refused = refused
        self.out: list[bytes] = [packet(0, login.write_greeting(greeting))]
        """What is to be sent."""
        self.terms: Terms | None = None
        """What was agreed on, once the client is in."""
        self.user = self.database = ""
        self.secures = False
        """The client goes on in TLS."""
        self.ends = False
        """The connection is over."""
        if refused is not None and not refused.get("user"):
            self.out, self.ends = [packet(0, replies.error(refused))], True

    @property
    def number(self) -> int:
        """Of the packet that comes next."""
        return self._number

    @property
    def within(self) -> bool:
        """Whether a packet has begun."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """Packets of the login; what follows them, or the begin of TLS, is returned. Raises Malformed."""
        held = self._held
        held += data
        while self.terms is None and not self.ends and len(held) >= 4:
            length = int.from_bytes(held[:3], "little")
            if held[3] != self._number:
                raise OutOfOrder(f"the login's has the number {held[3]}, not {self._number}")
            if length > LONGEST:
                raise Malformed(f"a packet of a login claims {length} bytes")
            if len(held) < 4 + length:
                return b""
            payload = bytes(held[4 : 4 + length])
            del held[: 4 + length]
            self._number += 1
            if login.is_tls_request(payload):
                self.secures = True
                break
            self._enter(payload)
        rest = bytes(held)
        if self.terms is not None or self.secures:
            held.clear()
            return rest
        return b""

    def _enter(self, payload: bytes) -> None:
        given = login.read_response(payload)
        self.user, self.database = given.user, given.database
        login_here = given.user, given.database
        refused = self._refused or self._desk.turned_away(login_here) or self._desk.refusal(*login_here)
        if refused is not None:
            self._say(replies.error(refused))
            self.ends = True
            return
        self.terms = Terms(*login.agreed(self._greeting, given))
        if given.plugin == login.CACHING_SHA2 and given.proof:
            self._say(bytes((1, login.FAST_OK)))  # this client waits for it
        self._say(packets.write_ok(Done(status=self._greeting.status), self.terms))

    def _say(self, payload: bytes) -> None:
        self.out.append(packet(self._number, payload))
        self._number += 1
