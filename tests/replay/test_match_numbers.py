"""Numbers that the app makes itself in its calls to services: whose answer a live number gets, and when none at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mock_kit import CLOCK, answer, call

from wiretape_capture.snapshot.exchange import Direction, Exchange, Request
from wiretape_replay.bindings.rewrite import renumber_response
from wiretape_replay.match.index import build_index
from wiretape_replay.match.knowledge import Knowledge
from wiretape_replay.match.matcher import Hit, Matcher, Miss
from wiretape_replay.match.numbered import Asked, NumberedMatcher
from wiretape_replay.match.parts import parts_of
from wiretape_replay.match.serials import learn_serials

SERVICE = "api.example.com:80"
SECOND = 1_000_000_000


def inbound(sequence: int, method: str, target: str, told: Any, body: Any = None, status: int = 200) -> Exchange:
    """An exchange with the app that takes a whole second, so that calls of the same second are its own."""
    return call(
        sequence, method, target, answer(status, told), body=body, direction=Direction.INBOUND,
        service="127.0.0.1:8000", duration_us=900_000,
    )  # fmt: skip


def outbound(sequence: int, within: int, method: str, target: str, told: Any, body: Any = None) -> Exchange:
    made = call(sequence, method, target, answer(200, told), body=body)
    return made.model_copy(update={"started_ns": CLOCK + within * SECOND + sequence * 1_000})


def orders(*numbers: int, amount: int = 5) -> list[Exchange]:
    """Each order is created, paid for while it is created, and later shipped, read and cancelled."""
    exchanges: list[Exchange] = []
    for place, number in enumerate(numbers):
        at = 10 * place + 1
        charge = {
            "charge": f"ch_{place}",
            "order_id": number,
            "amount": amount,
            "note": f"Order {number}, {number} EUR",
        }
        exchanges += [
            inbound(at, "POST", "/orders", {"id": number, "charge": charge["charge"]}, {"amount": amount}, 201),
            outbound(at + 1, at, "POST", "/payments", charge, {"order_id": number, "amount": amount}),
            inbound(at + 2, "POST", f"/orders/{number}/ship", {"ok": True}),
            outbound(
                at + 3, at + 2, "PUT", f"/shipments/order-{number}", {"state": "packed", "ref": f"order-{number}"}
            ),
            outbound(at + 4, at + 2, "GET", f"/shipments/order-{number}", {"state": "packed", "order": {"id": number}}),
            inbound(at + 5, "DELETE", f"/orders/{number}", {"ok": True}),
            outbound(at + 6, at + 5, "DELETE", f"/payments?order_id={number}", {"ok": True}),
        ]
    return exchanges


class Live:
    """A live run against the mock of a recording."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.knowledge = Knowledge()
        self.recorded = {each.sequence: each for each in exchanges}
        self.index = build_index(exchanges)
        self.serials = learn_serials(self.index, exchanges)
        self._matcher = NumberedMatcher(Matcher(self.index), self.serials, self.knowledge)

    def find(self, method: str, target: str, body: Any = None) -> Hit | Miss:
        request = call(1, method, target, None, body=body).request
        parts = parts_of(SERVICE, method, target, request.headers, request.body)
        return self._matcher.match(Asked(SERVICE, request, parts, "", "", CLOCK))

    def ask(self, method: str, target: str, body: Any = None) -> str:
        found = self.find(method, target, body)
        return f"{found.tier} {found.recorded.sequence}" if isinstance(found, Hit) else "miss"

    def told(self, hit: Hit | Miss) -> Any:
        """The answer's JSON with the live numbers in it."""
        assert isinstance(hit, Hit)
        recorded = self.recorded[hit.recorded.sequence]
        assert recorded.response is not None
        asked = Request(method=recorded.request.method, target=recorded.request.target)
        named = {(noun, was): now for noun, was, now in hit.numbers}
        return json.loads(renumber_response(asked, recorded.response, named).body.data or b"null")

    def create(self, number: int, live: int, amount: int = 5, at: int = 1) -> str:
        """The app creates an order and pays while it does; then its answer tells the number."""
        self.knowledge.in_flight.add(at)
        found = self.ask("POST", "/payments", {"order_id": live, "amount": amount})
        self.knowledge.in_flight.discard(at)
        self.knowledge.tell([("order", str(number), str(live))])
        return found


def test_a_number_that_began_elsewhere_is_followed_through_the_life_of_what_it_names() -> None:
    live = Live(orders(17))
    assert [
        live.create(17, 18),
        live.ask("PUT", "/shipments/order-18"),
        live.ask("GET", "/shipments/order-18"),
        live.ask("DELETE", "/payments?order_id=18"),
    ] == ["normalized 2", "normalized 4", "normalized 5", "normalized 7"]


def test_the_answer_has_the_live_number_only_where_it_names_the_same_thing() -> None:
    live = Live(orders(17, amount=17))
    live.knowledge.in_flight.add(1)
    hit = live.find("POST", "/payments", {"order_id": 18, "amount": 17})
    assert live.told(hit) == {"charge": "ch_0", "order_id": 18, "amount": 17, "note": "Order 18, 17 EUR"}
    assert isinstance(hit, Hit)
    assert [(each.where, each.recorded, each.live) for each in hit.differences] == [("body/order_id", "17", "18")]


@pytest.mark.parametrize("shift", range(-3, 4))
def test_overlapping_numbers_are_told_apart_by_what_is_under_way(shift: int) -> None:
    """Live 18 is the first order, although the recording has another order 18 with the very same payment."""
    live = Live(orders(17, 18, 19))
    found = [live.create(17 + n, 17 + n + shift, at=10 * n + 1) for n in range(3)]
    tier = "normalized" if shift else "exact"
    assert found == [f"{tier} 2", f"{tier} 12", f"{tier} 22"]
    assert [live.ask("GET", f"/shipments/order-{17 + n + shift}") for n in range(3)] == [
        f"{tier} 5", f"{tier} 15", f"{tier} 25",
    ]  # fmt: skip


def test_only_part_of_the_recording_is_replayed() -> None:
    live = Live(orders(17, 18))
    assert live.create(18, 17, at=11) == "normalized 12"
    assert live.ask("DELETE", "/payments?order_id=17") == "normalized 17"


def test_another_difference_is_a_miss_whatever_the_number() -> None:
    live = Live(orders(17))
    live.knowledge.in_flight.add(1)
    assert [
        live.ask("POST", "/payments", {"order_id": 18, "amount": 6}),
        live.ask("POST", "/payments", {"order_id": "18", "amount": 5}),
        live.ask("POST", "/payments", {"order_id": 18.5, "amount": 5}),
        live.ask("POST", "/payments", {"order_id": 18, "amount": 5, "more": 1}),
        live.ask("POST", "/refunds", {"order_id": 18, "amount": 5}),
    ] == ["miss"] * 5


def test_a_number_that_is_not_known_stands_for_none_outside_of_its_creation() -> None:
    live = Live(orders(17))
    assert [live.ask("GET", "/shipments/order-99"), live.ask("DELETE", "/payments?order_id=99")] == ["miss"] * 2
    live.create(17, 18)
    assert [live.ask("GET", "/shipments/order-17"), live.ask("GET", "/shipments/order-99")] == ["miss"] * 2


def test_a_known_number_is_never_taken_for_the_recorded_thing_of_that_number() -> None:
    live = Live([*orders(17), inbound(50, "POST", "/orders", {"id": 18}, {"amount": 9}, 201),
                 outbound(51, 50, "GET", "/shipments/order-18", {"state": "lost"})])  # fmt: skip
    assert live.create(17, 18) == "normalized 2"
    assert live.ask("GET", "/shipments/order-18") == "normalized 5"


def test_a_number_that_two_sessions_use_for_two_things_is_not_used() -> None:
    live = Live(orders(17, 18))
    live.knowledge.tell([("order", "17", "21")])
    live.knowledge.tell([("order", "18", "21")])
    assert live.ask("GET", "/shipments/order-21") == "miss"
    live.knowledge.tell([("order", "17", "21")])
    assert live.ask("GET", "/shipments/order-21") == "miss"
    assert live.ask("GET", "/shipments/order-17") == "exact 5"


def test_what_is_told_wins_over_what_was_guessed() -> None:
    live = Live(orders(17, 18))
    assert live.ask("POST", "/payments", {"order_id": 30, "amount": 5}) == "normalized 2"
    live.knowledge.tell([("order", "18", "30"), ("order", "17", "31")])
    assert [live.ask("GET", "/shipments/order-30"), live.ask("GET", "/shipments/order-31")] == [
        "normalized 15", "normalized 5",
    ]  # fmt: skip


def test_numbers_of_callers_and_of_services_are_no_numbers_of_the_app() -> None:
    by_caller = [inbound(1, "GET", "/orders/17", {"id": 17}), outbound(2, 1, "GET", "/shipments/order-17", {"n": 1})]
    by_service = [
        inbound(1, "POST", "/orders", {"id": 5, "charge_id": 900}, {}, 201),
        outbound(2, 1, "POST", "/charges", {"charge_id": 900}),
        outbound(3, 1, "GET", "/charges/900", {"state": "paid"}),
    ]
    for exchanges in (by_caller, by_service):
        live = Live(exchanges)
        live.knowledge.in_flight.add(1)
        assert live.serials.groups == {}
        assert [live.ask("GET", "/shipments/order-18"), live.ask("GET", "/charges/901")] == ["miss", "miss"]


def test_an_answer_that_names_a_number_is_labelled_where_the_request_does_not() -> None:
    listed = outbound(31, 30, "GET", "/payments/today", [{"order_id": 17, "amount": 17}, {"order_id": 4, "amount": 1}])
    live = Live([*orders(17), inbound(30, "GET", "/today", {"n": 1}), listed])
    assert live.ask("GET", "/payments/today") == "exact 31"
    live.create(17, 18)
    hit = live.find("GET", "/payments/today")
    assert (hit.tier if isinstance(hit, Hit) else "", live.told(hit)) == (
        "normalized", [{"order_id": 18, "amount": 17}, {"order_id": 4, "amount": 1}],
    )  # fmt: skip


def test_codes_with_numbers_follow() -> None:
    live = Live([
        inbound(1, "POST", "/orders", {"ref": "ORD-1001"}, {}, 201),
        outbound(2, 1, "POST", "/payments", {"for": "ORD-1001"}, {"reference": "ORD-1001"}),
    ])  # fmt: skip
    live.knowledge.in_flight.add(1)
    hit = live.find("POST", "/payments", {"reference": "ORD-1055"})
    assert live.told(hit) == {"for": "ORD-1055"}


def test_a_poll_ladder_goes_on_under_the_live_number() -> None:
    polls = [outbound(10 + n, 9, "GET", "/jobs/17", {"state": state}) for n, state in enumerate("abc")]
    live = Live([inbound(1, "POST", "/jobs", {"id": 17}, {}, 201), inbound(9, "GET", "/jobs/17", {"id": 17}), *polls])
    live.knowledge.tell([("job", "17", "18")])
    assert [live.told(live.find("GET", "/jobs/18"))["state"] for _ in range(4)] == ["a", "b", "c", "c"]


@given(
    recorded=st.lists(st.integers(1, 30), min_size=1, max_size=5, unique=True),
    live=st.lists(st.integers(1, 30), min_size=5, max_size=5, unique=True),
    order=st.permutations(range(5)),
)
def test_no_wrong_answer_is_ever_unlabelled(recorded: list[int], live: list[int], order: list[int]) -> None:
    """Whatever the numbers and whichever order comes first: each gets its own answer, labelled unless identical."""
    run = Live(orders(*recorded))
    for place in [place for place in order if place < len(recorded)]:
        was, now = recorded[place], live[place]
        tier = "exact" if was == now else "normalized"
        assert run.create(was, now, at=10 * place + 1) == f"{tier} {10 * place + 2}"
        found = run.find("GET", f"/shipments/order-{now}")
        assert isinstance(found, Hit)
        assert (found.tier, found.recorded.sequence, run.told(found)["order"]["id"]) == (tier, 10 * place + 5, now)


def stock(*skus: str) -> list[Exchange]:
    """The app lists what it sells, and asks for the stock of each when it is read."""
    exchanges = [inbound(1, "GET", "/products", {"items": [{"sku": sku} for sku in skus]})]
    for place, sku in enumerate(skus):
        at = 10 * place + 2
        exchanges += [inbound(at, "GET", f"/products/{sku}", {"sku": sku}),
                      outbound(at + 1, at, "GET", f"/stock/{sku}", {"sku": sku})]  # fmt: skip
    return exchanges


def test_codes_of_several_series_find_their_own_recordings() -> None:
    live = Live(stock("SHE-654", "CHA-817", "CHA-100"))
    asked = [live.ask("GET", f"/stock/{sku}") for sku in ("CHA-817", "SHE-654", "CHA-100", "CHA-101", "MUG-817")]
    assert asked == ["exact 13", "exact 3", "exact 23", "miss", "miss"]
