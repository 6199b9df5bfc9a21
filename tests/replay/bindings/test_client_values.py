"""What a client makes for itself: which of it is made anew at replay, how, and what is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recorded import LIVE_NS, RECORDED_NS, exchange, record, replay, request, response

from wiretape_capture.snapshot.exchange import Exchange, Request, Response
from wiretape_replay.bindings.client_values import made_anew, moved
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.formats import format_of

UUID, OTHER = "8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a", "0b9d2c47-1f5e-4a3b-8c6d-7e8f9a0b1c2d"
TOKEN = "9sXb2kQz7Lw0TtYp4RfVhN"
DONE = response({"ok": True})


def sent(*requests: Request, seed: str | None = "run-1", now_ns: int = LIVE_NS) -> list[Request]:
    exchanges = [exchange(number, each, DONE) for number, each in enumerate(requests)]
    session = LiveSession(find_bindings(exchanges), seed=seed)
    return [session.prepare(each, now_ns) for each in exchanges]


def pay(key: str, amount: int = 5) -> Request:
    return request("POST", "/pay", {"amount": amount}, Idempotency_Key=key)


def key(each: Request) -> str:
    return next(value for name, value in each.headers if name == "Idempotency-Key")


def test_a_retry_stays_a_retry_and_another_payment_another() -> None:
    first, retry, other = (key(each) for each in sent(pay(UUID), pay(UUID), pay(OTHER)))
    assert first == retry != other
    assert {first, other}.isdisjoint({UUID, OTHER})
    assert {format_of(first), format_of(other)} == {"uuid"}


def test_the_same_seed_repeats_them_and_another_does_not() -> None:
    assert key(sent(pay(UUID))[0]) == key(sent(pay(UUID))[0]) != key(sent(pay(UUID), seed="run-2")[0])


def test_they_are_kept_without_a_seed() -> None:
    assert sent(pay(UUID), seed=None) == [pay(UUID)]


@pytest.mark.parametrize(
    "made",
    [
        request("POST", "/a", {}, X_Idempotency_Key=TOKEN),
        request("POST", "/a", {}, X_Request_Nonce=TOKEN),
        request("POST", f"/a?nonce={TOKEN}", {}),
        request("POST", "/a", {"payment": {"idempotencyKey": TOKEN}}),
        request("POST", "/a", f"nonce={TOKEN}&n=17", content_type="application/x-www-form-urlencoded"),
        request("POST", "/a", {"clientRequestToken": f"retry_{TOKEN}"}),
    ],
)
def test_names_that_say_so_are_made_anew(made: Request) -> None:
    (live,) = sent(made)
    assert TOKEN not in live.model_dump_json()
    assert len(live.model_dump_json()) == len(made.model_dump_json())


@pytest.mark.parametrize(
    "kept",
    [
        [request("POST", "/a", {"id": UUID})],
        [request("PUT", f"/payments/{UUID}", {"idempotency_key": UUID})],
        [pay(UUID), request("GET", f"/payments/by-key/{UUID}")],
        [pay("payment-1")],
        [request("POST", "/a", {"nonce": 17})],
        [request("POST", "/hook", {"nonce": TOKEN}, X_Hub_Signature_256="sha256=" + "ab" * 32)],
        [request("POST", "/a", {}, Authorization=f'Digest username="a", nonce="{TOKEN}"', X_Nonce=TOKEN)],
        [request("POST", "/a", {"timestamp": "2026-09-21T14:13:20Z"})],
        [request("GET", "/a?from=2026-09-21T14:13:20Z&timestamp=1790000000")],
        [request("GET", "/a", Timestamp="2020-01-01T00:00:00Z")],
        [request("GET", "/a", X_Timestamp="1790000000", Signature="sig1=:" + "ab" * 20)],
    ],
    ids=str,
)
def test_what_may_mean_something_is_kept(kept: list[Request]) -> None:
    assert sent(*kept) == kept


def test_a_nonce_that_an_answer_gave_is_followed_and_not_made() -> None:
    exchanges = [
        exchange(1, request("GET", "/nonce"), response({"nonce": TOKEN})),
        exchange(2, request("POST", "/a", {"nonce": TOKEN}), DONE),
    ]
    session = LiveSession(find_bindings(exchanges), seed="run-1")
    session.observe(exchanges[0], response({"nonce": "h3Gk8PqW1zXc5VbN0mLa7S"}))
    assert session.prepare(exchanges[1]).body.data == b'{"nonce": "h3Gk8PqW1zXc5VbN0mLa7S"}'


def test_clock_headers_stand_to_the_live_request_as_they_stood_to_the_recorded_one() -> None:
    recorded = request("GET", "/a", X_Timestamp=str(RECORDED_NS // 10**9 - 2), Date="Mon, 21 Sep 2026 14:13:20 GMT")
    (live,) = sent(recorded)
    assert dict(live.headers) | {"Host": ""} == {
        "Host": "", "X-Timestamp": str(LIVE_NS // 10**9 - 2), "Date": "Thu, 24 Sep 2026 14:13:20 GMT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("recorded", "later"),
    [
        ("1790000000", "1790259200"),
        ("1790000000123", "1790259200123"),
        ("Mon, 21 Sep 2026 14:13:20 GMT", "Thu, 24 Sep 2026 14:13:20 GMT"),
        ("2026-09-21T14:13:20Z", "2026-09-24T14:13:20Z"),
        ("2026-09-21T14:13:20.123+02:00", "2026-09-24T14:13:20.123+02:00"),
        ("2026-09-21 14:13", "2026-09-24 14:13"),
        ("20260921T141320Z", "20260924T141320Z"),
        ("soon", "soon"),
        ("17", "17"),
    ],
)
def test_times_move_in_their_own_spelling(recorded: str, later: str) -> None:
    assert moved(recorded, 3 * 86_400 * 10**9) == later


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (UUID, ""),
        (TOKEN, ""),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEK"),
        ("0192f1b2-6a0e-7d7c-9b1f-0e6d5a4c3b2a", "0192f1b2-6a0e-7"),
        ("pay_8f3c1b526a0e4d7c9b1f0e6d5a4c3b2a", "pay_"),
        (f"order-{UUID}", "order-"),
    ],
)
def test_formats_and_what_surrounds_them_are_kept(value: str, kept: str) -> None:
    live = made_anew(value, "seed") or ""
    assert (live != value, len(live), format_of(live), live.startswith(kept)) == (
        True, len(value), format_of(value), True,
    )  # fmt: skip


def test_an_app_that_remembers_keys_answers_a_second_replay_as_the_first() -> None:
    """The same instance, twice: recorded keys would be answered from its memory, or refused."""
    seen: dict[str, Any] = {}

    def app(each: Request, _now_ns: int) -> Response:
        given = next((value for name, value in each.headers if name == "Idempotency-Key"), "")
        fresh = given not in seen
        seen[given] = True
        return response({"charged": fresh, "key": given}, 201 if fresh else 200)

    exchanges: list[Exchange] = record(app, [pay(UUID), pay(UUID), pay(OTHER)])
    results = [replay(exchanges, app, seed=f"run-{number}") for number in (1, 2)]
    assert [(each.found, each.blocked) for each in results] == [([], {}), ([], {})]
    assert [json.loads(each.body.data or b"")["charged"] for each in results[1].live.values()] == [True, False, True]
    assert replay(exchanges, app).found != []
