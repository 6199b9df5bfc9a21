"""What a Redis server sends: RESP2 and RESP3, in any pieces, to cells. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.protocols.redis.buffer import KEPT, Buffer, Malformed, number_of
from wiretape_capture.protocols.redis.cells import NULL_ARRAY, Cell, to_text

REPLY_KEPT = 64 << 20
"""Bytes of one reply that are kept, all its strings together."""
DEPTH = 128
"""Collections in each other."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One value from the server."""

    cell: Cell
    size: int
    """Bytes of its strings."""
    dropped: int = 0
    """Values in it that were not kept."""


class _Frame:
    """A collection whose members come."""

    __slots__ = ("items", "kind", "left", "of")

    def __init__(self, kind: int, left: int, of: list[list[Cell]] | None = None) -> None:
        self.kind = kind
        self.left = left
        self.items: list[Cell] = []
        self.of = of

    def cell(self) -> Cell:
        """What it is, complete."""
        items = self.items
        match self.kind:
            case 0x2A:  # *
                return items
            case 0x25 | 0x7C:  # % |
                return {"map": [items[at : at + 2] for at in range(0, len(items) - 1, 2)]}
            case 0x7E:  # ~
                return {"set": items}
            case 0x3E:  # >
                return {"push": items}
            case _:
                return {"attributes": self.of, "of": items[0] if items else None}


class ReplyReader:
    """What the server sends."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._stack: list[_Frame] = []
        self._bulk = (0, -1)
        """Type and length of the string that comes."""
        self._size = 0
        self._dropped = 0
        self._done: list[Reply] = []

    @property
    def rest(self) -> int:
        """Bytes of a reply that is not whole."""
        return len(self._buffer.data) or len(self._stack)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are whole with these bytes. Raises Malformed."""
        buffer = self._buffer
        buffer.add(data)
        self._read()
        buffer.settle()
        done, self._done = self._done, []
        return done

    def _read(self) -> None:
        buffer = self._buffer
        while buffer.at < len(buffer.data) and not buffer.skipping:
            before = buffer.at
            kind, length = self._bulk
            if length >= 0:
                raw = buffer.take(length)
                if raw is None:
                    return
                self._bulk = (0, -1)
                self._value(_string(kind, raw), len(raw))
                continue
            line = buffer.line()
            if line is None:
                return
            self._begin(line)
            if buffer.at == before:
                return

    def _begin(self, line: bytes) -> None:
        if not line:
            raise Malformed("an empty line where a reply begins")
        kind, rest = line[0], line[1:]
        match kind:
            case 0x2B:  # +
                self._value({"simple": to_text(rest)}, len(rest))
            case 0x2D:  # -
                self._value({"error": to_text(rest)}, len(rest))
            case 0x3A:  # :
                self._value(_integer(rest), 8)
            case 0x24 | 0x21 | 0x3D:  # $ ! =
                self._string(kind, number_of(rest))
            case 0x2A | 0x25 | 0x7E | 0x3E | 0x7C:  # * % ~ > |
                self._collection(kind, number_of(rest))
            case 0x5F:  # _
                self._value(None, 0)
            case 0x23:  # #
                if rest not in (b"t", b"f"):
                    raise Malformed(f"{line[:20]!r} is no boolean")
                self._value(rest == b"t", 1)
            case 0x2C:  # ,
                self._value({"double": rest.decode("latin-1")}, 8)
            case 0x28:  # (
                self._value({"big": rest.decode("latin-1")}, len(rest))
            case _:
                raise Malformed(f"a reply of the unknown type {chr(kind)!r}")

    def _string(self, kind: int, length: int) -> None:
        if length < 0:
            self._value(None, 0)
        elif length > KEPT:
            self._buffer.skip(length + 2)
            self._dropped += 1
            self._value({"omitted": length}, 16)
        else:
            self._bulk = (kind, length)

    def _collection(self, kind: int, count: int) -> None:
        if count < 0:
            self._value(NULL_ARRAY, 0)
            return
        if len(self._stack) >= DEPTH:
            raise Malformed(f"collections in each other deeper than {DEPTH}")
        frame = _Frame(kind, count * 2 if kind in (0x25, 0x7C) else count)
        if frame.left:
            self._stack.append(frame)
        else:
            self._complete(frame)

    def _complete(self, frame: _Frame) -> None:
        if frame.kind == 0x7C:
            self._stack.append(_Frame(0, 1, frame.cell()["map"]))
        else:
            self._value(frame.cell(), 0)

    def _value(self, cell: Cell, size: int) -> None:
        self._size += size + 16
        while self._stack:
            frame = self._stack[-1]
            frame.left -= 1
            if self._size <= REPLY_KEPT:
                frame.items.append(cell)
            else:
                self._dropped += 1
            if frame.left:
                return
            self._stack.pop()
            if frame.kind == 0x7C:
                self._stack.append(_Frame(0, 1, frame.cell()["map"]))
                return
            cell = frame.cell()
        reply = Reply(cell, self._size, self._dropped)
        self._size = self._dropped = 0
        self._done.append(reply)


def _integer(text: bytes) -> Cell:
    try:
        number = int(text)
    except ValueError:
        raise Malformed(f"{text[:20]!r} is no integer") from None
    return (
        number
        if -(1 << 63) <= number < 1 << 63 and str(number).encode() == text
        else {"integer": text.decode("latin-1")}
    )


def _string(kind: int, raw: bytes) -> Cell:
    if kind == 0x24:
        return to_text(raw)
    if kind == 0x21:
        return {"error": to_text(raw), "blob": True}
    return {"verbatim": to_text(raw[4:]), "format": raw[:3].decode("latin-1")}
