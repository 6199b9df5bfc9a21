"""Records survive being cut anywhere."""

from __future__ import annotations

import pytest

from wiretape_capture.tee.records import (
    Kind,
    Record,
    Unpacker,
    answer_front,
    answer_of,
    begin_front,
    begin_of,
    record_front,
)

BEGIN = begin_front(3, 1, True, 8) + b"[::1]:80GET / HTTP/1.1\r\n\r\n"
ANSWER = answer_front(4) + b"headbody"
WIRE = b"".join(
    record_front(kind, number, 7, len(payload)) + payload
    for kind, number, payload in [(Kind.BEGIN, 1, BEGIN), (Kind.ANSWER, 2, ANSWER), (Kind.GONE, 4_000_000_000, b"")]
)


@pytest.mark.parametrize("step", [1, 5, 16, 17, 18, 1000])
def test_cut_anywhere(step: int) -> None:
    unpacker = Unpacker()
    found = [record for start in range(0, len(WIRE), step) for record in unpacker.feed(WIRE[start : start + step])]
    assert found == [
        Record(Kind.BEGIN, 1, 7, BEGIN), Record(Kind.ANSWER, 2, 7, ANSWER), Record(Kind.GONE, 4_000_000_000, 7, b""),
    ]  # fmt: skip


def test_payloads() -> None:
    begin = begin_of(BEGIN)
    assert (begin.connection, begin.place, begin.secure) == (3, 1, True)
    assert (begin.authority, begin.head) == ("[::1]:80", b"GET / HTTP/1.1\r\n\r\n")
    assert answer_of(ANSWER) == (b"head", b"body")
