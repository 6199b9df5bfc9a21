"""What is read of heads: where a body ends, and which requests nobody should guess about."""

from __future__ import annotations

import pytest

from wiretape_capture.tee.heads import CHUNKED, UNTIL_CLOSE, MalformedError, answer_head, request_head


def asked(*lines: str, line: str = "POST /a HTTP/1.1") -> bytes:
    """A request's head."""
    return "\r\n".join([line, *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ((), 0),
        (("Content-Length: 12",), 12),
        (("content-LENGTH:\t12 ",), 12),
        (("Transfer-Encoding: Chunked",), CHUNKED),
        (("X-Content-Length: 9", "Content-Length-X: 9"), 0),
    ],
)
def test_length_of_a_request(lines: tuple[str, ...], length: int) -> None:
    read = request_head(asked("Host: a", *lines))
    assert read is not None
    assert (read.method, read.target, read.length, read.hosts) == (b"POST", b"/a", length, [b"a"])


@pytest.mark.parametrize(
    "head",
    [
        asked("Content-Length: 1", "Transfer-Encoding: chunked"),
        asked("Content-Length: 1", "Content-Length: 1"),
        asked("Content-Length: +1"),
        asked("Content-Length: 1, 1"),
        asked("Content-Length: ", "A: b"),
        asked("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        asked("Transfer-Encoding: gzip, chunked"),
        asked("Transfer-Encoding: chunked", line="POST / HTTP/1.0"),
        asked("Content-Length : 1"),
        asked("A: b", " Content-Length: 1"),
        asked("A: b\nContent-Length: 1"),
        asked("A: b\rContent-Length: 1"),
        asked("A: b\0"),
        asked("no colon"),
        asked("Upgrade: websocket"),
        asked(line="POST  /a HTTP/1.1"),
        asked(line="POST /a HTTP/2.0"),
        asked(line="POST /a b HTTP/1.1"),
        asked(line="POST /a"),
        b"\r\n" + asked(),
    ],
)
def test_what_could_be_read_in_two_ways_is_left_alone(head: bytes) -> None:
    assert request_head(head) is None


@pytest.mark.parametrize(
    ("line", "lines", "closes"),
    [
        ("GET / HTTP/1.1", (), False),
        ("GET / HTTP/1.1", ("Connection: Close",), True),
        ("GET / HTTP/1.0", (), True),
        ("GET / HTTP/1.0", ("Connection: keep-alive",), False),
    ],
)
def test_whether_a_request_is_the_last(line: str, lines: tuple[str, ...], closes: bool) -> None:
    read = request_head(asked(*lines, line=line))
    assert read is not None
    assert read.closes is closes


def answered(*lines: str, line: str = "HTTP/1.1 200 OK") -> bytes:
    """A response's head."""
    return asked(*lines, line=line)


@pytest.mark.parametrize(
    ("head", "method", "length"),
    [
        (answered("Content-Length: 3"), b"GET", 3),
        (answered("Content-Length: 3"), b"HEAD", 0),
        (answered("Content-Length: 3", line="HTTP/1.1 304 Not Modified"), b"GET", 0),
        (answered(line="HTTP/1.1 204 No Content"), b"GET", 0),
        (answered(), b"GET", UNTIL_CLOSE),
        (answered("Content-Length: 3, 3", "Content-Length: 3"), b"GET", 3),
        (answered("Transfer-Encoding: gzip, chunked", "Content-Length: 3"), b"GET", CHUNKED),
        (answered("Transfer-Encoding: gzip"), b"GET", UNTIL_CLOSE),
        (answered(line="HTTP/1.1 200"), b"GET", UNTIL_CLOSE),
        (answered("Content-Length: 0", line="HTTP/1.0 500 \xfc"), b"GET", 0),
    ],
)
def test_length_of_a_response(head: bytes, method: bytes, length: int) -> None:
    assert answer_head(head, method).length == length


@pytest.mark.parametrize(
    "head",
    [
        answered("Content-Length: -4"),
        answered("Content-Length: 3", "Content-Length: 4"),
        answered("Content-Length: many"),
        answered(line="HTTP/1.1 0 Nothing"),
        answered(line="HTTP/1.1 OK"),
        answered(line="HTTP/2 200"),
        b"\0\1garbage\r\n\r\n",
    ],
)
def test_what_is_no_response(head: bytes) -> None:
    with pytest.raises(MalformedError, match="bad http response"):
        answer_head(head, b"GET")
