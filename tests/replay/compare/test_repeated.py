"""Identifiers that must not come twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from recorded import App, record, replay, request, response

from wiretape_capture.snapshot.exchange import Request, Response
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.compare.difference import Difference
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.settle import settle
from wiretape_replay.routes import RouteTable

UUIDS = ["8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a", "0b9d2c47-1f5e-4a3b-8c6d-7e8f9a0b1c2d",
         "b3c1f0a2-5d4e-4f6a-9b8c-7d6e5f4a3b2c", "2c8e3d58-7f5e-4a3b-8c6d-7e8f9a0b1c2d"]  # fmt: skip
TOKENS = ["9sXb2kQz7Lw0TtYp4RfVhN", "h3Gk8PqW1zXc5VbN0mLa7S", "Qw7Er2Ty9Ui4Op1As6Df3G"]


def numbering(ids: Sequence[Any]) -> App:
    """An app that answers each order with the next of these ids, and nothing where there is none."""
    left = iter(ids)

    def answer(_sent: Request, _now: int) -> Response:
        number = next(left)
        return response({"error": "full"}, 503) if number is None else response({"id": number, "quantity": 1}, 201)

    return answer


def told(recorded: Sequence[Any], live: Sequence[Any], *, alike: bool = False) -> Iterator[tuple[int, Difference]]:
    bodies = [{"n": 1 if alike else n} for n in range(len(recorded))]
    exchanges = record(numbering(recorded), [request("POST", "/orders", body) for body in bodies])
    played = replay(exchanges, numbering(live))
    routes = RouteTable.infer((each.command, each.request.target) for each in exchanges)
    noise = NoiseModel.learn(exchanges, find_bindings(exchanges), routes=routes)
    results = [(each, "POST /orders", played.comparisons[each.sequence]) for each in exchanges]
    for exchange, _, comparison in settle(results, noise, {}):
        yield from ((exchange.sequence, each) for each in comparison.differences if each.at == "/id")


@pytest.mark.parametrize(
    ("recorded", "live", "twice"),
    [
        ([5, 6, 7], [9, 9, 9], [2, 3]),
        ([5, 6, 7], [5, 5, 5], [2, 3]),
        ([5, 6, 7], [9, 10, 9], [3]),
        ([5, 6, 7], [9, 10, 11], []),
        ([5, 6, 7], [6, 5, 7], []),
        ([5, 6, 7], [5, 6, 7], []),
        ([5, 6, 7], [None, 9, 10], []),
        ([3, 9, 4], [8, 8, 8], []),
        (UUIDS[:2], [UUIDS[3]] * 2, [2]),
        (UUIDS[:2], UUIDS[2:], []),
        (TOKENS[:2], [TOKENS[2]] * 2, [2]),
    ],
)
def test_ids_that_differed_may_not_be_the_same(recorded: list[Any], live: list[Any], twice: list[int]) -> None:
    assert [sequence for sequence, _ in told(recorded, live)] == twice


def test_the_same_login_may_give_the_same_token() -> None:
    assert list(told(TOKENS[:2], [TOKENS[2]] * 2, alike=True)) == []


def test_the_evidence_names_both() -> None:
    ((_, difference),) = told([5, 6], [9, 9])
    assert difference.message == "was 6 and is now 9"
    assert difference.evidence == "exchange 1 got the same, and the recording has 5 there and 6 here"
