"""One HTTP/1.1 connection to the target: at most one request under way, its answer read as it comes.

An answer's bytes are compared with the recorded ones while they arrive; they are kept only where somebody wants them.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httptools

from wiretape_replay.load.alarm import clock
from wiretape_replay.load.answer import Answer, headers_of
from wiretape_replay.load.head import Head
from wiretape_replay.load.inbox import Inbox
from wiretape_replay.load.samples import USUALLY
from wiretape_replay.load.tally import ALIKE, EQUAL, UNEQUAL
from wiretape_replay.run_file import BODY_LIMIT

if TYPE_CHECKING:
    from wiretape_replay.load.call import Call

HEADS = 1024
"""Heads of answers that are remembered."""
WHOLE = 16_384
"""Bytes of an answer up to which it is remembered as a whole."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:")
HEAD_LIMIT = 256 * 1024
"""Bytes of an answer's head; real servers stop at 8 to 64 KiB."""


class Connection(asyncio.Protocol):
    """A connection; its owner is told of each answer's end, and of the connection's own."""

    __slots__ = (
        "_broken",
        "_complete",
        "_dirty",
        "_equal",
        "_hash",
        "_heads",
        "_in_body",
        "_inbox",
        "_kept",
        "_parser",
        "_pieces",
        "_raw",
        "_transport",
        "answered",
        "call",
        "heard",
        "kind",
        "lost",
        "open",
        "repeated",
        "reusable",
        "since",
        "size",
        "status",
        "used",
        "want",
        "write",
    )  # fmt: skip

    def __init__(self, answered: Callable[[Connection, int], None],
                 repeated: Callable[[Connection, Call, int, int], None], lost: Callable[[Connection, str], None],
                 want: Callable[[Connection], bool], inbox: Inbox, heads: dict[bytes, Head]) -> None:  # fmt: skip
        """`repeated` is told of an answer that is as recorded and teaches nothing, `answered` of others."""
        self.answered, self.repeated, self.lost, self.want = answered, repeated, lost, want
        self._inbox, self._pieces = inbox, inbox.pieces
        self._heads = heads
        """Heads that the parser has accepted before: shared by all connections."""
        self._transport: Any = None
        self.write: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self.call: Call | None = None
        self.open = False
        self.used = False
        """Whether an answer came on it before."""
        self.since = 0
        """Since when it is idle."""
        self._dirty = False
        """Whether anything is left of the answer before."""
        self._begin()

    def _begin(self) -> None:
        self._raw = b""
        self._in_body = self._complete = self.heard = False
        self._broken = ""
        self._kept: list[bytes] | None = None
        self._hash: Any = None
        self._equal, self.reusable = True, True
        self.kind = UNEQUAL
        """Whether the body is the recorded one: `EQUAL`, `ALIKE` or `UNEQUAL`."""
        self.size = self.status = 0
        self._dirty = False

    def send(self, call: Call, data: bytes) -> None:
        """Send a request; the owner sees to it that none is under way."""
        self.call = call
        if self._dirty:
            self._begin()
        self.write(data)

    def close(self) -> None:
        """End it at once, without a word to its owner."""
        self.open = False
        self.call = None
        if self._transport is not None:
            self._transport.abort()

    def answer(self) -> Answer | None:
        """The answer as it came; None where its bytes were not kept."""
        if self._kept is None and self._hash is None:
            return None
        return Answer(self.status, self._raw, self._kept, self.size, self.digest)

    @property
    def digest(self) -> str | None:
        """The hash of a body that is too large to be held."""
        return self._hash.hexdigest() if self._hash is not None else None

    # What the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.write = self._transport.write
        self.open = True

    def data_received(self, data: bytes) -> None:
        if not self._pieces:
            self._inbox.wake()
        self._pieces.append((self, data, clock()))

    def look(self, data: bytes, now: int) -> None:
        """See what has arrived; `now` is when it did."""
        call = self.call
        if not self.open:
            return
        if call is None:
            self._end("")
            return
        if not self._dirty:
            # Nearly all answers are one piece of data with a head that was seen within this second: Date changes then.
            item = call.item
            if data == item.whole and not call.keeps:
                self.used = True
                self.repeated(self, call, EQUAL, now)
                return
            seen = item.seen
            if seen is not None and len(data) == seen.length and data.startswith(seen.head):
                self._whole(call, data, seen, now)
                return
            seen = self._heads.get(data[: data.find(b"\r\n\r\n")])
            if seen is not None and len(data) == seen.length and not item.head:
                item.seen = seen
                self._whole(call, data, seen, now)
                return
            self._begin()
            self._dirty = True
        self._parse(data, now)

    def _whole(self, call: Call, data: bytes, seen: Head, now: int) -> None:
        """An answer in one piece."""
        item, status, size = call.item, seen.status, seen.size
        body, expected = item.body, call.expected
        if body is None or expected is None:
            kind = EQUAL if hashlib.sha256(data[len(seen.head) :]).hexdigest() == item.sha256 else UNEQUAL
        elif size == item.size and data.endswith(body):
            kind = EQUAL
        else:
            alike = expected is not body and size == len(expected) and data.endswith(expected)
            kind = ALIKE if alike else UNEQUAL
        self.used = True
        if kind != UNEQUAL and status == item.status and not call.keeps:
            if kind == EQUAL and item.equals >= USUALLY and len(data) <= WHOLE:
                item.whole = data
            item.equals += 1
            self.repeated(self, call, kind, now)
            return
        self.status, self.size, self.kind = status, size, kind
        odd = status != item.status or (kind == UNEQUAL and item.equals >= USUALLY)
        if call.keeps or (odd and call.suspect(status)):
            self._raw, self._kept = data, [data[len(seen.head) :]]
            self._dirty = True
        self.answered(self, now)

    def _parse(self, data: bytes, now: int) -> None:
        self.heard = True
        if not self._in_body:
            self._raw = self._raw + data if self._raw else data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken = "the target switched to another protocol"
        except httptools.HttpParserError as error:
            if not self._complete:
                self._broken = self._broken or f"the answer is no HTTP: {_plain(error)}"
            self.reusable = False
        if self._complete:
            self._remember(data)
            self._finish(now)
        elif self._broken:
            self._end(self._broken)
        elif not self._in_body and len(self._raw) > HEAD_LIMIT:
            self._end(f"the answer's head is larger than {HEAD_LIMIT // 1024} KiB")

    def _remember(self, data: bytes) -> None:
        """Remember the head of an answer that came in one piece and says its own length."""
        if self._raw is not data or not self.reusable:
            return
        head, _, body = data.partition(b"\r\n\r\n")
        if len(body) == self.size and _LENGTH.search(head) and b"transfer-encoding" not in head.lower():
            if len(self._heads) >= HEADS:
                self._heads.clear()
            self._heads[head] = Head(head + b"\r\n\r\n", self.status, self.size)

    def eof_received(self) -> None:
        """Half-closed: nothing more will come, and nobody will read what is sent."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        call = self.call
        if call is not None and self._in_body and not self._complete and self._ends_with_connection():
            self.reusable = False
            self._complete = True
            self._finish(clock())
        else:
            self.lost(self, _why(exc, self.heard) if call is not None else "")

    # What the parser says

    def on_message_begin(self) -> None:
        if self._complete:
            self.reusable = False

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self._in_body = True
        call = self.call
        assert call is not None
        if self.want(self) or call.expected is not call.item.body:
            self._kept = []
        elif call.item.body is None:
            self._hash = hashlib.sha256()
        if call.item.head and not self._complete:
            # The parser cannot know that no body follows, so another one reads the next answer.
            self.reusable = self._parser.should_keep_alive()
            self._complete = True

    def on_body(self, data: bytes) -> None:
        if self._complete:
            self.reusable = False
            return
        call = self.call
        assert call is not None
        expected = call.item.body
        if self._equal and expected is not None and not expected.startswith(data, self.size):
            self._equal = False
            if self._kept is None and self._hash is None and call.suspect(self.status):
                self._kept = [expected[: self.size]]
        self.size += len(data)
        if self._hash is not None:
            self._hash.update(data)
        elif self._kept is not None:
            self._kept.append(data)
            if self.size > BODY_LIMIT:
                self._hash = hashlib.sha256(b"".join(self._kept))
                self._kept = None

    def on_message_complete(self) -> None:
        if self._complete:
            return
        if self.status < 200:
            self._raw = self._raw.partition(b"\r\n\r\n")[2]  # the final head may have come with it
            self._in_body = False
            if self.status == 101:
                self._broken = "the target switched to another protocol"
            return
        self.reusable = self._parser.should_keep_alive()
        self._complete = True

    def _finish(self, now: int) -> None:
        call = self.call
        assert call is not None
        if call.item.head:
            self._parser = httptools.HttpResponseParser(self)
        if call.item.body is None:
            equal = self.digest == call.item.sha256
        else:
            equal = self._equal and self.size == call.item.size
        self.kind = EQUAL if equal else UNEQUAL
        if not equal and call.expected is not call.item.body and self._kept is not None:
            self.kind = ALIKE if b"".join(self._kept) == call.expected else UNEQUAL
        self.used = True
        self.answered(self, now)

    def _end(self, why: str) -> None:
        self.open = False
        self._transport.abort()
        self.lost(self, why)

    def _ends_with_connection(self) -> bool:
        """Whether the answer has no length of its own (RFC 9112 §6.3)."""
        names = {name.lower() for name, _ in headers_of(self._raw.partition(b"\r\n\r\n")[0])}
        return names.isdisjoint(("content-length", "transfer-encoding"))


def _why(error: Exception | None, heard: bool) -> str:
    how = "was reset" if isinstance(error, ConnectionError) else "ended"
    return f"the connection {how} " + ("in the middle of the answer" if heard else "before any answer")


def _plain(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].lower()}{text[1:]}" if text else type(error).__name__
