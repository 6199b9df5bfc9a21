"""Where an HTTP/1 head ends and how long its body is (RFC 9112 §6). Pure; it reads no field that it does not need.

A request that could be read in two ways, or that leads out of HTTP/1, is nobody's guess: `request_head` gives None.
"""

from __future__ import annotations

import re
from typing import NamedTuple

END = b"\r\n\r\n"
HEAD_LIMIT = 64 * 1024
"""Bytes of a request's head that the tee reads; a longer one is mitmproxy's."""
ANSWER_HEAD_LIMIT = 256 * 1024
"""Bytes of a response's head that are kept while its end is awaited."""
CHUNKED, UNTIL_CLOSE = -1, -2
"""Lengths of bodies that do not say theirs in front."""

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])\r\n")
# Field names without blanks, values without control characters, no line that continues another one.
_FIELDS = re.compile(rb"(?:[!-9;-~]+:[^\r\n\x00]*\r\n)*\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?\r\n")
KNOWN_LIMIT = 256
"""Heads of responses remembered: most servers send the same one again within a second."""
_DIGITS = re.compile(rb"[0-9]{1,18}")


class MalformedError(ValueError):
    """Bytes that are not what HTTP/1 has at their place."""


class RequestHead(NamedTuple):
    """What the tee needs to know of a request."""

    method: bytes
    target: bytes
    length: int
    """Bytes of the body, or `CHUNKED`."""
    hosts: list[bytes]
    """Values of Host fields."""
    closes: bool
    """Whether the client says that it sends no other request."""


class AnswerHead(NamedTuple):
    """What the tee needs to know of a response."""

    status: int
    length: int
    """Bytes of the body, `CHUNKED` or `UNTIL_CLOSE`."""
    closes: bool
    """Whether the service says that it ends the connection after this response."""


def request_head(head: bytes) -> RequestHead | None:
    """Read a whole head, its empty line included; None when it is not the tee's to carry."""
    line = _REQUEST_LINE.match(head)
    if line is None or _FIELDS.fullmatch(head, line.end()) is None:
        return None
    lowered = head.lower()
    if field_values(head, lowered, b"\r\nupgrade"):
        return None
    codings = field_values(lowered, lowered, b"\r\ntransfer-encoding")
    length = _request_length(field_values(head, lowered, b"\r\ncontent-length"), codings, line[3])
    if length is None:
        return None
    hosts = field_values(head, lowered, b"\r\nhost")
    connection = field_values(lowered, lowered, b"\r\nconnection")
    return RequestHead(line[1], line[2], length, hosts, _closes(line[3], connection))


def _request_length(lengths: list[bytes], codings: list[bytes], minor: bytes) -> int | None:
    """The length of a body; None where two readers could disagree about it."""
    if codings:  # chunks came with HTTP/1.1
        return CHUNKED if codings == [b"chunked"] and not lengths and minor == b"1" else None
    if not lengths:
        return 0
    return int(lengths[0]) if len(lengths) == 1 and _DIGITS.fullmatch(lengths[0]) else None


_known: dict[bytes, AnswerHead] = {}
known_answer = _known.get
"""A head that was read before, of a response to anything but HEAD."""


def answer_head(head: bytes, method: bytes) -> AnswerHead:
    """Read a whole head of a response to a request of this method. Raises MalformedError."""
    if method == b"HEAD":
        return _answer_head(head)._replace(length=0)
    found = known_answer(head)
    if found is None:
        if len(_known) >= KNOWN_LIMIT:
            _known.clear()
        found = _known[head] = _answer_head(head)
    return found


def _answer_head(head: bytes) -> AnswerHead:
    line = _STATUS_LINE.match(head)
    if line is None:
        raise MalformedError("bad http response: its first line is no status line")
    status = int(line[2])
    lowered = head.lower()
    closes = _closes(line[1], field_values(lowered, lowered, b"\r\nconnection"))
    if status in (204, 304) or status < 200:
        return AnswerHead(status, 0, closes)
    codings = field_values(lowered, lowered, b"\r\ntransfer-encoding")
    length = _answer_length(field_values(lowered, lowered, b"\r\ncontent-length"), codings)
    return AnswerHead(status, length, closes or length == UNTIL_CLOSE)


def field_values(head: bytes, lowered: bytes, name: bytes) -> list[bytes]:
    """Values of every field whose name, in lower case and after its line break, is `name`."""
    at = lowered.find(name)
    found: list[bytes] = []
    while at >= 0:
        end = lowered.find(b"\r\n", at + 2)
        before, colon, value = head[at + len(name) : end].partition(b":")
        if colon and not before.strip(b" \t"):
            found.append(value.strip(b" \t"))
        at = lowered.find(name, end)
    return found


def _closes(minor: bytes, connection: list[bytes]) -> bool:
    """Whether a message is its connection's last (RFC 9112 §9.3)."""
    if not connection:
        return minor == b"0"
    said = b",".join(connection)
    return b"close" in said or (minor == b"0" and b"keep-alive" not in said)


def _answer_length(lengths: list[bytes], codings: list[bytes]) -> int:
    if codings:  # they win over a length (RFC 9112 §6.3)
        return CHUNKED if codings[-1].endswith(b"chunked") else UNTIL_CLOSE
    if not lengths:
        return UNTIL_CLOSE
    given = lengths[0]
    if len(lengths) > 1 or not _DIGITS.fullmatch(given):  # equal values may be repeated (RFC 9110 §8.6)
        values = {part.strip() for value in lengths for part in value.split(b",")}
        given = values.pop()
        if values or not _DIGITS.fullmatch(given):
            raise MalformedError("bad http response: its content-length is no number")
    return int(given)
