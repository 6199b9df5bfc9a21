"""The exchanges of one connection as their bytes pass: which response is whose, and what the recorder is told of them.

Bytes and times in, records out; it neither opens nor writes to a connection, and its faults concern the copy alone.
"""

from __future__ import annotations

from collections import deque
from itertools import count

from wiretape_capture.tee.bodies import Body, body_of
from wiretape_capture.tee.channel import Channel
from wiretape_capture.tee.heads import (
    ANSWER_HEAD_LIMIT,
    END,
    UNTIL_CLOSE,
    AnswerHead,
    MalformedError,
    answer_head,
    known_answer,
)
from wiretape_capture.tee.records import Kind, answer_front, begin_front
from wiretape_capture.tee.route import Route

INFORMATIONAL = "informational responses (1xx) that passed and were not recorded"
CUT_REQUEST = "the request's body did not come whole"
UNASKED = "bytes came from a service that nobody had asked; they passed and were not recorded"

# An enumeration's members cost a look-up each time.
BEGIN, WHOLE, ANSWER = Kind.BEGIN, Kind.WHOLE, Kind.ANSWER

_numbers = count(1)
_ID_MASK = (1 << 32) - 1


class Passing:
    """One exchange on the wire."""

    __slots__ = ("closes", "copied", "id", "method", "request_done")

    def __init__(self, route: Route, copied: bool) -> None:
        self.id = next(_numbers) & _ID_MASK
        self.method = route.method
        self.closes = route.closes
        self.copied = copied
        self.request_done = False


class Following:
    """The exchanges of one client's connection that are not over."""

    def __init__(self, channel: Channel, connection: int, place: int, secure: bool) -> None:
        self._channel = channel
        self._connection = connection
        self._place = place
        self._secure = secure
        self._held = b""
        self._came = 0
        self._answer: AnswerHead | None = None
        self._body: Body | None = None
        self.open: deque[Passing] = deque()
        self.begun = False
        """Whether there was a request at all."""
        self._early: Passing | None = None
        """One that is answered already although its request goes on."""
        self._unread = ""
        """Why the last request could not be followed to its end."""
        self.closes = False
        """Whether one side said that it ends the connection after what is answered."""

    @property
    def within_answer(self) -> bool:
        """Whether a response has begun and is not over."""
        return bool(self._held) or self._body is not None

    def begin(self, route: Route, now: int) -> Passing:
        """A request's head is about to pass."""
        passing = Passing(route, self._channel.admits())
        self.open.append(passing)
        self.begun = True
        if passing.copied:
            front = begin_front(self._connection, self._place, self._secure, len(route.service))
            self._channel.tell(BEGIN if route.length else WHOLE, passing.id, now, front, route.told)
        passing.request_done = not route.length
        return passing

    def sent(self, now: int) -> None:
        """The requests so far could only be sent now."""
        for passing in self.open:
            self._tell(Kind.SENT, passing, now)

    def request_body(self, passing: Passing, content: list[bytes]) -> None:
        """Content of a request's body passed."""
        for piece in content:
            self._tell(Kind.REQUEST_BODY, passing, 0, piece)

    def request_end(self, passing: Passing, trailers: bytes) -> None:
        """A request is over."""
        passing.request_done = True
        self._early = None
        self._tell(Kind.REQUEST_END, passing, 0, trailers)

    def request_unread(self, passing: Passing, why: str, now: int) -> None:
        """A request passes on unread; what answers it is followed still."""
        self._unread = why
        if passing is self._early:
            self._tell_cut(passing, now)

    def read(self, data: bytes, now: int) -> None:
        """Bytes came from the service. Raises MalformedError where they are no responses to what was asked."""
        if self._held:
            data, self._held = self._held + data, b""
        elif self._body is None:
            if self._whole(data, now):
                return
            self._came = now
        at, size = 0, len(data)
        while at < size:
            if self._body is None:
                if not self.open:
                    self._channel.note(UNASKED)
                    if self.closes:
                        return
                    raise MalformedError(UNASKED)
                at = self._head(data, at, now)
            else:
                at = self._content(self._body, data, at, now)

    def _whole(self, data: bytes, now: int) -> bool:
        """Read what most readings are: one whole response with a head that came before."""
        end = data.find(END) + 4
        answer = known_answer(data[:end])
        if answer is None or end + answer.length != len(data) or not self.open or self._channel.full:
            return False
        passing = self.open[0]
        if passing.method == b"HEAD" or not passing.copied or answer.status < 200:
            return False
        self._channel.tell(ANSWER, passing.id, now, answer_front(end), data)
        self.closes = answer.closes or self.closes
        self._over(now)
        return True

    def _head(self, data: bytes, at: int, now: int) -> int:
        end = data.find(END, at) + 4
        if end < 4:
            self._held = data[at:]
            if len(self._held) > ANSWER_HEAD_LIMIT or not b"HTTP/1.".startswith(self._held[:7]):
                raise MalformedError("bad http response: its head does not end or is no head")
            return len(data)
        head = data[at:end]
        passing = self.open[0]
        answer = answer_head(head, passing.method)
        if answer.status < 200 and answer.status != 101:
            if answer.status != 100:
                self._channel.note(INFORMATIONAL)
            return end
        self.closes = self.closes or answer.closes
        if answer.length >= 0 and end + answer.length <= len(data):
            after = end + answer.length
            if passing.copied and not self._cut(passing, now):
                whole = data if after - at == len(data) else data[at:after]
                self._channel.tell(ANSWER, passing.id, now, answer_front(end - at), whole)
            self._over(now)
            return after
        self._tell(Kind.ANSWER_HEAD, passing, self._came, head)
        self._answer, self._body = answer, body_of(answer.length)
        return end

    def _content(self, body: Body, data: bytes, at: int, now: int) -> int:
        content: list[bytes] = []
        try:
            at = body.feed(data, at, content)
        finally:
            for piece in content:
                self._tell(Kind.ANSWER_BODY, self.open[0], now, piece)
        if body.done:
            self._tell(Kind.ANSWER_END, self.open[0], now, body.trailers)
            self._over(now)
        return at

    def _over(self, now: int) -> None:
        passing = self.open.popleft()
        self.closes = passing.closes or self.closes
        self._answer = self._body = None
        if not passing.request_done:
            self._early = passing
            if self._unread:
                self._tell_cut(passing, now)

    def _tell_cut(self, passing: Passing, now: int) -> None:
        """The request of an answered exchange will not come whole."""
        self._early = None
        self._tell(Kind.FAIL, passing, now, (self._unread or CUT_REQUEST).encode())

    def service_ended(self, now: int) -> None:
        """The service sends no more: the end of a body that ends so."""
        if self._answer is not None and self._answer.length == UNTIL_CLOSE:
            self._tell(Kind.ANSWER_END, self.open[0], now)
            self._over(now)

    def fail(self, why: str, now: int) -> None:
        """What is open will not be answered any more."""
        if self._early is not None:
            self._tell_cut(self._early, now)
        for passing in self.open:
            reason = why if passing.request_done else self._unread or why
            self._tell(Kind.FAIL, passing, now, reason.encode("utf-8", "replace"))
        self.open.clear()
        self._held, self._answer, self._body = b"", None, None

    def _tell(self, kind: Kind, passing: Passing, now: int, payload: bytes = b"") -> None:
        if passing.copied and not (payload and self._cut(passing, now)):
            self._channel.tell(kind, passing.id, now, payload)

    def _cut(self, passing: Passing, now: int) -> bool:
        """Whether the exchange had to be cut because its copy would go beyond every bound."""
        if not (self._channel.full and self._channel.overrun):
            return False
        passing.copied = False
        self._channel.tell(Kind.FAIL, passing.id, now, b"cut because the recorder could not keep up")
        return True
