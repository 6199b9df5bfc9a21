"""Heads of copies are taken apart once, and never taken for one another."""

from __future__ import annotations

import pytest

from wiretape_capture.proxy.copied import Answered, Asked, Copied, answered_of, asked_of, request_of, response_of
from wiretape_capture.proxy.known import KNOWN_BYTES, KNOWN_LIMIT, Known
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.order import Ticket
from wiretape_capture.snapshot.bodies import EMPTY, body_of
from wiretape_capture.snapshot.exchange import Direction, Request, Response
from wiretape_capture.tee.records import apart, begin_front, begin_of

SERVICE = b"127.0.0.1:80"
HEAD = b"GET /a HTTP/1.1\r\nHost: shop.local\r\nX-Request-Id: r1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nSet-Cookie: a=1\r\nSet-Cookie: a=2\r\n\r\n"


def beginning(head: bytes = HEAD, *, connection: int = 1, place: int = 0, secure: bool = False,
              service: bytes = SERVICE) -> bytes:  # fmt: skip
    return begin_front(connection, place, secure, len(service)) + service + head


def copied(asked: Asked, head: bytes = b"") -> Copied:
    made = Copied(1, Ticket(1, 1), Listening(Direction.INBOUND), "c1", asked, 1)
    made.response_head = head
    return made


def test_a_beginning_is_what_its_head_says() -> None:
    headers = (("Host", "shop.local"), ("X-Request-Id", "r1"))
    assert asked_of(begin_of(beginning(place=3, secure=True))) == Asked(
        3, "https", "shop.local:80", "", "r1", Request(method="GET", target="/a", headers=headers)
    )


def test_equal_requests_of_two_connections_begin_alike() -> None:
    one, other = apart(beginning(connection=1)), apart(beginning(connection=2))
    assert (one[0], other[0]) == (1, 2)
    assert one[1] == other[1]


@pytest.mark.parametrize("other", [
    beginning(HEAD.replace(b"/a", b"/b")), beginning(HEAD.replace(b"r1", b"r2")), beginning(place=1),
    beginning(secure=True), beginning(service=b"127.0.0.1:81"),
    beginning(SERVICE[-1:] + HEAD, service=SERVICE[:-1]),
])  # fmt: skip
def test_beginnings_that_differ_at_all_are_not_alike(other: bytes) -> None:
    assert apart(other)[1] != apart(beginning())[1]


def test_a_request_shares_its_head_and_not_its_body() -> None:
    asked = asked_of(begin_of(beginning()))
    body = body_of(b"one")
    assert request_of(copied(asked), EMPTY) is asked.request
    assert request_of(copied(asked), body) == asked.request.model_copy(update={"body": body})
    assert asked.request.body == EMPTY


def test_a_response_head_that_differs_by_a_byte_is_read_anew() -> None:
    asked = asked_of(begin_of(beginning()))
    cookies = (("Server", "nginx"), ("Set-Cookie", "a=1"), ("Set-Cookie", "a=2"))
    for head, status, headers in [
        (ANSWER, 200, cookies),
        (ANSWER.replace(b"200", b"201"), 201, cookies),
        (ANSWER, 200, cookies),
        (ANSWER.replace(b"a=2", b"a=3"), 200, (*cookies[:2], ("Set-Cookie", "a=3"))),
        (ANSWER, 200, cookies),
    ]:
        body = body_of(str(status).encode())
        assert response_of(copied(asked, head), body) == Response(
            status=status, reason="OK", headers=headers, body=body
        )


@pytest.mark.parametrize(("line", "pair"), [
    (b"Date:now", ("Date", "now")), (b"date: now", ("date", "now")), (b"Date:\tnow ", ("Date", "now")),
    (b"Date", ("Date", "")), (b"Date: a:b", ("Date", "a:b")), (b"X: \xe4", ("X", "\xe4")),
    (b"Date: now\r\n then", ("Date", "now\r\n then")), (b"Date: now\r\n\tthen", ("Date", "now\r\n then")),
    (b"Date: " + b"n" * KNOWN_BYTES, ("Date", "n" * KNOWN_BYTES)),
])  # fmt: skip
def test_lines_are_read_alike_whether_they_came_before(line: bytes, pair: tuple[str, str]) -> None:
    head = b"HTTP/1.1 204 No Content\r\nA: b\r\n" + line + b"\r\n\r\n"
    expected = Answered(204, "No Content", "HTTP/1.1", (("A", "b"), pair))
    assert [answered_of(head), answered_of(head)] == [expected, expected]


def test_what_is_known_is_bounded() -> None:
    known: Known[int] = Known()
    for number in range(3 * KNOWN_LIMIT):
        assert known.remember(b"%d" % number, number) == number
        assert known.get(b"%d" % number) == number
        assert len(known) <= KNOWN_LIMIT


def test_long_heads_are_not_kept() -> None:
    known: Known[int] = Known()
    assert known.remember(b"x" * (KNOWN_BYTES + 1), 1) == 1
    assert known.remember(b"x" * KNOWN_BYTES, 2) == 2
    assert known.get(b"x" * (KNOWN_BYTES + 1)) is None
    assert known.get(b"x" * KNOWN_BYTES) == 2
