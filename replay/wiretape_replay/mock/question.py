"""One live request taken apart: what follows from its bytes alone, and so holds when the same bytes come again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from wiretape_capture.snapshot.exchange import Headers
from wiretape_replay.match.index import Index, Recorded
from wiretape_replay.match.ladder import Ladder
from wiretape_replay.match.lanes import trace_of
from wiretape_replay.match.parts import KEY_HEADER_NAMES, Parts, parts_of
from wiretape_replay.mock.answer import Answer, Pieces
from wiretape_replay.mock.incoming import Incoming
from wiretape_replay.mock.origin import Origin, aim, service_of

MEMO_LIMIT = 10_000
"""Requests without a body whose parts are remembered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send for one request."""

    pieces: Pieces
    answer: Answer | None = None
    """The recorded answer, where there is more to it than `pieces`: a body to stream, a failure."""
    closes: bool = False
    delay: float = 0.0
    """Seconds to wait before sending."""

    @property
    def slow(self) -> bool:
        """Whether it cannot be sent at once."""
        return self.answer is not None or self.delay > 0


@dataclass(slots=True)
class Given:
    """An exact answer as one request got it."""

    pieces: Pieces
    line: bytes
    """Of the journal, after the time."""
    reply: Reply | None = None
    """Where there is more to it than to send the pieces."""


@dataclass(slots=True)
class Question:
    """One live request."""

    incoming: Incoming
    target: str
    """In origin form."""
    service: str
    name: str
    """The service as people know it."""
    parts: Parts | None
    """None for an upgrade, which is refused whatever was recorded."""
    lane: str
    session: str
    """The lane's name in the journal."""
    trace: str
    kept: bool = False
    """It is meant to be remembered: what answers it is made for more than once."""
    given: dict[int, Given] = field(default_factory=dict)
    """Exact answers that it got, by sequence."""
    ladder: Sequence[Recorded] | None = None
    """All its exact answers in recorded order, once they are known to be those of later requests too."""
    course: Ladder[Recorded] | None = None
    """The same, where nothing but order and state has a say in which of them is due."""
    settled: Given | None = None
    """The answer that it gets from now on, whatever else is asked."""


class QuestionReader:
    """Takes requests apart."""

    def __init__(self, index: Index) -> None:
        self.doors: dict[str, Origin] = {}
        """What the mock's own listeners stand for, by their `host:port`: an app may go to them through the proxy."""
        self._index = index
        self._memo: dict[tuple[str, str, str], Parts] = {}

    def read(self, incoming: Incoming, origin: Origin) -> Question:
        """The question that a request asks where it arrived."""
        head, index = incoming.head, self._index
        origin, target = aim(origin, head.target, head.headers)
        origin = self.doors.get(origin.authority, origin)
        service = service_of(index, origin, head.headers)
        lane = index.lanes.lane(head.headers)
        refused = "upgrade" in head.names and _wants_websocket(head.headers)
        return Question(
            incoming, target, service, index.name(service),
            None if refused else self._parts(service, target, incoming), lane, session_name(lane),
            trace_of(head.headers) if index.traces else "",
        )  # fmt: skip

    def _parts(self, service: str, target: str, incoming: Incoming) -> Parts:
        head = incoming.head
        if incoming.body.size or not KEY_HEADER_NAMES.isdisjoint(head.names):
            return parts_of(service, head.method, target, head.headers, incoming.body)
        key = (service, head.method, target)
        parts = self._memo.get(key)
        if parts is None:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            parts = self._memo[key] = parts_of(service, head.method, target, head.headers, incoming.body)
        return parts


def session_name(lane: str) -> str:
    """A name for a session in the journal; what tells sessions apart may be a secret."""
    return "s-" + blake2b(lane.encode("utf-8", "replace"), digest_size=4).hexdigest() if lane else ""


def _wants_websocket(headers: Headers) -> bool:
    return any(name.lower() == "upgrade" and value.strip().lower() == "websocket" for name, value in headers)
