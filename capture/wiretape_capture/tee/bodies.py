"""Bodies of HTTP/1 messages as they pass: what of the bytes is content, and where the message ends. Pure."""

from __future__ import annotations

import re
from typing import Protocol

from wiretape_capture.tee.heads import CHUNKED, UNTIL_CLOSE, MalformedError

LINE_LIMIT = 16 * 1024
"""Bytes of a chunk's first line, with its extensions."""
TRAILER_LIMIT = 64 * 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")


class Body(Protocol):
    """A body that is still coming."""

    done: bool
    trailers: bytes
    """Trailer lines as sent."""

    def feed(self, data: bytes, at: int, content: list[bytes]) -> int:
        """Read on from `at`; adds content and says where the next message begins. Raises MalformedError."""
        ...


class Counted:
    """A body of known length."""

    trailers = b""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length

    def feed(self, data: bytes, at: int, content: list[bytes]) -> int:
        """Take as much as is left."""
        piece = data[at : at + self._left]
        self._left -= len(piece)
        self.done = not self._left
        content.append(piece)
        return at + len(piece)


class Endless:
    """A body that ends with its connection."""

    trailers = b""
    done = False

    def feed(self, data: bytes, at: int, content: list[bytes]) -> int:
        """Take everything."""
        content.append(data[at:] if at else data)
        return len(data)


class Chunks:
    """A body in chunks (RFC 9112 §7.1)."""

    def __init__(self) -> None:
        self.done = False
        self.trailers = b""
        self._left = 0
        self._line = b""
        self._read = self._size

    def feed(self, data: bytes, at: int, content: list[bytes]) -> int:
        """Take chunks until the data or the body ends."""
        while at < len(data) and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                content.append(piece)
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            if len(self._line) > LINE_LIMIT:
                raise MalformedError("a chunk's line is too long")
            if not end:
                return len(data)
            line, self._line, at = self._line, b"", end
            self._read(line)
        return at

    def _size(self, line: bytes) -> None:
        size = _SIZE.fullmatch(line)
        if size is None:
            raise MalformedError("a chunk's size is no number")
        self._left = int(size[1], 16)
        self._read = self._after if self._left else self._trailer

    def _after(self, line: bytes) -> None:
        if line.strip(b"\r\n"):
            raise MalformedError("a chunk is longer than it said")
        self._read = self._size

    def _trailer(self, line: bytes) -> None:
        if line in (b"\r\n", b"\n"):
            self.done = True
            return
        self.trailers += line
        if len(self.trailers) > TRAILER_LIMIT:
            raise MalformedError("the trailers are too long")


def body_of(length: int) -> Body:
    """The body of a message whose head was read."""
    if length == CHUNKED:
        return Chunks()
    return Endless() if length == UNTIL_CLOSE else Counted(length)
