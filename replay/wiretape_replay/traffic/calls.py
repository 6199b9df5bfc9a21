"""Which calls to services the requests of one route made when they were recorded. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.engine.outbound import recorded_window
from wiretape_replay.outbound.calls import TUNNEL, Call, Catalogue, values_of
from wiretape_replay.outbound.owners import attribute_recorded
from wiretape_replay.traffic.times import times_of
from wiretape_replay.traffic.view import CallRow


def calls_of(route: str, inbound: Sequence[Exchange], outbound: Sequence[Exchange],
             named: Callable[[Exchange], str], aliases: Mapping[str, str]) -> list[CallRow]:  # fmt: skip
    """The calls of a route, most frequent first."""
    catalogue = Catalogue.of(outbound, aliases)
    calls = [catalogue.recorded(one) for one in outbound if one.command != TUNNEL]
    routes = {one.sequence: named(one) for one in inbound}
    attribute_recorded(calls, [recorded_window(one, routes[one.sequence], values_of(one, routes[one.sequence]))
                               for one in inbound])  # fmt: skip
    mine: dict[str, list[Call]] = {}
    for call in calls:
        if any(routes[owner] == route for owner in call.owners):
            mine.setdefault(call.place, []).append(call)
    rows = [_row(place, some, routes, route) for place, some in mine.items()]
    return sorted(rows, key=lambda row: (-row.requests, -row.possibly, row.call))


def _row(place: str, calls: Sequence[Call], routes: Mapping[int, str], route: str) -> CallRow:
    sure = {call.owner for call in calls if call.owner is not None}
    maybe = {owner for call in calls for owner in call.owners if routes[owner] == route} - sure
    return CallRow(
        call=place, calls=len(calls), requests=len(sure), possibly=len(maybe), example=calls[0].sequence,
        statuses=dict(Counter(call.status or "none" for call in calls).most_common()),
        times=times_of([(call.ended_ns - call.started_ns) // 1000 for call in calls]),
    )  # fmt: skip
