"""What an agent is told of a route before it edits it: requests worth a look, values, calls, and no credential."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.routes import RouteTable
from wiretape_replay.traffic.find import fitting, nearest
from wiretape_server.workspace.workspace import Workspace

type InMemory = Callable[[Workspace], AbstractAsyncContextManager[Client]]

START_NS = 1_790_000_000_000_000_000
JSON = (("Content-Type", "application/json"),)
SECRET = "hunter2hunter2"


def order(number: int, **changes: object) -> dict[str, object]:
    usual = {"id": number, "state": "paid", "total": 10.5, "items": [{"sku": "a"}], "note": "x", "token": SECRET}
    return usual | changes


def exchange(sequence: int, method: str, target: str, answer: object, *, status: int = 200, body: object = None,
             direction: Direction = Direction.INBOUND, at_ms: int = 0, took_ms: int = 5) -> Exchange:  # fmt: skip
    sent = b"" if body is None else json.dumps(body).encode()
    service = "127.0.0.1:8000" if direction is Direction.INBOUND else "prices.test:80"
    return Exchange(
        sequence=sequence, direction=direction, command=method, location=target, status=str(status), service=service,
        started_ns=START_NS + at_ms * 1_000_000, duration_us=took_ms * 1000,
        request=Request(method=method, target=target, headers=JSON, body=body_of(sent)),
        response=Response(status=status, reason="OK", headers=JSON, body=body_of(json.dumps(answer).encode())),
    )  # fmt: skip


def shop() -> list[Exchange]:
    """Twenty reads of an order with its edges, each with a call to a service, and one write."""
    edges: dict[int, dict[str, Any]] = {
        4: {"note": None}, 8: {"items": []}, 12: {"state": "refunded"}, 16: {"total": 9000.0}, 18: {"total": -1.5},
    }  # fmt: skip
    found = []
    for number in range(1, 21):
        at, target = number * 100, f"/orders/{number}?api_key={SECRET}"
        answer, status = (order(number, **edges.get(number, {})), 200) if number != 20 else ({"error": "gone"}, 404)
        found.append(exchange(number * 2 - 1, "GET", target, answer, status=status, at_ms=at, took_ms=20))
        found.append(exchange(number * 2, "GET", "/price", {"price": 1}, direction=Direction.OUTBOUND, at_ms=at + 1))
    return [*found, exchange(41, "POST", "/orders", order(21), status=201, body={"sku": "a", "n": 2}, at_ms=9000)]


@pytest.fixture
async def traffic(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.create()
    writer = await TapeWriter.create(workspace.snapshot_path("shop"), name="shop", created_ns=START_NS)
    for each in shop():
        writer.put(each)
    await writer.close()
    return workspace


def text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def fields(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, text(result)
    return result.structured_content or {}


async def every_page(client: Client, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    pages = [fields(await client.call_tool("get_traffic", arguments))]
    while cursor := pages[-1].get("next_cursor"):
        assert len(pages) < 50
        pages.append(fields(await client.call_tool("get_traffic", {**arguments, "cursor": cursor})))
    return pages


async def test_all_routes_are_listed_with_counts_statuses_and_times(traffic: Workspace, in_memory: InMemory) -> None:
    async with in_memory(traffic) as client:
        result = await client.call_tool("get_traffic", {})

    assert [(row["route"], row["requests"], row["statuses"]) for row in fields(result)["routes"]] == [
        ("POST /orders", 1, {"201": 1}), ("GET /orders/{id}", 20, {"200": 19, "404": 1}),
    ]  # fmt: skip
    assert fields(result)["routes"][1]["times"] == {"n": 20, "p50": 20.0, "p95": 20.0, "max": 20.0}
    assert "GET /orders/{id}: 20 requests" in text(result)


@pytest.mark.parametrize("name", ["GET /orders/{id}", "/orders/{id}", "/orders/7", "get /orders/7", "getOrder",
                                  "get_order", "OrdersController.show"])  # fmt: skip
async def test_a_route_is_found_by_any_of_its_names(traffic: Workspace, in_memory: InMemory, name: str) -> None:
    async with in_memory(traffic) as client:
        result = await client.call_tool("get_traffic", {"route": name})

    assert fields(result)["route"] == "GET /orders/{id}"


async def test_edges_are_told_with_the_number_to_look_at(traffic: Workspace, in_memory: InMemory) -> None:
    async with in_memory(traffic) as client:
        pages = await every_page(client, {"route": "/orders/1", "limit": 4})
        first = await client.call_tool("get_exchange", {"sequence": pages[0]["samples"][1]["sequence"]})

    samples = {one["sequence"]: one["why"] for page in pages for one in page.get("samples", ())}
    assert samples[39] == ["status 404 in 1 of 20"]
    assert samples[7] == ["200 body /note is null in 1 of 19"]
    assert samples[15] == ["200 body /items is empty in 1 of 19"]
    assert samples[23] == ["200 body /state is rare: refunded in 1 of 19"]
    assert samples[31] == ["200 body /total is largest"]
    assert samples[35] == ["200 body /total is negative"]
    assert pages[0]["samples"][0]["why"] == ["usual"]
    assert not first.is_error


async def test_values_are_spread_out_by_place(traffic: Workspace, in_memory: InMemory) -> None:
    async with in_memory(traffic) as client:
        pages = await every_page(client, {"route": "/orders/1"})

    places = {one["place"]: one for page in pages for one in page.get("fields", ())}
    assert places["200 body /total"]["numbers"] == ["-1.5", "10.5", "9000"]
    assert places["200 body /state"]["values"] == {"paid": 18, "refunded": 1}
    assert places["200 body /note"]["types"] == {"string": 18, "null": 1}
    assert (places["200 body /items"]["items"], places["200 body /items"]["present"]) == (["0", "1"], 19)
    assert places["path id"]["numbers"][0] == "1"
    assert "values" not in places["200 body /token"]
    assert "values" not in places["query api_key"]


async def test_the_calls_of_a_route_are_told(traffic: Workspace, in_memory: InMemory) -> None:
    async with in_memory(traffic) as client:
        pages = await every_page(client, {"route": "/orders/1"})
        write = await every_page(client, {"route": "POST /orders"})

    (call,) = [one for page in pages for one in page.get("calls", ())]
    assert (call["call"], call["calls"], call["requests"], call["statuses"]) == (
        "GET prices.test:80/price", 20, 20, {"200": 20})  # fmt: skip
    assert call["times"]["n"] == 20
    assert not any(page.get("calls") for page in write)


async def test_no_credential_leaves_with_the_traffic(traffic: Workspace, in_memory: InMemory) -> None:
    async with in_memory(traffic) as client:
        results = [await client.call_tool("get_traffic", {"route": route, "limit": 100})
                   for route in ("/orders/1", "POST /orders")]  # fmt: skip

    for result in results:
        assert SECRET not in result.model_dump_json()
    assert "api_key=<masked" in text(results[0])


async def test_several_routes_that_fit_are_listed_and_none_suggests(traffic: Workspace, in_memory: InMemory) -> None:
    async with in_memory(traffic) as client:
        both = fields(await client.call_tool("get_traffic", {"route": "orders"}))
        none = await client.call_tool("get_traffic", {"route": "/order"})
        stale = await client.call_tool("get_traffic", {"route": "/orders/1", "cursor": "nonsense"})

    assert len(both["routes"]) == 2
    assert none.is_error
    assert "did you mean POST /orders?" in text(none)
    assert "leave it out" in text(stale)


ROUTES = ["GET /users", "POST /users", "GET /users/{id}", "DELETE /users/{id}", "GET /users/{id}/order-items"]
TABLE = RouteTable.infer([("GET", "/users"), ("GET", "/users/1"), ("GET", "/users/1/order-items")])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("createUser", ["POST /users"]), ("delete_user", ["DELETE /users/{id}"]),
        ("list order items", ["GET /users/{id}/order-items"]), ("/users/*/order-items", [ROUTES[4]]),
        ("/users/77", ["GET /users/{id}", "DELETE /users/{id}"]), ("DELETE /users/77", ["DELETE /users/{id}"]),
        ("handler", []), ("", []), ("/nothing", []), ("*" * 500, []),
    ],
)  # fmt: skip
def test_names_of_routes(name: str, found: list[str]) -> None:
    assert fitting(name, ROUTES, TABLE) == found


def test_the_nearest_route_is_by_its_path_too() -> None:
    assert nearest("/user", ROUTES) in ("GET /users", "POST /users")
    assert nearest("x" * 300, ROUTES) is None
