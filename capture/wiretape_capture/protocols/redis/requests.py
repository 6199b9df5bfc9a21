"""What a client of Redis sends: commands as arrays of strings, or inline as in telnet, in any pieces. Pure.

What is malformed is called as the server calls it after "Protocol error: " (networking.c).
"""

from __future__ import annotations

import re

from wiretape_capture.protocols.redis.buffer import ENDS, KEPT, LINE_LIMIT, LONGEST, Buffer, Malformed

ARGUMENTS = 1 << 20
"""Arguments of one command."""
LONGEST_BULK = 512 << 20
"""Bytes of one argument that a server takes unless it is told otherwise (proto-max-bulk-len)."""
COMMAND_KEPT = 64 << 20
"""Bytes of the arguments of one command that are kept; of further ones only the size is."""
_NUMBER = re.compile(rb"0|-?[1-9]\d{0,18}")
NUL = "an inline command with a byte 0x00"
_BLANK = b" \t\r\n\v\f"

type Arguments = list[bytes | int]
"""A command's name and arguments; the size of one that is longer than what is kept."""


class CommandReader:
    """What a client sends: arrays of strings, or commands inline (as in telnet)."""

    def __init__(self, longest: int = LONGEST) -> None:
        """`longest`: bytes of one argument beyond which its length is malformed."""
        self._longest = longest
        self._buffer = Buffer()
        self._arguments: Arguments = []
        self._kept = 0
        self.problem: Malformed | None = None
        """What came after the commands that were whole and is none."""
        self._left = 0
        self._length = -1

    @property
    def rest(self) -> bool:
        """Whether a command has begun that is not whole."""
        return bool(self._buffer.data or self._left or self._buffer.skipping)

    def feed(self, data: bytes) -> list[Arguments]:
        """The commands that are whole with these bytes. Raises Malformed; where any are whole, `problem` has it."""
        buffer = self._buffer
        done: list[Arguments] = []
        if not self.rest:
            at = _whole(data, done)
            if at == len(data):
                return done
            data = data[at:]
        buffer.add(data)
        try:
            self._read(done)
        except Malformed as problem:
            if not done:
                raise
            self.problem = problem
        buffer.settle()
        return done

    def _read(self, done: list[Arguments]) -> None:
        buffer = self._buffer
        while buffer.at < len(buffer.data) and not buffer.skipping:
            if self._left:
                if not self._argument():
                    return
            elif not self._begin():
                return
            if not self._left and self._arguments:
                arguments, self._arguments, self._kept = self._arguments, [], 0
                done.append(arguments)

    def _begin(self) -> bool:
        line = self._line("too big mbulk count string") if self._next == 0x2A else self._inline()
        if line is None:
            return False
        if line[:1] == b"*":
            self._left = max(_number(line[1:], ARGUMENTS, "invalid multibulk length"), 0)
        else:
            self._arguments = [*split_inline(line)]
        return True

    @property
    def _next(self) -> int:
        return self._buffer.data[self._buffer.at]

    def _line(self, too_long: str) -> bytes | None:
        """The next line; None while it is not whole. Raises Malformed."""
        try:
            return self._buffer.line()
        except Malformed as error:
            raise Malformed(too_long) from error

    def _inline(self) -> bytes | None:
        """An inline command's line, which may end in a bare newline."""
        buffer = self._buffer
        if self._next not in _BLANK and not 0x20 < self._next < 0x7F:
            raise Malformed(f"the byte {self._next:#04x} begins no command")
        end = buffer.data.find(b"\n", buffer.at)
        if end < 0:
            if len(buffer.data) - buffer.at > LINE_LIMIT:
                raise Malformed("too big inline request")
            if buffer.data.find(b"\0", buffer.at) >= 0:
                raise Malformed(NUL)
            return None
        line = bytes(buffer.data[buffer.at : end]).removesuffix(b"\r")
        if b"\0" in line:
            raise Malformed(NUL)
        buffer.at = end + 1
        return line

    def _argument(self) -> bool:
        buffer = self._buffer
        if self._length < 0:
            if self._next != 0x24:
                raise Malformed(f"expected '$', got {chr(self._next)!r}")
            line = self._line("too big bulk count string")
            if line is None:
                return False
            length = _number(line[1:], self._longest, "invalid bulk length")
            if length < 0:
                raise Malformed("invalid bulk length")
            self._kept += length if length <= KEPT else 0
            if length > KEPT or self._kept > COMMAND_KEPT:
                buffer.skip(length + 2)
                self._arguments.append(length)
                self._left -= 1
                return True
            self._length = length
        raw = buffer.take(self._length)
        if raw is None:
            return False
        self._length = -1
        self._left -= 1
        self._arguments.append(raw)
        return True


def _number(digits: bytes, most: int, problem: str) -> int:
    """A number as string2ll reads it. Raises Malformed."""
    if not _NUMBER.fullmatch(digits) or (number := int(digits)) > most:
        raise Malformed(problem)
    return number


def _whole(data: bytes, done: list[Arguments]) -> int:
    """Read commands that are there from first to last byte, as nearly all are; where the first other one begins."""
    at, size = 0, len(data)
    while at < size and data[at] == 0x2A:
        end = data.find(ENDS, at)
        count = data[at + 1 : end]
        if end < 0 or len(count) > 6 or not count.isdigit():
            return at
        arguments: Arguments = []
        position = end + 2
        for _ in range(int(count)):
            end = data.find(ENDS, position)
            digits = data[position + 1 : end]
            if end < 0 or data[position] != 0x24 or len(digits) > 7 or not digits.isdigit():
                return at
            start = end + 2
            end = start + int(digits)
            position = end + 2
            if data[end:position] != ENDS:
                return at
            arguments.append(data[start:end])
        if not arguments:
            return at
        done.append(arguments)
        at = position
    return at


def split_inline(line: bytes) -> list[bytes]:
    """The words of an inline command, as sdssplitargs reads them. Raises Malformed for quotes that do not end."""
    words: list[bytes] = []
    at, size = 0, len(line)
    while at < size:
        if line[at : at + 1].isspace():
            at += 1
            continue
        word = bytearray()
        quote = 0
        while at < size and (quote or not line[at : at + 1].isspace()):
            byte = line[at]
            if byte == 0x5C and quote == 0x22 and at + 1 < size:  # \ in "
                escaped, at = _escape(line, at + 1)
                word += escaped
                continue
            if byte == 0x5C and quote == 0x27 and line[at + 1 : at + 2] == b"'":
                word.append(0x27)
                at += 2
                continue
            if quote and byte == quote:
                quote = 0
            elif not quote and byte in (0x22, 0x27) and not word:
                quote = byte
            else:
                word.append(byte)
            at += 1
        if quote:
            raise Malformed("unbalanced quotes in request")
        words.append(bytes(word))
    return words


_ESCAPES = {0x6E: b"\n", 0x72: b"\r", 0x74: b"\t", 0x62: b"\b", 0x61: b"\a"}


def _escape(line: bytes, at: int) -> tuple[bytes, int]:
    if line[at] == 0x78:  # x
        digits = line[at + 1 : at + 3]
        if len(digits) == 2 and all(each in b"0123456789abcdefABCDEF" for each in digits):
            return bytes.fromhex(digits.decode()), at + 3
    return _ESCAPES.get(line[at], line[at : at + 1]), at + 1


def write_command(arguments: list[bytes]) -> bytes:
    """A command as an array of strings."""
    return b"*%d\r\n" % len(arguments) + b"".join([b"$%d\r\n%b\r\n" % (len(each), each) for each in arguments])
