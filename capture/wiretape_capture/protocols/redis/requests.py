"""What a client of Redis sends: commands as arrays of strings, or inline as in telnet, in any pieces. Pure."""

from __future__ import annotations

from wiretape_capture.protocols.redis.buffer import ENDS, KEPT, LINE_LIMIT, Buffer, Malformed, number_of

ARGUMENTS = 1 << 20
"""Arguments of one command: the server takes no more."""

type Arguments = list[bytes | int]
"""A command's name and arguments; the size of one that is longer than what is kept."""


class CommandReader:
    """What a client sends: arrays of strings, or commands inline (as in telnet)."""

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._arguments: Arguments = []
        self._left = 0
        self._length = -1

    @property
    def rest(self) -> bool:
        """Whether a command has begun that is not whole."""
        return bool(self._buffer.data or self._left or self._buffer.skipping)

    def feed(self, data: bytes) -> list[Arguments]:
        """The commands that are whole with these bytes. Raises Malformed."""
        buffer = self._buffer
        done: list[Arguments] = []
        if not self.rest:
            at = _whole(data, done)
            if at == len(data):
                return done
            data = data[at:]
        buffer.add(data)
        self._read(done)
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
                arguments, self._arguments = self._arguments, []
                done.append(arguments)

    def _begin(self) -> bool:
        line = self._buffer.line() if self._buffer.data[self._buffer.at] == 0x2A else self._inline()
        if line is None:
            return False
        if line[:1] == b"*":
            self._left = max(number_of(line[1:], ARGUMENTS), 0)
        else:
            self._arguments = [*split_inline(line)]
        return True

    def _inline(self) -> bytes | None:
        """An inline command's line, which may end in a bare newline."""
        buffer = self._buffer
        end = buffer.data.find(b"\n", buffer.at)
        if end < 0:
            if len(buffer.data) - buffer.at > LINE_LIMIT:
                raise Malformed(f"a line is longer than {LINE_LIMIT} bytes")
            return None
        line = bytes(buffer.data[buffer.at : end]).removesuffix(b"\r")
        if line[:1] in (b"\x16", b"\x80") or b"\0" in line:
            raise Malformed("it is no command; TLS perhaps, which this port does not speak")
        buffer.at = end + 1
        return line

    def _argument(self) -> bool:
        buffer = self._buffer
        if self._length < 0:
            line = buffer.line()
            if line is None:
                return False
            if line[:1] != b"$":
                raise Malformed(f"{line[:20]!r} where an argument's length belongs")
            length = number_of(line[1:])
            if length < 0:
                raise Malformed("an argument of no length")
            if length > KEPT:
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
            raise Malformed("an inline command with a quote that does not end")
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
