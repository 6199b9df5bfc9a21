"""A whole shop replayed in memory: unchanged it has no finding, changed it has exactly the ones it should."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial, reduce
from itertools import count
from operator import getitem
from typing import Any

import pytest
from recorded import LIVE_NS, record, replay, request, response

from wiretape_capture.snapshot.exchange import Request, Response
from wiretape_replay.leaves import split, walk


@dataclass(frozen=True)
class Call:
    path: str
    given: Any
    headers: Mapping[str, str]
    now: datetime


class Shop:
    """Timestamps, UUIDs, login tokens, created ids, cookies, CSRF fields, cursors and links; all differ by seed."""

    def __init__(self, seed: int, first_id: int, port: int, edit: Callable[[str, Any], Any] | None = None) -> None:
        self._random = random.Random(seed)
        self._ids = count(first_id)
        self._port = port
        self._edit = edit or (lambda _path, value: value)
        self._products = [{"id": self._uuid(), "name": name, "price": price, "stock": 17}
                          for name, price in (("tea", 4.5), ("cup", 12), ("pot", 30.25))]  # fmt: skip
        self._orders: dict[int, dict[str, Any]] = {}
        self._token = self._csrf = self._session = ""

    def __call__(self, sent: Request, now_ns: int) -> Response:
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        path = sent.target.partition("?")[0]
        given = json.loads(sent.body.data) if sent.body.data else {}
        call = Call(path, given, {name.lower(): value for name, value in sent.headers}, now)
        name = f"{sent.method} {path.split('/')[1]}"
        answer: Response = getattr(self, "_" + name.replace(" ", "_").lower())(call)
        if answer.body.data and answer.status < 400 and answer.headers[-1][1] == "application/json":
            edited = response(self._edit(path, json.loads(answer.body.data)), answer.status)
            answer = answer.model_copy(update={"body": edited.body})
        stamped = (*answer.headers, ("Date", format_datetime(now, usegmt=True)), ("X-Request-Id", self._uuid()))
        return answer.model_copy(update={"headers": stamped})

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _secret(self, size: int) -> str:
        return base64.urlsafe_b64encode(self._random.randbytes(size)).decode().rstrip("=")

    def _post_login(self, call: Call) -> Response:
        claims = [
            {"alg": "HS256"},
            {"sub": "alice", "iat": int(call.now.timestamp()), "exp": int(call.now.timestamp()) + 3600},
        ]
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in claims]
        self._token, self._session = ".".join([*parts, self._secret(32)]), self._secret(24)
        answer = response(
            {"token": self._token, "expires_at": (call.now + timedelta(hours=1)).isoformat(), "user": "alice"}
        )
        cookie = ("Set-Cookie", f"sid={self._session}; HttpOnly; Path=/; SameSite=Lax")
        return answer.model_copy(update={"headers": (cookie, *answer.headers)})

    def _get_products(self, call: Call) -> Response:
        if call.path.count("/") == 2:
            found = [each for each in self._products if each["id"] == call.path.rpartition("/")[2]]
            return response(found[0]) if found else response({"error": "no such product"}, 404)
        cursor = base64.b64encode(json.dumps({"after": self._products[-1]["id"]}).encode()).decode()
        clock = {"generated_at": call.now.isoformat(), "served_ms": int(call.now.timestamp() * 1000)}
        return response({"items": self._products, "count": 3, "next_cursor": cursor} | clock)

    def _get_form(self, call: Call) -> Response:
        self._csrf = self._secret(24)
        page = (
            f'<form>\n<input type="hidden" name="csrf" value="{self._csrf}">\n<p>Now {call.now:%Y-%m-%d %H:%M:%S}</p>\n'
        )
        return response(page, content_type="text/html; charset=utf-8")

    def _post_orders(self, call: Call) -> Response:
        known = call.headers.get("cookie") == f"sid={self._session}" and call.headers.get("x-csrf-token") == self._csrf
        if call.headers.get("authorization") != f"Bearer {self._token}" or not known:
            return response({"error": "forbidden"}, 403)
        if call.given["product_id"] not in {each["id"] for each in self._products}:
            return response({"error": "no such product"}, 422)
        number = next(self._ids)
        order = {"id": number, "ref": f"order-{self._uuid()}", "quantity": call.given["quantity"], "status": "new",
                 "product": {"id": call.given["product_id"]}, "created_at": call.now.isoformat().replace("+00:00", "Z"),
                 "note": f"Order {number} created at {call.now.isoformat()}", "total": 9.0,
                 "self": f"http://127.0.0.1:{self._port}/orders/{number}"}  # fmt: skip
        self._orders[number] = order
        answer = response(order, 201, Location=f"/orders/{number}")
        return answer.model_copy(update={"headers": (*answer.headers[:1], ("ETag", f'"{self._secret(9)}"'),
                                                     answer.headers[1])})  # fmt: skip

    def _get_orders(self, call: Call) -> Response:
        if call.path.count("/") == 1:
            return response({"orders": list(self._orders.values()), "total": len(self._orders)})
        found = self._orders.get(int(call.path.split("/")[2]))
        return response(found) if found else response({"error": "no such order"}, 404)

    def _patch_orders(self, call: Call) -> Response:
        order = self._orders.get(call.given["order_id"]) if call.path == "/orders/confirm" else None
        return response(order | {"status": "confirmed"}) if order else response({"error": "no such order"}, 404)


def told(answer: Response) -> Any:
    return json.loads(answer.body.data or b"null")


def _order(answers: Mapping[int, Response]) -> Request:
    page = (answers[4].body.data or b"").decode()
    return request(
        "POST", "/orders", {"product_id": told(answers[2])["items"][1]["id"], "quantity": 17},
        Authorization=f"Bearer {told(answers[1])['token']}", X_CSRF_Token=page.split('value="')[1].partition('"')[0],
        Cookie=answers[1].headers[0][1].partition(";")[0],
    )  # fmt: skip


SCRIPT: list[Request | Callable[[Mapping[int, Response]], Request]] = [
    request("POST", "/login", {"user": "alice", "password": "s3cret"}),
    request("GET", "/products"),
    lambda seen: request("GET", f"/products/{told(seen[2])['items'][0]['id']}"),
    request("GET", "/form"),
    _order,
    lambda seen: request("GET", f"/orders/{told(seen[5])['id']}"),
    _order,
    lambda seen: request("PATCH", "/orders/confirm", {"order_id": told(seen[7])["id"], "quantity": 17}),
    request("GET", "/orders"),
    lambda seen: request("GET", f"/products?cursor={told(seen[2])['next_cursor']}&limit=17"),
    lambda seen: request("GET", told(seen[5])["self"].partition("8000")[2]),
]


def test_an_unchanged_app_has_no_finding_whatever_it_makes_afresh() -> None:
    exchanges = record(Shop(1, 17, 8000), SCRIPT)
    result = replay(exchanges, Shop(2, 23, 9000))
    assert result.blocked == {}
    assert [each.status for each in result.live.values()] == [
        each.response.status for each in exchanges if each.response
    ]
    assert [(s, d) for s, c in result.comparisons.items() for d in c.differences] == []


@pytest.mark.parametrize("seed", range(100, 140))
def test_no_choice_of_random_values_makes_a_false_alarm(seed: int) -> None:
    exchanges = record(Shop(seed, 17 + seed % 5, 8000), SCRIPT)
    result = replay(exchanges, Shop(seed + 1000, 1 + seed % 40, 9000))
    assert (result.found, result.blocked) == ([], {})


def test_created_ids_follow_and_other_numbers_stay() -> None:
    result = replay(record(Shop(1, 17, 8000), SCRIPT), Shop(2, 23, 9000))
    assert result.sent[5].target == "/orders/23"
    assert told_request(result.sent[7]) == {"order_id": 24, "quantity": 17}
    assert told_request(result.sent[4])["quantity"] == 17
    assert result.sent[9].target.endswith("&limit=17")


def told_request(sent: Request) -> Any:
    assert ("Content-Length", str(sent.body.size)) in sent.headers
    return json.loads(sent.body.data or b"")


def _rename(_path: str, value: Any) -> Any:
    if isinstance(value, dict) and "total" in value and "id" in value:
        return {("amount" if key == "total" else key): each for key, each in value.items()}
    return value


def _retype(path: str, value: Any) -> Any:
    if path == "/products":
        value["items"] = [each | {"price": str(each["price"])} for each in value["items"]]
    return value


def _drop_last(path: str, value: Any) -> Any:
    if path == "/products":
        del value["items"][2]
    return value


def _null_noise(_path: str, value: Any) -> Any:
    return value | {"generated_at": None} if "generated_at" in value else value


def _seconds(_path: str, value: Any) -> Any:
    return value | {"served_ms": value["served_ms"] // 1000} if "served_ms" in value else value


def _wrong_product(path: str, value: Any) -> Any:
    return (
        value | {"product": {"id": str(uuid.UUID(int=5, version=4))}} if path == "/orders" and "ref" in value else value
    )


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (_rename, [(5, "removed", "/total"), (6, "removed", "/total"), (7, "removed", "/total"),
                   (8, "removed", "/total"), (11, "removed", "/total")]),
        (_retype, [(2, "type", f"/items/{i}/price") for i in range(3)]
         + [(10, "type", f"/items/{i}/price") for i in range(3)]),
        (_drop_last, [(2, "removed", "/items/2"), (10, "removed", "/items/2")]),
        (_null_noise, [(2, "null", "/generated_at"), (10, "null", "/generated_at")]),
        (_seconds, [(2, "format", "/served_ms"), (10, "format", "/served_ms")]),
        (_wrong_product, [(5, "value", "/product/id"), (7, "value", "/product/id")]),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("seed", "first_id"), [(1, 17), (2, 23)])
def test_a_planted_regression_is_found_and_nothing_else(
    edit: Callable[[str, Any], Any], expected: list[tuple[int, str, str]], seed: int, first_id: int
) -> None:
    result = replay(record(Shop(1, 17, 8000), SCRIPT), Shop(seed, first_id, 9000, edit))
    assert result.blocked == {}
    assert result.found == expected


def test_dependants_of_a_failed_producer_are_blocked_by_it() -> None:
    shop = Shop(2, 23, 9000)

    def broken(sent: Request, now_ns: int) -> Response:
        return response({"error": "boom"}, 500) if sent.target == "/login" else shop(sent, now_ns)

    result = replay(record(Shop(1, 17, 8000), SCRIPT), broken)
    assert result.blocked == {5: 1, 7: 1, 6: 5, 8: 7, 11: 5}
    assert result.found[0] == (1, "status", "")
    assert {sequence for sequence, _, _ in result.found} == {1, 9}, "the list of orders is empty for the same reason"


def _mutants(leaf: Any) -> dict[str, Any]:
    if isinstance(leaf, str):
        return {"null": None, "another type": 5, "another form": "oops", "cut": leaf[: len(leaf) // 2]}
    return {"null": None, "another type": str(leaf), "another sign": -leaf}


def _mutated(shop: Shop, sequence: int, pointer: str, mutant: str, sent: Request, now_ns: int) -> Response:
    live = shop(sent, now_ns)
    if now_ns != LIVE_NS + sequence * 10_000_000:
        return live
    tree = told(live)
    *path, last = (int(key) if key.isdecimal() else key for key in split(pointer))
    parent: Any = reduce(getitem, path, tree)
    parent[last] = _mutants(parent[last])[mutant]
    return live.model_copy(update={"body": response(tree).body})


@pytest.mark.parametrize("sequence", [1, 2, 3, 5, 6, 8, 9])
def test_every_leaf_keeps_its_shape_noisy_or_not(sequence: int) -> None:
    exchanges = record(Shop(1, 17, 8000), SCRIPT)
    answer = exchanges[sequence - 1].response
    assert answer
    for pointer, leaf in walk(told(answer)):
        for mutant in _mutants(leaf):
            app = partial(_mutated, Shop(2, 23, 9000), sequence, pointer, mutant)
            found = [place for number, _, place in replay(exchanges, app).found if number == sequence]
            assert pointer in found, f"{mutant} at {pointer}"
