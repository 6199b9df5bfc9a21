"""One live request in, the bytes that answer it out: matching, answers, misses and the journal in one place.

It owns no socket: connections bring requests and send what it hands back.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from wiretape_capture.snapshot.exchange import Body, Headers, Request, Response
from wiretape_replay.bindings.rewrite import renumber_response
from wiretape_replay.match.closest import closest
from wiretape_replay.match.echo import Echo
from wiretape_replay.match.index import Index
from wiretape_replay.match.lanes import trace_of
from wiretape_replay.match.matcher import Hit, Matcher, Miss
from wiretape_replay.match.numbered import Asked, NumberedMatcher
from wiretape_replay.match.parts import KEY_HEADERS, Parts, parts_of
from wiretape_replay.mock import refusal
from wiretape_replay.mock.answer import Answer, echoed, render
from wiretape_replay.mock.incoming import Incoming
from wiretape_replay.mock.journal import Entry, Journal
from wiretape_replay.mock.origin import Origin, aim, service_of

MEMO_LIMIT = 10_000
"""Requests without a body whose parts are remembered."""
JOURNALED_BODY = 64 << 10
"""Bytes; a longer body of a miss is journaled as its size and hash."""
MEANING = ("content-type", "content-encoding", *KEY_HEADERS)
"""Headers of a miss that are journaled: without them its body cannot be read; others may be secrets."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send for one request."""

    data: bytes
    answer: Answer | None = None
    """The recorded answer, where there is more to it than `data`: a delay, a body to stream, a failure."""
    closes: bool = False
    delay: float = 0.0
    """Seconds to wait before sending."""


class Desk:
    """Answers requests from one index and the answers prebuilt from it."""

    def __init__(self, index: Index, matcher: Matcher, answers: Mapping[int, Answer], journal: Journal,
                 delay_factor: float = 0.0, on_miss: Callable[[Entry], None] | None = None,
                 numbered: NumberedMatcher | None = None) -> None:  # fmt: skip
        self.index = index
        self.journal = journal
        self._matcher = matcher
        self._numbered = numbered
        self._answers = answers
        self._factor = delay_factor
        self._on_miss = on_miss
        self._memo: dict[tuple[str, str, str], Parts] = {}

    def reply(self, incoming: Incoming, origin: Origin) -> Reply:
        """The answer to one request. It moves the matching state on and writes the journal."""
        head = incoming.head
        origin, target = aim(origin, head.target, head.headers)
        service = service_of(self.index, origin, head.headers)
        if _wants_websocket(head.headers):
            return self._refuse(incoming, service, target, refusal.WEBSOCKET, Miss(), None)
        parts = self._parts(service, target, incoming)
        lane = self.index.lanes.lane(head.headers)
        trace = trace_of(head.headers) if self.index.traces else ""
        now = time.time_ns()
        if self._numbered is not None and self._numbered.concerns(service, head.method):
            request = Request(method=head.method, target=target, headers=head.headers, body=incoming.body)
            found = self._numbered.match(Asked(service, request, parts, lane, trace, now))
        else:
            found = self._matcher.match(parts, lane, trace, now)
        if isinstance(found, Miss):
            problem = refusal.USED_UP if found.used_up else refusal.NO_RECORDING
            return self._refuse(incoming, service, target, problem, found, parts)
        answer = self._answers[found.recorded.sequence]
        self.journal.record(Entry(
            now, self.index.name(service), head.method, target, found.tier, answer.sequence, answer.status,
            session_name(lane), incoming.body.data, incoming.body.sha256, found.differences, (), trace,
        ))  # fmt: skip
        return self._from_recording(incoming, found, answer)

    def tunnel_failure(self, authority: str) -> Answer | None:
        """The recorded failure of a tunnel to a service that was not there, when it is due.

        Failures come before what succeeded later; a service that never answered fails each time.
        """
        recorded = self.index.by_service.get(self.index.service("https", authority), ())
        failures = [each for each in recorded if each.parts.method == "CONNECT"]
        used = self._matcher.used
        due = next((each for each in failures if each.sequence not in used), None)
        if due is None and failures and len(failures) == len(recorded):
            due = failures[-1]
        if due is None:
            return None
        used.add(due.sequence)
        self.journal.record(
            Entry(time.time_ns(), self.index.name(due.parts.service), "CONNECT", authority, "exact", due.sequence)
        )
        return self._answers[due.sequence]

    def _parts(self, service: str, target: str, incoming: Incoming) -> Parts:
        head = incoming.head
        if incoming.body.size or any(name.lower() in KEY_HEADERS for name, _ in head.headers):
            return parts_of(service, head.method, target, head.headers, incoming.body)
        key = (service, head.method, target)
        parts = self._memo.get(key)
        if parts is None:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            parts = self._memo[key] = parts_of(service, head.method, target, head.headers, incoming.body)
        return parts

    def _from_recording(self, incoming: Incoming, found: Hit, answer: Answer) -> Reply:
        head = incoming.head
        data = answer.whole
        plain = head.minor == 0 and not answer.stream
        if answer.response is not None and not answer.fault and (found.echoes or found.numbers or plain):
            response = answer.response
            if found.numbers and not answer.stream:
                response = _renumbered(found, response)
            if found.echoes and not answer.stream:
                response = echoed(response, Echo(found.echoes))
            if not answer.stream:
                data = render(response, head_only=head.method == "HEAD", plain=plain)
        slow = answer if answer.stream or answer.fault else None
        return Reply(data, slow, not head.keep_alive, self._factor * answer.duration_us / 1e6)

    def _refuse(self, incoming: Incoming, service: str, target: str, problem: str, found: Miss,
                parts: Parts | None) -> Reply:  # fmt: skip
        head = incoming.head
        near = closest(self.index, parts) if parts is not None else ()
        name = self.index.name(service)
        hint = refusal.hint_for(name, sorted(self.index.names.values()), near, found.used_up)
        entry = Entry(
            time.time_ns(), name, head.method, target, "miss", None, "502",
            session_name(self.index.lanes.lane(head.headers)), incoming.body.data, incoming.body.sha256, (), near,
            trace_of(head.headers) if self.index.traces else "", asked_of(incoming, target),
        )  # fmt: skip
        if self.journal.record(entry) and self._on_miss is not None:
            self._on_miss(entry)
        data = refusal.miss(head.method, name, target, problem, near, hint)
        return Reply(data, closes=not head.keep_alive or parts is None)


def asked_of(incoming: Incoming, target: str) -> Request:
    """A live request as the journal keeps it."""
    head, data = incoming.head, incoming.body.data
    small = data if data is not None and len(data) <= JOURNALED_BODY else None
    sha256 = incoming.body.sha256 or hashlib.sha256(data or b"").hexdigest()
    headers = tuple((name, value) for name, value in head.headers if name.lower() in MEANING)
    body = Body(size=incoming.body.size, sha256=sha256, data=small)
    return Request(method=head.method, target=target, headers=headers, body=body)


def _renumbered(found: Hit, response: Response) -> Response:
    asked = Request(method=found.recorded.parts.method, target=found.recorded.location)
    return renumber_response(asked, response, {(noun, was): now for noun, was, now in found.numbers})


def session_name(lane: str) -> str:
    """A name for a session in the journal; what tells sessions apart may be a secret."""
    return "s-" + blake2b(lane.encode("utf-8", "replace"), digest_size=4).hexdigest() if lane else ""


def _wants_websocket(headers: Headers) -> bool:
    return any(name.lower() == "upgrade" and value.strip().lower() == "websocket" for name, value in headers)
