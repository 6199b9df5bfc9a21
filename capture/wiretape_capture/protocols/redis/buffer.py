"""Bytes of RESP (redis.io/docs/reference/protocol-spec) as they come, with what no peer may exceed. Pure.

No length is trusted: what is longer than `KEPT` is counted and skipped, never held.
"""

from __future__ import annotations

KEPT = 16 << 20
"""Bytes of one string that are kept."""
LINE_LIMIT = 64 << 10
"""Bytes of a line: PROTO_INLINE_MAX_SIZE of the server."""
LONGEST = 1 << 40
"""Bytes of a string, and members of a collection, beyond which a length is nonsense."""
ENDS = b"\r\n"


class Malformed(Exception):
    """Bytes that are no RESP."""


class Buffer:
    """Bytes that came and were not read."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.at = 0
        self._looked = 0
        self._skip = 0

    def add(self, data: bytes) -> None:
        """More bytes; those to be skipped go at once."""
        if self._skip:
            gone = min(self._skip, len(data))
            self._skip -= gone
            data = data[gone:]
        self.data += data

    def line(self) -> bytes | None:
        """The next line, without its end; None while it is not whole. Raises Malformed."""
        end = self.data.find(ENDS, max(self.at, self._looked))
        if end < 0:
            self._looked = max(len(self.data) - 1, self.at)
            if len(self.data) - self.at > LINE_LIMIT:
                raise Malformed(f"a line is longer than {LINE_LIMIT} bytes")
            return None
        line = bytes(self.data[self.at : end])
        self.at = end + 2
        return line

    def take(self, count: int) -> bytes | None:
        """So many bytes and the end of their line; None while they are not there. Raises Malformed."""
        at, end = self.at, self.at + count
        if len(self.data) < end + 2:
            return None
        if self.data[end : end + 2] != ENDS:
            raise Malformed("a string is longer than its length says")
        self.at = end + 2
        return bytes(self.data[at:end])

    def skip(self, count: int) -> None:
        """Leave out so many bytes, of which some may still be on their way."""
        here = min(count, len(self.data) - self.at)
        self.at += here
        self._skip = count - here

    def settle(self) -> None:
        """Forget what was read."""
        if self.at:
            del self.data[: self.at]
            self._looked = max(self._looked - self.at, 0)
            self.at = 0

    @property
    def skipping(self) -> bool:
        """Whether bytes are left out that have not come yet."""
        return self._skip > 0


def number_of(line: bytes, most: int = LONGEST) -> int:
    if not line.lstrip(b"-").isdigit() or len(line) > 20:
        raise Malformed(f"{line[:20]!r} is no length")
    number = int(line)
    if not -1 <= number <= most:
        raise Malformed(f"a length of {number}")
    return number
