"""Path templates from recorded requests."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.errors import UsageError
from wiretape_replay.routes import RouteTable, singular

SHOP = [
    ("GET", "/orders"),
    ("POST", "/orders"),
    ("GET", "/orders/17"),
    ("GET", "/orders/18/items/3?full=1"),
    ("GET", "/orders/export"),
    ("GET", "/api/v1/users/8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a"),
    ("GET", "/products/SKU-100"),
    ("GET", "/products/SKU-200"),
]


@pytest.mark.parametrize(
    ("method", "target", "route"),
    [
        ("GET", "/orders/17", "GET /orders/{id}"),
        ("DELETE", "/orders/99?x=/a", "DELETE /orders/{id}"),
        ("GET", "/orders/18/items/3", "GET /orders/{id}/items/{item_id}"),
        ("GET", "/orders/export", "GET /orders/export"),
        ("GET", "/orders/", "GET /orders/"),
        ("GET", "/api/v1/users/0190b6d2-7b3e-7c3a-8f0e-1a2b3c4d5e6f", "GET /api/v1/users/{id}"),
        ("GET", "/products/SKU-300", "GET /products/{id}"),
        ("GET", "/unseen/5", "GET /unseen/{id}"),
        ("GET", "/", "GET /"),
        ("OPTIONS", "*", "OPTIONS *"),
        ("GET", "http://host:1/orders/3", "GET /orders/{id}"),
    ],
)
def test_route(method: str, target: str, route: str) -> None:
    assert RouteTable.infer(SHOP).route(method, target) == route


@given(st.permutations(SHOP))
def test_order_of_requests_does_not_matter(requests: Sequence[tuple[str, str]]) -> None:
    table, reference = RouteTable.infer(requests), RouteTable.infer(SHOP)
    assert [table.route(*request) for request in SHOP] == [reference.route(*request) for request in SHOP]


def test_many_names_below_a_requested_collection_are_a_parameter() -> None:
    names = ["ann", "bob", "cyd", "dan", "eve", "fay", "me"]
    table = RouteTable.infer([("GET", "/users"), *(("GET", f"/users/{name}") for name in names)])
    assert table.route("GET", "/users/zoe") == "GET /users/{id}"
    assert table.route("GET", "/users/me") == "GET /users/me"


def test_words_at_the_root_stay_words() -> None:
    table = RouteTable.infer([("GET", f"/{word}") for word in ["get", "post", "put", "delete", "patch", "ip"]])
    assert table.route("GET", "/ip") == "GET /ip"


def test_an_override_wins() -> None:
    table = RouteTable.infer([("GET", "/pages/about")], ["GET /pages/{page}"])
    assert table.route("GET", "/pages/about") == "GET /pages/{page}"
    assert table.route("POST", "/pages/about") == "POST /pages/about"


def test_the_most_literal_override_wins_in_any_order() -> None:
    overrides = ["/pages/{page}", "/pages/imprint", "GET /pages/{read}"]
    for order in (overrides, overrides[::-1]):
        table = RouteTable.infer([], order)
        routes = [table.route("GET", "/pages/imprint"), table.route("GET", "/pages/a"), table.route("PUT", "/pages/a")]
        assert routes == ["GET /pages/imprint", "GET /pages/{read}", "PUT /pages/{page}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("orders/{id}", '"orders/{id}" is not a route; write it as "/orders/{id}" or "GET /orders/{id}"'),
        ("", '"" is not a route; write it as "/orders/{id}" or "GET /orders/{id}"'),
        ("/a/{id", '"{id" in the route "/a/{id" is no parameter; a parameter is one whole segment: {id}'),
        ("/a/{id}/b/{id}", 'the route "/a/{id}/b/{id}" has {id} twice; give each parameter a name of its own'),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        RouteTable.infer([], [text])
    assert str(caught.value) == message


def test_singular() -> None:
    words = ["orders", "categories", "addresses", "boxes", "status", "glass", "news"]
    assert [singular(word) for word in words] == ["order", "category", "address", "box", "statu", "glass", "new"]
