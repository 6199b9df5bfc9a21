"""A snapshot read into what the mock answers from: the index of requests, and the answers within a bound on memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.match.index import Index, build_index
from wiretape_replay.match.parts import service_key
from wiretape_replay.match.serials import Serials, learn_serials
from wiretape_replay.mock.answer import Answer, build_answer
from wiretape_replay.mock.origin import mapped

LOADED_BODY = 1 << 20
"""Bytes; a larger body stays in the tape and is streamed from it."""
LOADED_TOTAL = 256 << 20
"""Bytes of answers kept in memory; answers beyond it are streamed from the tape."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A snapshot, ready to answer from."""

    name: str
    index: Index
    answers: dict[int, Answer]
    serials: Serials


async def load_snapshot(reader: TapeReader, maps: Iterable[ServiceMap]) -> Loaded:
    """Index the recorded requests and build every answer."""
    exchanges = await _exchanges(reader)
    outbound = [exchange for exchange in exchanges if exchange.direction is Direction.OUTBOUND]
    index = build_index(exchanges, aliases(maps))
    return Loaded(
        (await reader.info()).name,
        index,
        {exchange.sequence: build_answer(exchange) for exchange in outbound},
        learn_serials(index, exchanges),
    )


async def _exchanges(reader: TapeReader) -> list[Exchange]:
    exchanges: list[Exchange] = []
    loaded = 0
    async for exchange in reader.stream(Query(), max_body=LOADED_BODY):
        size = len(exchange.response.body.data or b"") if exchange.response is not None else 0
        loaded += size
        exchanges.append(_without_body(exchange) if size and loaded > LOADED_TOTAL else exchange)
    return exchanges


def _without_body(exchange: Exchange) -> Exchange:
    assert exchange.response is not None
    body = exchange.response.body.model_copy(update={"data": None})
    return exchange.model_copy(update={"response": exchange.response.model_copy(update={"body": body})})


def aliases(maps: Iterable[ServiceMap]) -> dict[str, str]:
    """A map's name stands for its host and port, whichever of them was recorded."""
    return {service_key(each.scheme, mapped(each).authority): each.name for each in maps}
