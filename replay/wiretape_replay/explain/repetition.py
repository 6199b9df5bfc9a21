"""What the recording shows of one place: whether identical requests of its route were answered alike there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.bindings.plan import BindingPlan
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.explain.finding import Recorded
from wiretape_replay.routes import RouteTable

MOST_READ = 400
"""Exchanges of the route that are read with their bodies."""
BODY_LIMIT = 1 << 20


async def repetitions(tape: Path, route: str, places: Sequence[str], overrides: Sequence[str] = ()) -> Recorded:
    """How often the values and the order at the first of `places` that is known varied."""
    async with await TapeReader.open(tape) as reader:
        heads = await reader.exchanges(Query(direction=Direction.INBOUND), max_body=0)
        table = RouteTable.infer(((one.command, one.request.target) for one in heads), overrides)
        mine = [one for one in heads if table.route(one.command, one.request.target) == route][:MOST_READ]
        full = {one.sequence: await reader.exchange(one.sequence, max_body=BODY_LIMIT) for one in mine}
    return await asyncio.to_thread(_recorded, [full.get(one.sequence, one) for one in heads], route, places, table)


def _recorded(exchanges: list[Exchange], route: str, places: Sequence[str], table: RouteTable) -> Recorded:
    model = NoiseModel.learn(exchanges, BindingPlan(()), routes=table)
    values = [model.varying[route, place] for place in places if (route, place) in model.varying]
    orders = [model.orders[route, place] for place in places if (route, place) in model.orders]
    return Recorded(values[0] if values else None, orders[0] if orders else None)
