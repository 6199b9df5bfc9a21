"""One live request in, the bytes that answer it out: matching, answers, misses and the journal in one place.

It owns no socket: connections bring requests and send what it hands back.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence

from wiretape_capture.snapshot.exchange import Body, Request, Response
from wiretape_replay.bindings.rewrite import renumber_response
from wiretape_replay.match.closest import closest
from wiretape_replay.match.echo import Echo
from wiretape_replay.match.index import Index, Recorded
from wiretape_replay.match.lanes import SHARED
from wiretape_replay.match.matcher import Hit, Matcher, Miss
from wiretape_replay.match.numbered import Asked, NumberedMatcher
from wiretape_replay.match.parts import KEY_HEADERS, Parts
from wiretape_replay.mock import refusal
from wiretape_replay.mock.answer import Answer, echoed, render
from wiretape_replay.mock.incoming import Incoming
from wiretape_replay.mock.journal import Entry, Journal, line_after_time
from wiretape_replay.mock.origin import Origin
from wiretape_replay.mock.question import Given, Question, QuestionReader, Reply

JOURNALED_BODY = 64 << 10
"""Bytes; a longer body of a miss is journaled as its size and hash."""
MEANING = ("content-type", "content-encoding", *KEY_HEADERS)
"""Headers of a miss that are journaled: without them its body cannot be read; others may be secrets."""


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
        self._reader = QuestionReader(index)

    def opened(self, authority: str, origin: Origin) -> None:
        """A listener is open that stands for a service."""
        self._reader.doors[authority] = origin

    def question(self, incoming: Incoming, origin: Origin) -> Question:
        """What a request asks."""
        return self._reader.read(incoming, origin)

    def answer(self, question: Question) -> Reply:
        """The answer to one request. It moves the matching state on and writes the journal."""
        if question.parts is None:
            return self._refuse(question, refusal.WEBSOCKET, Miss())
        now = time.time_ns()
        found = self._match(question, question.parts, now)
        if isinstance(found, Miss):
            return self._refuse(question, refusal.USED_UP if found.used_up else refusal.NO_RECORDING, found)
        answer = self._answers[found.recorded.sequence]
        if question.kept and found.tier == "exact" and not found.echoes and not found.numbers:
            return self._as_recorded(question, found, answer, now)
        self.journal.record(_entry(question, found, answer, now))
        return self._from_recording(question, found, answer)

    def _match(self, question: Question, parts: Parts, now: int) -> Hit | Miss:
        numbered, head = self._numbered, question.incoming.head
        if question.ladder is not None:
            return self._matcher.match_ladder(question.ladder)
        if numbered is None or not numbered.concerns(question.service, head.method):
            return self._matcher.match(parts, question.lane, question.trace, now)
        request = Request(method=head.method, target=question.target, headers=head.headers, body=question.incoming.body)
        return numbered.match(Asked(question.service, request, parts, question.lane, question.trace, now))

    def _as_recorded(self, question: Question, found: Hit, answer: Answer, now: int) -> Reply:
        """A remembered request gets an answer as it is: what is sent and written is made once."""
        given = question.given.get(answer.sequence)
        if given is None:
            given = self._give(question, found, answer, now)
            if question.ladder is None and (ladder := self._ladder(question)):
                question.ladder, question.course = ladder, self._matcher.course(ladder)
        self.journal.again(now, given.line)
        if found.settled and question.ladder is not None:
            self._settle(question, given)
        return given.reply or Reply(given.pieces)

    def _give(self, question: Question, found: Hit, answer: Answer, now: int) -> Given:
        line = line_after_time(_entry(question, found, answer, now))
        reply = self._from_recording(question, found, answer)
        given = Given(reply.pieces, line, reply if reply.closes or reply.slow else None)
        question.given[answer.sequence] = given
        return given

    def _settle(self, question: Question, given: Given) -> None:
        if given.reply is None or not given.reply.slow:
            question.settled = given

    def again(self, question: Question) -> Given | None:
        """`answer` for a remembered request whose course is known; None for any other and when nothing is left."""
        course = question.course
        if course is None or (recorded := self._matcher.advance(course)) is None:
            return None
        now = time.time_ns()
        given = question.given.get(recorded.sequence)
        if given is None:
            given = self._give(question, Hit(recorded, "exact"), self._answers[recorded.sequence], now)
        self.journal.again(now, given.line)
        if recorded is course.last and self._matcher.stays(course, recorded):
            self._settle(question, given)
        return given

    def _ladder(self, question: Question) -> Sequence[Recorded] | None:
        """The exact answers to a request, if neither a session nor a number of the app has a say in them."""
        if question.lane != SHARED or question.parts is None:
            return None
        ladder = self._matcher.ladder(question.parts, question.trace)
        numbered, method = self._numbered, question.incoming.head.method
        if ladder is None or numbered is None:
            return ladder
        return ladder if all(numbered.is_plain(question.service, method, rung.sequence) for rung in ladder) else None

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

    def _from_recording(self, question: Question, found: Hit, answer: Answer) -> Reply:
        head = question.incoming.head
        pieces = answer.pieces
        if not answer.fault and not answer.stream and (found.echoes or found.numbers or head.minor == 0):
            response = answer.response()
            assert response is not None
            if found.numbers:
                response = _renumbered(found, response)
            if found.echoes:
                response = echoed(response, Echo(found.echoes))
            pieces = render(response, response.body.data or b"", head_only=head.method == "HEAD", plain=head.minor == 0)
        slow = answer if answer.stream or answer.fault else None
        return Reply(pieces, slow, not head.keep_alive, self._factor * answer.duration_us / 1e6)

    def _refuse(self, question: Question, problem: str, found: Miss) -> Reply:
        incoming, parts, name = question.incoming, question.parts, question.name
        head = incoming.head
        near = closest(self.index, parts) if parts is not None else ()
        hint = refusal.hint_for(name, sorted(self.index.names.values()), near, found.used_up)
        entry = Entry(
            time.time_ns(), name, head.method, question.target, "miss", None, "502", question.session,
            incoming.body.data, incoming.body.sha256, (), near, question.trace, asked_of(incoming, question.target),
        )  # fmt: skip
        if self.journal.record(entry) and self._on_miss is not None:
            self._on_miss(entry)
        data = refusal.miss(head.method, name, question.target, problem, near, hint)
        return Reply((data,), closes=not head.keep_alive or parts is None)


def _entry(question: Question, found: Hit, answer: Answer, now: int) -> Entry:
    body = question.incoming.body
    return Entry(
        now, question.name, question.incoming.head.method, question.target, found.tier, answer.sequence,
        answer.status, question.session, body.data, body.sha256, found.differences, (), question.trace,
    )  # fmt: skip


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
