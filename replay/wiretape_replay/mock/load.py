"""A snapshot read into what the mock answers from: the index of requests, and the answers within a bound on memory."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Response
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.match.index import Index, IndexBuilder
from wiretape_replay.match.parts import service_key
from wiretape_replay.match.serials import Serials, SerialsLearner
from wiretape_replay.mock.answer import Answer, AnswerBuilder
from wiretape_replay.mock.databases.load import DatabaseLoader
from wiretape_replay.mock.databases.protocols import Recording
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
    size: int
    """Bytes, about: bodies in memory, and a kilobyte for each request."""
    databases: dict[str, Recording]
    """By service."""
    wants: frozenset[int] = frozenset()
    """Inbound exchanges of which a replay is to tell when they are under way."""
    left_out: int = 0
    """Commands of databases beyond the bound on memory, which are as if they had not been recorded."""


async def load_snapshot(reader: TapeReader, maps: Iterable[ServiceMap]) -> Loaded:
    """Index the recorded requests and build every answer, of one exchange after the other."""
    name = (await reader.info()).name
    with _uncollected():
        index_builder, answer_builder = IndexBuilder(aliases(maps)), AnswerBuilder()
        databases = DatabaseLoader(reader, index_builder)
        inbound: list[Exchange] = []
        answers: dict[int, Answer] = {}
        async for exchange in reader.stream(Query(), max_body=LOADED_BODY):
            if exchange.direction is Direction.INBOUND:
                inbound.append(exchange)
                continue
            if exchange.protocol.is_database:
                await databases.add(exchange)
            elif exchange.protocol is Protocol.HTTP:
                answers[exchange.sequence] = answer_builder.build(exchange, LOADED_TOTAL)
                index_builder.add(exchange)
        index = index_builder.finish(chain(_responses(answers), databases.responses()), inbound)
        size = answer_builder.size + len(answers) * 1024
        serials = await _serials(reader, index, inbound)
        # Which request's connections are refused shows only where all requests are known.
        wants = serials.wants | ({each.sequence for each in inbound} if databases.settle(inbound) else set())
        by_service = databases.by_service(index)
        return Loaded(name, index, answers, serials, size, by_service, frozenset(wants), databases.left_out)


async def _serials(reader: TapeReader, index: Index, inbound: Sequence[Exchange]) -> Serials:
    """Numbers that the app made are rare: where it made any, its calls are read once more."""
    learner = SerialsLearner(index, inbound)
    if learner.any:
        async for call in reader.stream(Query(direction=Direction.OUTBOUND), max_body=LOADED_BODY):
            learner.see(call)
    return learner.learned()


def _responses(answers: Mapping[int, Answer]) -> Iterator[tuple[int, Response]]:
    for sequence, answer in answers.items():
        if (response := answer.response()) is not None:
            yield sequence, response


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cycle collector: all that is made here stays, and to look at it over and over doubles the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def aliases(maps: Iterable[ServiceMap]) -> dict[str, str]:
    """A map's name stands for its host and port, whichever of them was recorded."""
    return {service_key(each.scheme, mapped(each).authority): each.name for each in maps}
