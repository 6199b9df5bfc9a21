"""Sessions: what must keep its order and what may run at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import RECORDED_NS, exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.sessions import assign_clients, assign_sessions

TOKEN, OTHER = "9sXb2kQz7Lw0TtYp4RfVhN", "h3Gk8PqW1zXc5VbN0mLa7S"


def got(sequence: int, target: str, *, at: float = 0, lasts: float = 0.01, method: str = "GET", answer: Any = None,
        connection: str = "", **headers: str) -> Exchange:  # fmt: skip
    return exchange(sequence, request(method, target, **headers), response(answer or {}),
                    connection=connection or f"c{sequence}", started_ns=RECORDED_NS + int((at or sequence) * 1e9),
                    duration_us=int(lasts * 1e6))  # fmt: skip


def groups(exchanges: Sequence[Exchange], assign: Callable[..., dict[int, str]] = assign_sessions) -> list[list[int]]:
    found: dict[str, list[int]] = {}
    for sequence, name in assign(exchanges).items():
        found.setdefault(name, []).append(sequence)
    return sorted(found.values())


def test_authorization_and_cookies_tell_clients_apart() -> None:
    exchanges = [
        got(1, "/a", Authorization="Bearer one-token"), got(2, "/a", Authorization="Bearer two-token"),
        got(3, "/b", Authorization="Bearer one-token"), got(4, "/b", Cookie=f"lang=en; sid={TOKEN}"),
        got(5, "/b", Cookie=f"sid={TOKEN}; lang=en"), got(6, "/b", Cookie=f"sid={OTHER}; lang=en"),
    ]  # fmt: skip
    assert groups(exchanges) == [[1, 3], [2], [4, 5], [6]]


def test_a_login_belongs_to_the_session_it_opens() -> None:
    exchanges = [
        got(1, "/login", at=1, lasts=5, method="POST", answer={"token": TOKEN}),
        got(2, "/login", at=2, lasts=5, method="POST", answer={"token": OTHER}),
        got(3, "/me", at=8, Authorization=f"Bearer {OTHER}"), got(4, "/me", at=9, Authorization=f"Bearer {TOKEN}"),
    ]  # fmt: skip
    assert groups(exchanges) == [[1, 4], [2, 3]]


def test_a_named_session_keeps_its_name() -> None:
    exchanges = [got(1, "/a", X_Session_Id="alice"), got(2, "/a", X_Session_Id="bob"), got(3, "/b")]
    assert assign_sessions(exchanges) == {1: "alice", 2: "bob", 3: "s1"}


def test_anonymous_requests_one_after_another_stay_in_order() -> None:
    assert groups([got(1, "/a"), got(2, "/b"), got(3, "/c")]) == [[1, 2, 3]]


def test_anonymous_connections_at_the_same_time_are_clients_of_their_own() -> None:
    exchanges = [got(1, "/a", at=1, lasts=5), got(2, "/b", at=2, lasts=5), got(3, "/c", at=3, lasts=9)]
    assert groups(exchanges) == [[1], [2], [3]]


def test_a_writer_is_in_order_with_who_reads_what_it_writes() -> None:
    at_once = [
        got(1, "/items", at=1, lasts=5, method="POST"),
        got(2, "/items", at=2, lasts=5),
        got(3, "/x", at=3, lasts=5),
    ]
    assert groups(at_once) == [[1, 2], [3]]
    signed_in = [got(1, "/items", method="POST", Authorization="Bearer a"), got(2, "/items", Authorization="Bearer b"),
                 got(3, "/other", Authorization="Bearer c")]  # fmt: skip
    assert groups(signed_in) == [[1, 2], [3]]


def visits(*cookies: str, method: str = "GET") -> list[Exchange]:
    """Two requests of each client, one client after the other."""
    return [got(2 * number + step, ("/orders", "/cart")[step - 1], method=method if step == 1 else "GET", Cookie=cookie)
            for number, cookie in enumerate(cookies) for step in (1, 2)]  # fmt: skip


def test_clients_that_name_themselves_are_apart_though_they_write_one_after_another() -> None:
    exchanges = visits("session=ann", "session=bob", "session=cem", method="POST")
    assert groups(exchanges) == [[1, 2, 3, 4, 5, 6]], "a replay keeps the order of what they write"
    assert groups(exchanges, assign_clients) == [[1, 2], [3, 4], [5, 6]]
    signed_in = [got(1, "/items", method="POST", Authorization="Bearer a"), got(2, "/items", Authorization="Bearer b")]
    assert groups(signed_in, assign_clients) == [[1], [2]]


def test_anonymous_clients_stay_in_order_beside_those_that_name_themselves() -> None:
    exchanges = [*visits("session=ann", method="POST"), got(3, "/orders"), got(4, "/orders", method="POST")]
    assert groups(exchanges, assign_clients) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("cookie", [
    "remember=1", "consent=v2024-01b", "auth_provider=local", "sidebar=open", "sidebar=session-1", f"build={OTHER}",
])  # fmt: skip
def test_what_all_clients_have_names_none_of_them(cookie: str) -> None:
    exchanges = visits(*(f"session={name}; {cookie}" for name in ("ann", "bob", "cem")))
    assert groups(exchanges) == [[1, 2], [3, 4], [5, 6]]
    assert groups([*exchanges, got(7, "/help", Cookie=cookie)]) == [[1, 2], [3, 4], [5, 6], [7]]


def test_a_short_value_is_another_one_under_another_name() -> None:
    assert groups(visits("sid=1; token=22", "sid=22; token=1")) == [[1, 2], [3, 4]]


def test_ordinary_cookies_that_change_split_no_client() -> None:
    exchanges = [got(n, "/a", Cookie=f"session=ann; theme={'dark' if n > 2 else ''}; _ga_X1=GS1.{n}; csrf_token=t{n}")
                 for n in range(1, 6)]  # fmt: skip
    assert groups(exchanges) == groups(exchanges, assign_clients) == [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize("value", ["n{0}", "17123456{1:02}"])
def test_a_cookie_made_afresh_for_requests_or_by_the_clock_names_no_client(value: str) -> None:
    exchanges = [got(n, "/a", Cookie=f"session_seen={value.format(n, n // 2)}; visitor={TOKEN}") for n in range(1, 8)]
    assert groups(exchanges) == [[1, 2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize("cookie", ["csrf_token=t{0}", "auth_nonce=n{0}", "xsrf-token=t{1}", "_px=ab{0}cd34"])
def test_one_client_whose_only_marks_rotate_keeps_its_order_as_in_a_replay(cookie: str) -> None:
    exchanges = [got(n, "/orders", method="POST", Cookie=cookie.format(n, n // 2)) for n in range(1, 8)]
    assert groups(exchanges) == groups(exchanges, assign_clients) == [[1, 2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize("cookie", ["session={0}", "auth_token={0}", "jwt={0}", "visitor={0}9sXb2kQz7Lw0TtYp4RfVhN"])
def test_one_client_after_another_is_told_apart_by_any_cookie_that_lasts(cookie: str) -> None:
    exchanges = visits(*(cookie.format(name) for name in ("ann", "bob", "cem")), method="POST")
    assert groups(exchanges, assign_clients) == [[1, 2], [3, 4], [5, 6]]


def test_clients_of_one_request_each_are_told_apart_by_their_session() -> None:
    exchanges = [got(n, "/orders", method="POST", Cookie=f"session=user{n}; remember=1") for n in range(1, 4)]
    assert groups(exchanges, assign_clients) == [[1], [2], [3]]


def test_who_signs_in_again_stays_the_same_client() -> None:
    device = f"device={TOKEN}"
    exchanges = [*visits(f"sid=first; {device}", f"sid=second; {device}"),
                 got(9, "/login", method="POST", Cookie=device)]  # fmt: skip
    login = exchanges[-1]
    assert login.response is not None
    told = login.response.model_copy(update={"headers": (*login.response.headers, ("Set-Cookie", "sid=third; Path=/"))})
    again = [*exchanges[:-1], login.model_copy(update={"response": told}), got(10, "/me", Cookie="sid=third")]
    assert groups(again) == [[1, 2, 3, 4, 9, 10]]


@given(st.permutations(range(1, 8)))
def test_the_order_of_the_input_does_not_matter(order: Sequence[int]) -> None:
    exchanges = [
        got(n, f"/p{n % 3}", method="POST" if n == 4 else "GET", at=1 + n / 7, lasts=n / 5) for n in range(1, 8)
    ]
    assert assign_sessions([exchanges[n - 1] for n in order]) == assign_sessions(exchanges)
