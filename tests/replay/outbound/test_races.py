"""Which requests raced for the same data when they were recorded."""

from __future__ import annotations

import json
from typing import Any

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Request
from wiretape_replay.engine.outbound import recorded_calls
from wiretape_replay.outbound.races import find_races
from wiretape_replay.routes import RouteTable

START = 1_790_000_000 * 10**9


class Tape:
    """A recording told in milliseconds."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def asked(self, at: float, took: float, method: str, target: str) -> int:
        return self._add(at, took, Request(method=method, target=target))

    def ran(self, at: float, sql: str, *params: str) -> None:
        self._call(at, "db", Protocol.POSTGRES, sql.split()[0], {"sql": sql, "params": params}, "postgres")

    def did(self, at: float, *command: str) -> None:
        self._call(at, "cache", Protocol.REDIS, command[0], {"command": command}, "redis")

    def _call(self, at: float, service: str, protocol: Protocol, name: str, document: Any, version: str) -> None:
        body = body_of(json.dumps(document).encode())
        self._add(at, 1, Request(method=name, target=name, version=version, body=body), direction=Direction.OUTBOUND,
                  protocol=protocol, service=service)  # fmt: skip

    def _add(self, at: float, took: float, request: Request, **more: Any) -> int:
        fields = {"direction": Direction.INBOUND, "service": "shop:80", "status": "200"} | more
        self.exchanges.append(Exchange(
            sequence=len(self.exchanges) + 1, command=request.method, location=request.target, request=request,
            started_ns=START + round(at * 1e6), duration_us=round(took * 1000), **fields,
        ))  # fmt: skip
        return len(self.exchanges)

    def races(self) -> dict[int, tuple[int, str]]:
        inbound, outbound = ([one for one in self.exchanges if one.direction is way] for way in Direction)
        routes = RouteTable.infer((one.command, one.location) for one in inbound)
        calls = recorded_calls(inbound, outbound, lambda one: routes.route(one.command, one.location))
        return {one: (race.other, race.over) for one, race in find_races(inbound, calls).items()}


def test_a_read_of_what_another_request_writes_meanwhile_has_raced() -> None:
    tape = Tape()
    read, write = tape.asked(0, 10, "GET", "/items/7/price"), tape.asked(5, 10, "PUT", "/items/7")
    tape.asked(30, 10, "GET", "/items/7/price")
    tape.asked(5, 10, "PUT", "/items/8")
    assert tape.races() == {read: (write, "/items/7")}


def test_what_a_client_has_under_a_path_without_an_identifier_is_its_own() -> None:
    tape = Tape()
    tape.asked(0, 10, "GET", "/cart")
    tape.asked(5, 10, "POST", "/cart")
    assert tape.races() == {}


def test_statements_race_for_a_row_and_not_for_others_of_its_table() -> None:
    tape = Tape()
    read, write = tape.asked(0, 10, "GET", "/price?of=7"), tape.asked(5, 10, "POST", "/prices")
    other = tape.asked(5, 10, "GET", "/price?of=8")
    tape.ran(1, "select price from item where id = $1", "7")
    tape.ran(6, "update item set price = $1 where id = $2", "30", "7")
    tape.ran(7, "select price from item where id = $1", "8")
    races = tape.races()
    assert races[read] == (write, "item 7 of db")
    assert other not in races


def test_two_that_take_the_last_piece_have_raced_and_two_that_put_in_rows_have_not() -> None:
    tape = Tape()
    both = {tape.asked(0, 20, "POST", "/buy"), tape.asked(5, 20, "POST", "/buy")}
    for at in (6, 8):
        tape.ran(at, "update item set stock = stock - 1 where id = $1 and stock > 0", "7")
        tape.ran(at + 1, "insert into sale (item) values ($1)", "7")
    assert set(tape.races()) == both
    assert {over for _, over in tape.races().values()} == {"item 7 0 of db"}  # by what it finds its rows
    tape.exchanges = [one for one in tape.exchanges if one.command != "update"]
    assert tape.races() == {}


def test_a_counter_in_redis_is_raced_for_and_a_cache_that_two_fill_is_not() -> None:
    tape = Tape()
    tape.asked(0, 20, "GET", "/price?of=7")
    tape.asked(5, 20, "GET", "/price?of=7")
    for at in (6, 8):
        tape.did(at, "GET", "price:7")
        tape.did(at + 1, "SETEX", "price:7", "60", "30")
    assert tape.races() == {}
    for at in (10, 12):
        tape.did(at, "INCR", "seen:7")
    assert {over for _, over in tape.races().values()} == {"seen:7 of cache"}


def test_a_race_is_named_by_what_the_request_itself_is_known_to_touch() -> None:
    """A cart that another client fills meanwhile is no business of two that cancel orders with one product in both."""
    tape = Tape()
    for at in (0, 20):
        tape.asked(at, 10, "GET", "/carts/cy")
        tape.did(at + 2, "HGETALL", "cart:cy")
    one, other = tape.asked(100, 30, "POST", "/orders/6/cancel"), tape.asked(101, 30, "POST", "/orders/8/cancel")
    fills = tape.asked(102, 20, "POST", "/carts/cy/items")
    tape.asked(103, 20, "GET", "/carts/cy")
    tape.did(104, "HINCRBY", "cart:cy", "4", "1")
    tape.did(105, "HGETALL", "cart:cy")
    for at, order in ((106, "6"), (110, "8")):
        tape.ran(at, "update orders set status = $1 where id = $2", "cancelled", order)
        tape.ran(at + 1, "update products set stock = stock + $1 where id = $2", "1", "1")
    tape.asked(200, 20, "POST", "/orders/9/cancel")
    tape.ran(201, "update products set stock = stock + $1 where id = $2", "1", "4")
    tape.did(205, "HGETALL", "cart:cy")  # by something in the background
    tape.asked(300, 20, "POST", "/carts/cy/items")
    tape.did(301, "HINCRBY", "cart:cy", "4", "1")
    races = tape.races()
    assert {one: races[one], other: races[other]} == {
        one: (other, "products 1 of db"),
        other: (one, "products 1 of db"),
    }
    assert fills not in races or "cart:cy of cache" in races[fills][1]
