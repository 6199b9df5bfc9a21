"""The way of remembered requests through one connection: they are neither parsed nor taken apart again.

Only whole requests that the parser took as exactly one are remembered, so that bytes mean here what they mean there.
Whether an answer still holds is not decided here: see `Hit.settled`.
"""

from __future__ import annotations

import re
from time import time_ns

from wiretape_replay.mock.conversation import Conversation
from wiretape_replay.mock.desk import Desk
from wiretape_replay.mock.origin import Origin
from wiretape_replay.mock.question import Question, Reply
from wiretape_replay.mock.seen import Seen
from wiretape_replay.mock.wire import Wire

KEPT_REQUEST = 16 << 10
"""Bytes; a longer request is read each time."""
_END = b"\r\n\r\n"
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r]*)", re.IGNORECASE)


class Shortcut:
    """Answers what is known of one origin's requests."""

    def __init__(self, seen: Seen, origin: Origin, conversation: Conversation, wire: Wire, desk: Desk) -> None:
        self._seen = seen
        self._origin = origin
        self._known = seen.at(origin)
        self._conversation = conversation
        self._wire = wire
        self._desk = desk
        self._journal = desk.journal

    def at_once(self, data: bytes) -> bytes | None:
        """Answer a known request whose bytes came alone, while nothing else is under way: what is to be sent.

        None: it is not known. Empty: the answer is under way, or the end of the connection.
        """
        known = self._known
        plain = known.plain.get(data)
        if plain is not None:
            answer, line = plain
            self._journal.again(time_ns(), line)
            return answer
        question = known.asked.get(data)
        if question is not None:
            given = self._desk.again(question)
            if question.settled is not None:
                known.settle(data, question.settled)
        elif (given := known.settled.get(data)) is not None:
            self._journal.again(time_ns(), given.line)
        if given is None:
            return None
        if given.reply is None:
            return b"".join(given.pieces)
        self._conversation.reply(given.reply)
        return b""

    def answer(self, data: bytes) -> int:
        """Answer requests from the front of the data as long as they are known; says how many bytes that took."""
        known = self._known
        start, size = 0, len(data)
        while start < size:
            end = data.find(_END, start) + 4
            if end < 4:
                break
            raw = data if end == size and not start else data[start:end]
            if (body := known.bodies.get(raw)) is not None:
                end += body
                raw = data[start:end]
            if (plain := known.plain.get(raw)) is not None:
                answer, line = plain
                self._journal.again(time_ns(), line)
                self._wire.later((answer,))
                start = end
                continue
            if (given := known.settled.get(raw)) is not None:
                self._journal.again(time_ns(), given.line)
                self._conversation.reply(given.reply or Reply(given.pieces))
            elif (question := known.asked.get(raw)) is not None:
                self._conversation.answer(question)
                if question.settled is not None:
                    known.settle(raw, question.settled)
            else:
                break
            start = end
            if self._conversation.busy or self._wire.closing:
                break
        return start

    def next_request(self, data: bytes) -> tuple[bytes, int, bool]:
        """The first request of the data, or its head, to be read by itself; empty while the head is not whole.

        With it the size of its body and whether it is worth remembering: it is whole, and came before.
        """
        end = data.find(_END) + 4
        if not 4 <= end <= KEPT_REQUEST:
            return b"", 0, False
        head = data[:end]
        framing = _FRAMING.findall(head)
        if not framing:
            return head, 0, self._seen.met(head)
        (name, value), *more = framing
        if more or name.lower() != b"content-length" or not value.isdigit() or len(value) > len(str(KEPT_REQUEST)):
            return head, 0, False
        size = int(value)
        raw = data[: end + size]
        if not len(raw) == end + size <= KEPT_REQUEST:
            return head, 0, False
        return raw, size, self._seen.met(raw)

    def keep(self, raw: bytes, body_size: int, question: Question) -> None:
        """Remember a request."""
        if question.parts is not None:
            self._seen.keep(self._origin, raw, body_size, question)
            self._known = self._seen.at(self._origin)
