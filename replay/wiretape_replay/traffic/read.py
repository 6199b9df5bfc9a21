"""The traffic of a snapshot by route, read from its tape: all routes in a row each, or one with everything about it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.engine.outbound import load_outbound
from wiretape_replay.engine.recording import load_inbound
from wiretape_replay.routes import RouteTable
from wiretape_replay.traffic.calls import calls_of
from wiretape_replay.traffic.samples import samples_of
from wiretape_replay.traffic.spread import fields_of
from wiretape_replay.traffic.times import times_of
from wiretape_replay.traffic.view import RouteRow, RouteTraffic


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of a snapshot's inbound traffic, without bodies."""

    table: RouteTable
    heads: dict[str, list[Exchange]]

    @property
    def names(self) -> list[str]:
        """All routes by path and method."""
        return sorted(self.heads, key=lambda route: route.partition(" ")[::-1])

    def rows(self, names: Sequence[str]) -> list[RouteRow]:
        """A row for each."""
        return [_row(name, self.heads[name]) for name in names]


async def read_routes(tape: Path, overrides: Sequence[str] = ()) -> Routes:
    """Every route that was asked for."""
    async with await TapeReader.open(tape) as reader:
        found = await reader.exchanges(Query(direction=Direction.INBOUND), max_body=0)
    table = RouteTable.infer(((one.command, one.request.target) for one in found), overrides)
    heads: dict[str, list[Exchange]] = {}
    for one in found:
        heads.setdefault(table.route(one.command, one.request.target), []).append(one)
    return Routes(table, heads)


async def read_route(tape: Path, routes: Routes, route: str, aliases: Mapping[str, str]) -> RouteTraffic:
    """Everything about one route."""
    async with await TapeReader.open(tape) as reader:
        inbound = await load_inbound(reader)
        outbound = await load_outbound(reader)
    return await asyncio.to_thread(_traffic, route, routes.table, inbound, outbound, aliases)


def _traffic(route: str, table: RouteTable, inbound: Sequence[Exchange], outbound: Sequence[Exchange],
             aliases: Mapping[str, str]) -> RouteTraffic:  # fmt: skip
    def named(one: Exchange) -> str:
        return table.route(one.command, one.request.target)

    mine = [one for one in inbound if named(one) == route]
    return RouteTraffic(
        route=route, requests=len(mine), statuses=_statuses(mine), times=times_of(one.duration_us for one in mine),
        samples=tuple(samples_of(mine)), calls=tuple(calls_of(route, inbound, outbound, named, aliases)),
        fields=tuple(fields_of(route, mine, table)),
    )  # fmt: skip


def _row(route: str, heads: Sequence[Exchange]) -> RouteRow:
    return RouteRow(route=route, requests=len(heads), statuses=_statuses(heads),
                    times=times_of(one.duration_us for one in heads), example=heads[0].sequence)  # fmt: skip


def _statuses(exchanges: Sequence[Exchange]) -> dict[str, int]:
    return dict(Counter(one.status or "none" for one in exchanges).most_common())
