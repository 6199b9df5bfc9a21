"""How a client of a mocked Postgres gets in: any password is accepted, none is asked for (§55.2.1). No socket."""

from __future__ import annotations

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.wire import Malformed
from wiretape_replay.mock.postgres import replies
from wiretape_replay.mock.postgres.desk import PostgresDesk
from wiretape_replay.mock.postgres.recording import login_of


class Login:
    """The beginning of one connection, up to its first ReadyForQuery."""

    def __init__(self, desk: PostgresDesk, *, offers_tls: bool) -> None:
        self._desk = desk
        self._offers_tls = offers_tls
        self._held = bytearray()
        self.out: list[bytes] = []
        """What is to be sent."""
        self.parameters: dict[str, str] | None = None
        """What the server says of itself, once the client is in."""
        self._first: dict[str, str] = {}
        """Values that settings had before they were set."""
        self.user = self.database = ""
        self.secures = False
        """The client was just told to go on in TLS."""
        self.ends = False
        """The connection is over."""

    @property
    def within(self) -> bool:
        """Whether a packet has begun."""
        return bool(self._held)

    def changed(self, name: str, value: str | None) -> str:
        """The value of a setting that is told to the client, which has its first one again where none is given."""
        assert self.parameters is not None
        first = self._first.setdefault(name, self.parameters.get(name, ""))
        now = first if value is None else value
        self.parameters[name] = now
        if not now:
            del self.parameters[name]  # the login did not tell it
        return now

    def feed(self, data: bytes) -> bytes:
        """Packets of the startup; what follows them is returned. Raises Malformed."""
        held = self._held
        held += data
        while self.parameters is None and not self.ends and len(held) >= 4:
            length = int.from_bytes(held[:4])
            if not 8 <= length <= wire.STARTUP_LIMIT:
                raise Malformed("invalid length of startup packet")
            if len(held) < length:
                return b""
            code, packet = int.from_bytes(held[4:8]), bytes(held[8:length])
            del held[:length]
            self._packet(code, packet)
        rest = bytes(held) if self.parameters is not None else b""
        if rest:
            held.clear()
        return rest

    def _packet(self, code: int, packet: bytes) -> None:
        if code == wire.SSL_REQUEST and self._offers_tls and not self._held:
            self._offers_tls, self.secures = False, True
            self.out.append(b"S")
        elif code in (wire.SSL_REQUEST, wire.GSS_REQUEST):
            self.out.append(b"N")
        elif code >> 16 == wire.PROTOCOL_3:
            self._enter(wire.read_startup(packet), code & 0xFFFF)
        elif code == wire.CANCEL_REQUEST:
            self.ends = True  # it gets no answer
        else:
            problem = f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: server supports 3.0 to 3.0"
            raise Malformed(problem)

    def _enter(self, startup: dict[str, str], minor: int) -> None:
        login = self.user, self.database = login_of(startup)
        refused = self._desk.turned_away() or self._desk.turned_away(login) or self._desk.refusal(startup)
        if refused is not None:
            self.out.append(replies.fields(b"E", refused))
            self.ends = True
            return
        if minor:
            self.out.append(wire.message(b"v", bytes(8)))  # NegotiateProtocolVersion: 3.0, no options
        self.parameters = self._desk.parameters(startup)
        self.out.append(wire.message(b"R", bytes(4)))
        self.out += [replies.reported(name, value) for name, value in self.parameters.items()]
        self.out += [wire.message(b"K", bytes(8)), replies.ready("I")]
