"""Bodies cut anywhere: the content is the same, and so is the place at which the next message begins."""

from __future__ import annotations

import pytest

from wiretape_capture.tee.bodies import LINE_LIMIT, TRAILER_LIMIT, body_of
from wiretape_capture.tee.heads import CHUNKED, UNTIL_CLOSE, MalformedError

NEXT = b"GET / HTTP/1.1\r\n\r\n"
CHUNKS = b"3\r\nabc\r\n0A ; name=value\r\n0123456789\r\n0\r\nX-Sum: 7\r\nx-end: z\r\n\r\n"


def read(length: int, data: bytes, step: int) -> tuple[bytes, bytes, int]:
    """Content, trailers and how many bytes were the body's, fed `step` bytes at a time."""
    body, content, used = body_of(length), list[bytes](), 0
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        at = body.feed(piece, 0, content)
        used += at
        if body.done:
            return b"".join(content), body.trailers, used
        assert at == len(piece)
    return b"".join(content), body.trailers, used


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_chunks(step: int) -> None:
    assert read(CHUNKED, CHUNKS + NEXT, step) == (b"abc0123456789", b"X-Sum: 7\r\nx-end: z\r\n", len(CHUNKS))


@pytest.mark.parametrize("step", [1, 4, 1000])
def test_a_counted_body(step: int) -> None:
    assert read(5, b"hello" + NEXT, step) == (b"hello", b"", 5)


def test_a_body_until_the_end_is_never_done() -> None:
    assert read(UNTIL_CLOSE, b"hello" + NEXT, 4) == (b"hello" + NEXT, b"", 5 + len(NEXT))


@pytest.mark.parametrize(
    "data",
    [
        b"zz\r\n", b"-1\r\nx", b"0x3\r\nabc\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"\r\n", b"1234567890123456\r\n",
        b"3" + b";" * LINE_LIMIT, b"0\r\n" + b"a: b\r\n" * TRAILER_LIMIT,
    ],
)  # fmt: skip
def test_bad_chunks(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read(CHUNKED, data, 1000)
