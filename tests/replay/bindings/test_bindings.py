"""Which values are followed from a response into a later request, and which are left alone."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from recorded import exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange, Request, Response
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import find_bindings

UUID, LIVE_UUID = "8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a", "0b9d2c47-1f5e-4a3b-8c6d-7e8f9a0b1c2d"
TOKEN, LIVE_TOKEN = "9sXb2kQz7Lw0TtYp4RfVhN", "h3Gk8PqW1zXc5VbN0mLa7S"


def story(*steps: tuple[Request, Response]) -> list[Exchange]:
    return [exchange(number, sent, answer) for number, (sent, answer) in enumerate(steps, 1)]


def edges(exchanges: list[Exchange]) -> list[tuple[int, str, int, str]]:
    plan = find_bindings(exchanges)
    return [(e.producer, str(e.produced_at), e.consumer, str(e.consumed_at)) for e in plan.edges]


def prepared(exchanges: list[Exchange], *live: Response) -> Request:
    """The last request after live answers to the ones before."""
    session = LiveSession(find_bindings(exchanges))
    for recorded, answer in zip(exchanges, live, strict=False):
        session.observe(recorded, answer)
    return session.prepare(exchanges[-1])


def html(value: str) -> Response:
    return response(f'<meta name="csrf-token" content="{value}">', content_type="text/html")


def cookie(value: str) -> Response:
    return response({}, 200, Set_Cookie=f"sid={value}; Path=/")


LOGIN = request("POST", "/login", {"user": "alice"})
CREATE = request("POST", "/orders", {"quantity": 17})
DONE = response({})


@pytest.mark.parametrize(
    ("first", "live", "later", "expected"),
    [
        (response({"id": 17}), response({"id": 23}), request("GET", "/orders/17"), "/orders/23"),
        (response({"data": {"id": 17}}), response({"data": {"id": 23}}), request("GET", "/orders/17"), "/orders/23"),
        (response({"order_id": 17}), response({"order_id": 23}), request("GET", "/x?orderId=17&limit=17"),
         "/x?orderId=23&limit=17"),
        (response(None, 201, Location="/orders/17"), response(None, 201, Location="/orders/23"),
         request("DELETE", "/orders/17/lines/17"), "/orders/23/lines/17"),
        (response({"id": UUID}), response({"id": LIVE_UUID}), request("GET", f"/anything/{UUID}/x"),
         f"/anything/{LIVE_UUID}/x"),
        (response({"ref": f"order-{UUID}"}), response({"ref": f"order-{LIVE_UUID}"}),
         request("GET", f"/find?ref=order-{UUID}"), f"/find?ref=order-{LIVE_UUID}"),
        (response({"next": "a+b/c=9Zq8Xy7Wv6Ut5Sr4Qp"}), response({"next": "z+y/x=1Ab2Cd3Ef4Gh5Ij6Kl"}),
         request("GET", "/l?next=a%2Bb%2Fc%3D9Zq8Xy7Wv6Ut5Sr4Qp"), "/l?next=z%2By%2Fx%3D1Ab2Cd3Ef4Gh5Ij6Kl"),
        (response({"slug": "blue-cup"}), response({"slug": "red-cup"}), request("GET", "/orders/blue-cup"),
         "/orders/red-cup"),
        (response({"quantity": 17, "id": 5}), response({"quantity": 18, "id": 5}), request("GET", "/orders/17"),
         "/orders/17"),
    ],
)  # fmt: skip
def test_targets_follow(first: Response, live: Response, later: Request, expected: str) -> None:
    assert prepared(story((CREATE, first), (later, DONE)), live).target == expected


@pytest.mark.parametrize(
    ("first", "live", "later", "expected"),
    [
        (response({"token": TOKEN}), response({"token": LIVE_TOKEN}),
         request("GET", "/me", Authorization=f"Bearer {TOKEN}"), ("Authorization", f"Bearer {LIVE_TOKEN}")),
        (cookie(TOKEN), cookie(LIVE_TOKEN),
         request("GET", "/me", Cookie=f"lang=en; sid={TOKEN}"), ("Cookie", f"lang=en; sid={LIVE_TOKEN}")),
        (cookie("abc"), cookie("xyz"),
         request("GET", "/me", Cookie="sid=abc; other=abc"), ("Cookie", "sid=xyz; other=abc")),
        (response({}, 200, ETag='"v1"'), response({}, 200, ETag='"v9"'), request("GET", "/me", If_None_Match='"v1"'),
         ("If-None-Match", '"v9"')),
        (html(TOKEN), html(LIVE_TOKEN), request("POST", "/me", X_CSRF_Token=TOKEN), ("X-CSRF-Token", LIVE_TOKEN)),
    ],
)  # fmt: skip
def test_headers_follow(first: Response, live: Response, later: Request, expected: tuple[str, str]) -> None:
    assert expected in prepared(story((LOGIN, first), (later, DONE)), live).headers


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ('{ "order_id": 17,  "quantity": 17 }', '{ "order_id": 23,  "quantity": 17 }'),
        ('{"order": {"id": 17}, "product": {"id": 17}}', '{"order": {"id": 23}, "product": {"id": 17}}'),
        ('[{"order_id": "17"}]', '[{"order_id": "23"}]'),
    ],
)
def test_numbers_in_bodies_follow_at_their_place_and_all_else_keeps_its_bytes(sent: str, expected: str) -> None:
    exchanges = story((CREATE, response({"id": 17})), (request("POST", "/pay", sent), DONE))
    live = prepared(exchanges, response({"id": 23}))
    assert (live.body.data or b"").decode() == expected
    assert ("Content-Length", str(len(expected))) in live.headers


def test_a_form_follows() -> None:
    later = request(
        "POST", "/orders", f"csrf={TOKEN}&order_id=17&n=17", content_type="application/x-www-form-urlencoded"
    )
    exchanges = story((CREATE, response({"id": 17, "csrf": TOKEN})), (later, DONE))
    live = prepared(exchanges, response({"id": 1234, "csrf": LIVE_TOKEN}))
    assert live.body.data == f"csrf={LIVE_TOKEN}&order_id=1234&n=17".encode()


@pytest.mark.parametrize("token", ["ZvMVVwiVbsjsLvGVRJsgZL", "YF_rabtrTeemt0Chat1h_s"])
def test_a_token_that_does_not_look_drawn_is_known_by_where_it_is_sent(token: str) -> None:
    later = request("GET", "/me", Authorization=f"Bearer {token}")
    exchanges = story((LOGIN, response({"access_token": token})), (later, DONE))
    assert ("Authorization", f"Bearer {LIVE_TOKEN}") in prepared(
        exchanges, response({"access_token": LIVE_TOKEN})
    ).headers


def cursor(after: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": after}).encode()).decode()


@pytest.mark.parametrize(("recorded", "live"), [(1002, 2004), (1002, 50_003), (635_870, 635_596), (1002, 1003)])
def test_a_cursor_of_readable_text_is_followed_however_near_the_live_one_is(recorded: int, live: int) -> None:
    page = request("GET", f"/orders?cursor={cursor(recorded)}")
    exchanges = story((request("GET", "/orders"), response({"next": cursor(recorded)})), (page, DONE))
    assert prepared(exchanges, response({"next": cursor(live)})).target.startswith(f"/orders?cursor={cursor(live)[:8]}")
    assert cursor(live).rstrip("=") in prepared(exchanges, response({"next": cursor(live)})).target


ROOMS = (request("GET", "/rooms?page=1"), response({"page": 1, "rooms": [{"room": 109}, {"room": 103, "floor": 1}]}))
OTHER_ROOMS = response({"page": 1, "rooms": [{"room": 209}, {"room": 203, "floor": 1}]})


def test_a_number_called_after_what_it_numbers_is_followed_where_paths_prove_it() -> None:
    seen = (request("GET", "/rooms/109"), response({"room": 109}))
    book = (request("POST", "/bookings", {"room": 103, "nights": 1}), DONE)
    assert edges(story(ROOMS, seen, book)) == [
        (1, "/rooms/0/room", 2, "path:2"), (1, "/rooms/1/room", 3, "/room"),
    ]  # fmt: skip
    assert edges(story(ROOMS, seen, (request("GET", "/free?room=103&floor=1"), DONE)))[1:] == [
        (1, "/rooms/1/room", 3, "query:room")
    ]
    sent = prepared(story(ROOMS, seen, book), OTHER_ROOMS, response({"room": 209}))
    assert json.loads(sent.body.data or b"") == {"room": 203, "nights": 1}


def test_a_number_called_after_its_list_is_data_without_such_a_path() -> None:
    first = (request("GET", "/offers"), response({"prices": [{"price": 5}], "page": 2}))
    assert edges(story(first, (request("POST", "/orders", {"price": 5, "page": 2}), DONE))) == []
    assert edges(story(ROOMS, (request("POST", "/bookings", {"room": 103}), DONE))) == []


def parcels(shipment: str, *skus: str, first: int = 1) -> Response:
    rows = [{"no": number, "sku": sku} for number, sku in enumerate(skus, first)]
    return response({"shipment_id": shipment, "parcels": rows})


SHIP = request("POST", "/shipments", {"sku": "x"})


def test_a_number_that_counts_places_in_each_owners_list_identifies_nothing() -> None:
    later = (request("POST", "/returns", {"parcel_no": 2}), DONE)
    counting = story((SHIP, parcels("a1", "lamp", "desk")), (SHIP, parcels("b2", "sofa", "rug", "bed")), later)
    plan = find_bindings(counting)
    assert plan.names.ordinals == {("parcel", "no")}
    assert [edge.noun for edge in plan.edges] == []


@pytest.mark.parametrize(
    "answers",
    [
        [parcels("a1", "lamp", "desk")],
        [parcels("a1", "lamp", "desk"), parcels("a1", "lamp", "desk")],
        [parcels("a1", "lamp", "desk"), parcels("b2", "lamp", "desk")],
        [parcels("a1", "lamp", "desk"), parcels("b2", "sofa", "rug", first=3)],
        [response({"request_id": number, "parcels": [{"no": 1, "sku": sku}]}) for number, sku in ((1, "a"), (2, "b"))],
        [response({"jsonrpc": "2.0", "id": number, "result": [{"id": 1, "n": number}]}) for number in (7, 8)],
    ],
    ids=["one list", "twice the same", "rows of both owners", "a table's rows", "of two messages", "of two calls"],
)
def test_numbers_of_rows_that_merely_begin_at_one_are_identifiers(answers: list[Response]) -> None:
    assert find_bindings(story(*((SHIP, answer) for answer in answers))).names.ordinals == frozenset()


def test_client_known_values_are_not_bound() -> None:
    assert (
        edges(story((request("GET", f"/a/{UUID}"), response({"id": UUID})), (request("GET", f"/b/{UUID}"), DONE))) == []
    )
    assert edges(story((request("POST", "/a", {"key": TOKEN}), response({"key": TOKEN})),
                       (request("GET", "/b", X_Api_Key=TOKEN), DONE))) == []  # fmt: skip


def test_small_numbers_are_bound_only_under_their_noun() -> None:
    first = (request("GET", "/users"), response([{"id": 1, "age": 2}]))
    assert edges(story(first, (request("GET", "/products/1?page=2"), DONE))) == []
    assert edges(story(first, (request("GET", "/users/1"), DONE))) == [(1, "/0/id", 2, "path:2")]


def test_the_birth_is_the_producer() -> None:
    exchanges = story(
        (CREATE, response({"id": UUID})),
        (request("GET", "/orders"), response([{"id": UUID}])),
        (request("GET", f"/orders/{UUID}"), response({"id": UUID})),
    )
    plan = find_bindings(exchanges)
    assert plan.producers(3) == (1,)
    assert plan.closure([3]) == (1, 3)


def test_a_list_in_another_order_teaches_nothing_wrong() -> None:
    recorded = [{"id": n, "name": f"n{n}"} for n in (1, 2, 3)]
    exchanges = story((request("GET", "/users"), response(recorded)), (request("GET", "/users/1"), DONE))
    assert prepared(exchanges, response(recorded[::-1])).target == "/users/1"


def test_a_dropped_item_does_not_shift_the_others() -> None:
    def people(*ids: str) -> Response:
        return response([{"id": name, "name": f"person {index}"} for index, name in enumerate(ids) if name])

    old = [f"8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2{n}" for n in "abc"]
    new = [f"0b9d2c47-1f5e-4a3b-8c6d-7e8f9a0b1c2{n}" for n in "abc"]
    exchanges = story((request("GET", "/people"), people(*old)), (request("GET", f"/people/{old[2]}"), DONE))
    assert prepared(exchanges, people("", new[1], new[2])).target == f"/people/{new[2]}"


def test_live_values_are_never_taken_for_recorded_ones() -> None:
    swapped = (response({"a_id": UUID, "b_id": LIVE_UUID}), response({"a_id": LIVE_UUID, "b_id": TOKEN}))
    later = request("GET", f"/x/{UUID}/{LIVE_UUID}")
    assert prepared(story((LOGIN, swapped[0]), (later, DONE)), swapped[1]).target == f"/x/{UUID}/{LIVE_UUID}"


@pytest.mark.parametrize(
    ("method", "answer", "missing"),
    [
        ("POST", response({"error": "x"}, 500), 1),
        ("POST", response({"id": LIVE_UUID}), None),
        ("POST", response({"renamed": UUID}), None),
        ("POST", response({}), 1),
        ("GET", response({}), None),
    ],
)
def test_a_missing_value_names_its_producer(method: str, answer: Response, missing: int | None) -> None:
    exchanges = story((request(method, "/orders"), response({"id": UUID})), (request("GET", f"/orders/{UUID}"), DONE))
    session = LiveSession(find_bindings(exchanges))
    session.observe(exchanges[0], answer)
    assert session.missing(exchanges[1]) == missing


def test_a_request_without_bindings_is_sent_as_it_is() -> None:
    exchanges = story((LOGIN, DONE), (request("GET", "/x"), DONE))
    assert prepared(exchanges, DONE) is exchanges[1].request


def test_a_cursor_made_of_json_follows_as_a_whole() -> None:
    def cursor(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()

    old, new = cursor({"after": UUID, "n": 10}), cursor({"after": LIVE_UUID, "n": 10})
    exchanges = story(
        (request("GET", "/l"), response({"next_cursor": old})), (request("GET", f"/l?cursor={old}"), DONE)
    )
    assert prepared(exchanges, response({"next_cursor": new})).target in (
        f"/l?cursor={new}",
        f"/l?cursor={new.replace('=', '%3D')}",
    )
