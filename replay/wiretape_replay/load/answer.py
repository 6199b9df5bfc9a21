"""An answer as it came: bytes that are made a message only where somebody looks at them, which is after the load."""

from __future__ import annotations

import hashlib

from wiretape_capture.snapshot.exchange import Body, Headers, Response


class Answer:
    """One answer whose bytes were kept."""

    __slots__ = ("_body", "_digest", "_head", "_size", "status")

    def __init__(self, status: int, head: bytes, body: list[bytes] | None, size: int, digest: str | None) -> None:
        """`head` may be followed by anything; a body that was too large to be kept is its size and digest."""
        self.status = status
        self._head, self._body, self._size, self._digest = head, body, size, digest

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, roughly."""
        return len(self._head) + (self._size if self._body is not None else 0) + 200

    @property
    def body(self) -> bytes | None:
        """The body's bytes; None where they were too many."""
        return b"".join(self._body) if self._body is not None else None

    @property
    def head(self) -> bytes:
        """Status line and headers, without the blank line."""
        return self._head.partition(b"\r\n\r\n")[0]

    @property
    def headers(self) -> Headers:
        """The headers in order."""
        return headers_of(self.head)

    def response(self) -> Response:
        """The answer as a message."""
        version, _, rest = self.head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        data = self.body
        digest = self._digest if data is None else hashlib.sha256(data).hexdigest()
        assert digest is not None
        return Response(status=self.status, reason=rest.partition(" ")[2], version=version, headers=self.headers,
                        body=Body(size=self._size, sha256=digest, data=data))  # fmt: skip


def headers_of(head: bytes) -> Headers:
    """The headers of a head that the parser has accepted."""
    headers: list[tuple[str, str]] = []
    for line in head.decode("latin-1").split("\r\n")[1:]:
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = name, f"{value} {line.strip()}"  # folded, as very old servers do (RFC 9112 §5.2)
        else:
            name, _, value = line.partition(":")
            headers.append((name, value.strip(" \t")))
    return tuple(headers)
