"""Objects with other numbers in every run, as keys of maps; what varies of one object, wherever it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from recorded import App, Replay, exchange, record, replay, request, response

from wiretape_capture.snapshot.exchange import Request, Response
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.bindings.tokens import key_nouns
from wiretape_replay.compare.noise import NoiseModel


def desk(first: int, counted: str = "by_ticket", **wrong: int) -> App:
    """Gives out ticket numbers from `first` on and counts comments by ticket; `wrong` adds to the count of a ticket."""
    opened: list[int] = []

    def answer(sent: Request, _now: int) -> Response:
        if sent.method == "POST":
            opened.append(first + len(opened))
            return response({"id": opened[-1], "subject": f"s{len(opened)}"}, 201)
        counts = {str(number): 10 * place + wrong.get(f"t{place}", 0) for place, number in enumerate(opened)}
        return response({counted: counts, "open": len(opened)})

    return answer


def counted_by(start: int, counted: str = "by_ticket", **wrong: int) -> Replay:
    script = [*[request("POST", "/tickets", {})] * 3, request("GET", "/stats")]
    return replay(record(desk(100, counted), script), desk(start, counted, **wrong))


@pytest.mark.parametrize("start", [7000, 99, 101, 102])
def test_a_map_keyed_by_numbers_that_became_others_is_compared_by_what_they_number(start: int) -> None:
    played = counted_by(start)
    assert played.found == []
    assert [each.reason for each in played.comparisons[4].suppressed] == ["bound"] * 3
    assert counted_by(start, t1=1).found == [(4, "value", "/by_ticket/101")]


def test_keys_that_name_nothing_known_are_not_guessed() -> None:
    assert [kind for _, kind, _ in counted_by(7000, "by_floor").found] == ["removed"] * 3


def test_a_map_that_lost_one_of_its_tickets_is_found() -> None:
    def forgetful(sent: Request, now: int) -> Response:
        answer = whole(sent, now)
        return response({"by_ticket": {"501": 10, "502": 20}, "open": 3}) if sent.method == "GET" else answer

    whole = desk(500)
    script = [*[request("POST", "/tickets", {})] * 3, request("GET", "/stats")]
    assert replay(record(desk(100), script), forgetful).found == [(4, "removed", "/by_ticket/100")]


@pytest.mark.parametrize(
    ("keys", "path", "nouns"),
    [
        (["by_ticket"], "/stats", ("ticket",)),
        (["commentsPerUser"], "/stats", ("user",)),
        (["tickets"], "/stats", ("ticket",)),
        (["order_totals"], "/stats", ("order_total", "order")),
        (["data"], "/api/orders", ("order",)),
        ([], "/api/orders/17", ("order",)),
        ([], "/", ()),
    ],
)
def test_what_keys_of_a_map_name(keys: list[str], path: str, nouns: tuple[str, ...]) -> None:
    assert key_nouns(keys, path) == nouns


def blog(views: int, **order: list[str]) -> App:
    """Counts a view with every read; the tags of a post come in the order given for the n-th answer."""
    seen = [views]

    def answer(sent: Request, _now: int) -> Response:
        tags = order.get(f"a{seen[0] - views}", ["sea", "art", "food"])
        post: dict[str, Any] = {"id": "01J8ZB6H3XK6N9W1Q4T7V2Y5RD", "title": "t", "tags": tags, "views": seen[0]}
        seen[0] += 1
        return response(post, 201 if sent.method == "POST" else 200)

    return answer


SCRIPT = [request("POST", "/posts", {"title": "t"}), request("GET", "/posts/01J8ZB6H3XK6N9W1Q4T7V2Y5RD"),
          request("GET", "/posts/01J8ZB6H3XK6N9W1Q4T7V2Y5RD")]  # fmt: skip
TURNED = ["food", "sea", "art"]


def test_what_varies_of_an_object_varies_wherever_it_is_shown() -> None:
    exchanges = record(blog(7000, a2=TURNED), SCRIPT)
    played = replay(exchanges, blog(4100, a0=TURNED))
    assert played.found == []
    assert {(each.pointer, each.reason) for each in played.comparisons[1].suppressed} == {
        ("/views", "differed in 1 of 1 repetitions of GET /posts/{id} in the recording"),
        ("/tags", "order differed in 1 of 1 repetitions of GET /posts/{id} in the recording"),
    }
    assert replay(exchanges, blog(4_000_000_000)).found != []


def test_what_the_recording_shows_not_to_vary_stays_a_finding() -> None:
    played = replay(record(blog(7000), SCRIPT), blog(7000, a0=TURNED))
    assert played.found == [(1, "order", "/tags")]


def test_another_object_with_the_same_foreign_key_is_no_witness() -> None:
    order = {"id": 5, "state": "new", "load": 1}
    exchanges = [
        exchange(1, request("GET", "/orders/5"), response(order)),
        exchange(2, request("GET", "/orders/5"), response(order | {"load": 2})),
        exchange(3, request("GET", "/invoices/9"), response({"invoice_id": 9, "id": 5, "due": 3, "tax": 1, "load": 1})),
        exchange(4, request("GET", "/carts/5"), response({"id": 6, "state": "new", "load": 1})),
    ]
    noise = NoiseModel.learn(exchanges, find_bindings(exchanges))
    assert {route for (route, place), each in noise.varying.items() if place == "/load" and each.differed} == {
        "GET /orders/{id}"
    }


def test_an_id_made_by_the_app_keeps_its_make() -> None:
    def app(key: str) -> App:
        return lambda _request, _now: response({"api_key": key}, 201)

    exchanges = record(app("bk_live_fec04644aaeb68a6620367ae471eff7f"), [request("POST", "/keys", {})])
    assert replay(exchanges, app("bk_live_0d04644aaeb68a1920367ae471eff7fe")).found == []
    for wrong in ("n/a", "bk_live_", "internal error"):
        assert replay(exchanges, app(wrong)).found == [(1, "value", "/api_key")]
