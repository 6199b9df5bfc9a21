"""What a client does inside of a CONNECT tunnel: TLS, plain HTTP, or something that is not HTTP at all."""

from __future__ import annotations

import asyncio
import socket
import ssl

from wiretape_capture.proxy.authority import authority
from wiretape_capture.tee.client_hello import HANDSHAKE, ClientHello, Unreadable, client_hello
from wiretape_capture.tee.dial import dial, peek, readable
from wiretape_capture.tee.end import EARLIER, End
from wiretape_capture.tee.house import House
from wiretape_capture.tee.lane import Lane
from wiretape_capture.tee.route import Aim
from wiretape_capture.tee.secure import HTTP1, towards_client, towards_service

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
HELLO_LOOKS = 200
"""Looks at a hello that does not get whole before mitmproxy gets it."""
LOOK_SECONDS = 0.005
KNOWN_PROTOCOLS = frozenset({"h2", HTTP1, "http/1.0"})
HUNG_UP = "the client disconnected during the handshake"
NO_HTTP = "connections to {} that carried no HTTP; their bytes passed and were not recorded"


async def enter(house: House, index: int, accepted: socket.socket, head: bytes, target: tuple[str, int]) -> None:
    """Open a tunnel that was asked for by `head`, which is still unread. Raises OSError when the client is gone."""
    try:
        dialled = await dial(*target)
    except OSError:
        house.give(accepted, index)  # mitmproxy says why to the client and to the tape
        return
    try:
        accepted.recv(len(head))
        accepted.send(ESTABLISHED)
        await _Tunnel(house, index, accepted, dialled, target, agent(head)).begin()
    except BaseException:
        dialled.close()
        raise


class _Tunnel:
    def __init__(self, house: House, index: int, accepted: socket.socket, dialled: socket.socket,
                 target: tuple[str, int], client: str) -> None:  # fmt: skip
        self._house = house
        self._index = index
        self._accepted = accepted
        self._dialled = dialled
        self._target = target
        self._client = client
        self._loop = asyncio.get_running_loop()

    async def begin(self) -> None:
        """See who speaks first, and what."""
        await readable(self._accepted, self._dialled)
        data = peek(self._accepted, 8)
        if data is None and is_settings(peek(self._dialled, 9) or b""):
            await readable(self._accepted)
            data = peek(self._accepted, 8)
        if data is None:
            await self._pass_unread()
        elif not data:
            self._accepted.close()
            self._dialled.close()
        elif data[0] == HANDSHAKE:
            await self._tls()
        elif data.startswith(b"PRI "[: len(data)]):
            self._give()
        elif looks_like_http(data):
            lane = self._house.tunnel_lane(self._index, Aim("http", *self._target))
            await self._join(lane)
        else:
            await self._pass_unread()

    async def _pass_unread(self) -> None:
        self._house.channel.note(NO_HTTP.format(authority(*self._target)))
        lane = self._house.tunnel_lane(self._index, Aim("http", *self._target))
        lane.relay()
        await self._join(lane)

    async def _join(self, lane: Lane) -> None:
        """Put both plain sockets into a lane."""
        service = End(lane, client=False)
        service.hold(EARLIER)
        await self._loop.create_connection(lambda: service, sock=self._dialled)
        lane.arrive(service, Aim("http", *self._target))
        await self._loop.connect_accepted_socket(lambda: lane.client, self._accepted)
        service.go_on(EARLIER)

    def _give(self) -> None:
        self._dialled.close()
        self._house.give(self._accepted, self._index, Aim("http", *self._target))

    async def _tls(self) -> None:
        hello = await self._hello()
        if hello is None or not self._ours(hello):
            self._give()
            return
        lane = self._house.tunnel_lane(self._index, Aim("https", *self._target))
        service = End(lane, client=False)
        service.hold(EARLIER)
        name = hello.server_name or self._target[0]
        try:
            session = await towards_service(self._dialled, service, self._house.services.context(hello.protocols), name)
        except OSError:
            self._to_mitmproxy_from_now_on(lane)
            return
        protocol = session.selected_alpn_protocol() or ""
        if protocol not in ("", HTTP1):
            service.close()
            self._to_mitmproxy_from_now_on(lane)
            return
        lane.arrive(service, Aim("https", *self._target))
        await self._certified(lane, service, hello, session, protocol)

    def _to_mitmproxy_from_now_on(self, lane: Lane) -> None:
        """A service that speaks HTTP/2, does not verify, or wants a handshake of another kind."""
        self._house.beyond.add(self._target)
        lane.client_lost(None)
        self._give()

    async def _certified(self, lane: Lane, service: End, hello: ClientHello, session: ssl.SSLObject,
                         protocol: str) -> None:  # fmt: skip
        site = (*self._target, hello.server_name)
        context = self._house.clients.find(site, protocol)
        if context is None:
            try:
                pem = await self._house.mint(site, session.getpeercert(binary_form=True) or b"")
            except OSError:
                service.close()
                self._to_mitmproxy_from_now_on(lane)
                return
            context = self._house.clients.keep(site, protocol, pem)
        try:
            await towards_client(self._accepted, lane.client, context)
        except OSError as error:
            lane.client_lost(None)
            why = HUNG_UP if isinstance(error, ConnectionError) else str(error)
            self._house.control.send({"do": "refused", "client": self._client, "service": authority(*self._target),
                                      "error": why})  # fmt: skip
            return
        except asyncio.CancelledError:
            lane.client_lost(None)
            raise
        service.go_on(EARLIER)
        if lane.service is None:  # it left during the client's handshake
            lane.client.close()

    async def _hello(self) -> ClientHello | None:
        """What the client asks for; None when it is no hello that we can read."""
        for _ in range(HELLO_LOOKS):
            try:
                found = client_hello(peek(self._accepted, 1 << 16) or b"")
            except Unreadable:
                return None
            if found is not None:
                return found
            await asyncio.sleep(LOOK_SECONDS)
        return None

    def _ours(self, hello: ClientHello) -> bool:
        """Whether the tee can carry what the client offers; what the service chooses is seen later."""
        offered = set(hello.protocols)
        if not offered <= KNOWN_PROTOCOLS or (offered and HTTP1 not in offered):
            return False
        return self._target not in self._house.beyond


def is_settings(received: bytes) -> bool:
    """Whether a service that speaks first begins with an HTTP/2 SETTINGS frame (RFC 9113 §6.5)."""
    return received[3:4] == b"\x04" and received[5:9] == bytes(4)


def looks_like_http(data: bytes) -> bool:
    """Whether a method begins here: letters, to which mitmproxy's own test comes down."""
    return len(data) >= 3 and data[:3].isalpha() and not data.startswith(b"SSH")


def agent(head: bytes) -> str:
    """The User-Agent of a CONNECT request; empty when it says none."""
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((value.strip().decode("latin-1") for name, _, value in lines if name.lower() == b"user-agent"), "")
