"""One client's connection and the service behind it: bytes go on first, then a copy is followed.

Bound: a connection that its peer does not read is not read either; a request's head of at most `HEAD_LIMIT`.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from time import monotonic_ns
from typing import Protocol

from wiretape_capture.proxy.authority import authority
from wiretape_capture.tee.bodies import Body, body_of
from wiretape_capture.tee.client_certificate import is_refusal, wants_certificate
from wiretape_capture.tee.end import DIALLING, EARLIER, RECORDER, End
from wiretape_capture.tee.following import Following, Passing
from wiretape_capture.tee.heads import END, HEAD_LIMIT, MalformedError
from wiretape_capture.tee.route import Aim, Route, connecting

LOST = "connections whose HTTP could not be followed; their bytes passed and were not recorded from there on"
CUT_HEAD = "requests that broke off inside of their head and were not recorded"
GONE_CLIENT = "client disconnected"
GONE_SERVICE = "connection closed before the response ended"


class Way(Protocol):
    """Reads where a request goes."""

    @property
    def known(self) -> Mapping[bytes, Route]:
        """Routes of heads that came before."""
        ...

    def route(self, head: bytes) -> Route | None:
        """The way of a request; None where it is mitmproxy's."""
        ...


class Owner(Protocol):
    """Who opens what a lane needs; answers come by `attach` or `refused`."""

    def call(self, lane: Lane, aim: Aim, /) -> None:
        """Connect to a service."""
        ...

    def leave(self, lane: Lane, /) -> None:
        """Connect to mitmproxy, which takes everything from here on."""
        ...

    def over(self, lane: Lane, /) -> None:
        """The client is gone."""
        ...

    def note(self, text: str, /) -> None:
        """Count what could not be recorded."""
        ...


class Lane:
    """Both ends; `shared` where requests go to several services: a forward proxy's connection."""

    def __init__(self, following: Following, way: Way, owner: Owner, *, shared: bool) -> None:
        self.following = following
        self.client = End(self, client=True)
        self.service: End | None = None
        self._way, self._owner, self._shared = way, owner, shared
        self._aim: Aim | None = None
        self._held = b""
        self._unsent: list[bytes] = []
        self._passing: Passing | None = None
        self._body: Body | None = None
        self._opaque = False
        """Whether no more is read of either side."""
        self._unread = False
        """Whether no more is read of the client; what was asked before is still answered."""
        self._waiting = False
        """Whether what is held goes on once everything so far is answered."""

    def other(self, end: End) -> End:
        """The opposite end."""
        if end is self.client:
            return self.service or End(self, client=False)
        return self.client

    # From the client

    def from_client(self, data: bytes) -> None:
        """Bytes of requests. Most are one head that came before, on a connection that waits for nothing."""
        route = self._way.known.get(data)
        if route is not None and not route.length and self._at_rest(route.aim):
            assert self.service is not None
            self.following.begin(route, monotonic_ns())
            self.service.write(route.head)
            return
        if self._opaque or self._unread:
            self._send(data)
            return
        if self._held:
            data, self._held = self._held + data, b""
        if self._waiting:
            self._held = data
        else:
            self._requests(data)

    def _at_rest(self, aim: Aim) -> bool:
        """Whether a request to a service may begin and go on at once."""
        if self._held or self._body is not None or self._waiting or self.service is None:
            return False
        if self._opaque or self._unread:
            return False
        return self._aim is aim or self._aim == aim

    def _requests(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size:
            if self._body is not None:
                at = self._request_body(self._body, data, at)
                continue
            end = data.find(END, at) + 4
            if end < 4 and not strange(data, at):
                self._held = data[at:]
                return
            head = data[at:end] if at or end < size else data
            route = self._way.route(head) if end >= 4 else None
            if route is None:
                self._leave_with(data[at:])
                return
            if self._aim != route.aim and not self._turn_to(route.aim, data[at:]):
                return
            self._passing = self.following.begin(route, monotonic_ns())
            self._send(route.head)
            self._body = body_of(route.length) if route.length else None
            at = end

    def _request_body(self, body: Body, data: bytes, at: int) -> int:
        """Send a piece of a body on; what follows it is another request."""
        content: list[bytes] = []
        assert self._passing is not None
        try:
            after = body.feed(data, at, content)
        except MalformedError as error:
            self._send(data[at:])
            self.following.request_body(self._passing, content)
            self._owner.note(LOST)
            self.following.request_unread(self._passing, f"the request's body could not be followed: {error}",
                                          monotonic_ns())  # fmt: skip
            self._unread, self._body = True, None
            self._opaque = not self.following.open
            return len(data)
        self._send(data[at:after])
        self.following.request_body(self._passing, content)
        if body.done:
            self.following.request_end(self._passing, body.trailers)
            self._body = None
        return after

    def _turn_to(self, aim: Aim, rest: bytes) -> bool:
        """Have the service called; another one only once the one before has answered everything."""
        if self.service is not None or self._aim is not None:
            if self.following.open:
                self._wait_with(rest)
                return False
            if self.service is not None:
                self.service.close()
        self._aim, self.service = aim, None
        self.client.hold(DIALLING)
        self._owner.call(self, aim)
        return True

    def _leave_with(self, rest: bytes) -> None:
        if self.following.open:
            self._wait_with(rest)
            return
        if self.service is not None:
            self.service.close()
        self.service, self._aim = None, None
        self._opaque = True
        self.client.hold(DIALLING)
        self._unsent = [rest]
        self._owner.leave(self)

    def _wait_with(self, rest: bytes) -> None:
        self._held, self._waiting = rest, True
        self.client.hold(EARLIER)

    def _send(self, data: bytes) -> None:
        if self.service is None:
            self._unsent.append(data)
        else:
            self.service.write(data)

    def client_ended(self) -> bool:
        """The client sends no more; answers under way are still sent."""
        if self._waiting:
            return True
        if self._held:
            self._owner.note(CUT_HEAD)
            self._send(self._held)
            self._held = b""
        if self.service is not None:
            if self.service.ended:
                return False  # nothing comes from either side
            self.service.end()
        elif self._aim is None and not self._opaque:
            return False
        return self.client.transport is not None and self.client.transport.can_write_eof()

    def client_lost(self, error: Exception | None) -> None:
        """The client is gone."""
        self.following.fail(GONE_CLIENT, monotonic_ns())
        if self.service is not None:
            if isinstance(error, ConnectionResetError):
                self.service.reset()
            else:
                self.service.close()
        self._owner.over(self)

    # From the service

    def arrive(self, service: End, aim: Aim) -> None:
        """The service is there before the client: see `secure` and `tunnel`."""
        self.service, self._aim = service, aim

    def attach(self, service: End) -> None:
        """The service was called and is there."""
        self.service = service
        if self.client.transport is None:
            service.close()
            return
        self.following.sent(monotonic_ns())
        if self._unsent:
            service.write(b"".join(self._unsent))
            self._unsent.clear()
        if self.client.ended:
            service.end()
        self.client.go_on(DIALLING)

    def refused(self, why: str) -> None:
        """The service could not be called: the client gets the closed connection that it would have got."""
        self.following.fail(why, monotonic_ns())
        self._unsent.clear()
        self.client.close()

    def relay(self) -> None:
        """What follows is not ours to read."""
        self._opaque = True

    def from_service(self, data: bytes) -> None:
        """Bytes of responses."""
        now = monotonic_ns()
        self.client.write(data)
        if self._opaque:
            return
        try:
            self.following.read(data, now)
        except MalformedError as error:
            self._lose(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a fault of the copy must never end the connection
            traceback.print_exc()
            self._lose(f"the copy could not be followed: {type(error).__name__}")
            return
        if not self.following.open:
            self._opaque = self._unread
            if self._waiting or self.following.closes:
                self._answered()

    def _answered(self) -> None:
        """Everything so far is answered."""
        if self.following.closes and self._body is None:
            # The service may leave it to its client to close, which takes us for the service.
            self.client.close()
        elif self._waiting:
            self._go_on()

    def _go_on(self) -> None:
        self._waiting, rest, self._held = False, self._held, b""
        self.client.go_on(EARLIER)
        self._requests(rest)

    def _lose(self, why: str) -> None:
        """Drop the copy, not the connection."""
        self._owner.note(LOST)
        self.following.fail(why, monotonic_ns())
        self._opaque, self._body = True, None
        if self._waiting:
            self._waiting, rest, self._held = False, self._held, b""
            self._send(rest)
            self.client.go_on(EARLIER)

    def service_ended(self, end: End) -> bool:
        """The service sends no more."""
        if end is not self.service:
            return False
        self.following.service_ended(monotonic_ns())
        if (self._body is not None or self._opaque or self._unread) and not self.client.ended:
            # What the client still sends goes on.
            self.client.end()
            return end.transport is not None and end.transport.can_write_eof()
        return False

    def service_lost(self, end: End, error: Exception | None) -> None:
        """The service is gone."""
        if end is not self.service:
            return
        if error is not None and self._aim is not None:
            self._broken(self._aim, error)
        self.service = None
        why = GONE_CLIENT if self.client.ended else GONE_SERVICE
        failed = bool(self.following.open)
        self.following.fail(why if error is None else str(error) or type(error).__name__, monotonic_ns())
        if isinstance(error, ConnectionResetError):
            self.client.reset()
        elif self._shared and not (failed or self.following.closes or self._opaque or self.client.ended):
            self._aim = None
            if self._waiting:
                self._go_on()
        else:
            self.client.close()

    def _broken(self, aim: Aim, error: Exception) -> None:
        """The service broke off: say for want of what, and record it where no request would."""
        if is_refusal(error):
            self._owner.note(wants_certificate(authority(aim.host, aim.port)))
        if not self.following.begun and not self._opaque:
            self.following.begin(connecting(aim), monotonic_ns())

    def hold(self, full: bool) -> None:
        """Have both ends wait for the recorder, or go on."""
        for end in (self.client, self.service):
            if end is not None:
                (end.hold if full else end.go_on)(RECORDER)

    def abort(self, why: str) -> None:
        """End at once."""
        self.following.fail(GONE_CLIENT if self.client.ended else why, monotonic_ns())
        for end in (self.client, self.service):
            if end is not None and end.transport is not None:
                end.transport.abort()


def strange(data: bytes, at: int) -> bool:
    """Whether the beginning of a head shows already that it is not the tee's to read."""
    return len(data) - at > HEAD_LIMIT or b"\n\n" in data[at:] or not (data[at : at + 1].isalpha())
