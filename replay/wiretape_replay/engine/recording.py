"""The recorded side of a run: inbound exchanges with as many bodies as memory is allowed to hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.run_file import BODY_LIMIT

LOADED_BODY = 1 << 20
"""Largest body that stays in memory during a run; larger ones are read when they are sent or compared."""

LOADED_TOTAL = 256 << 20
"""Bytes of bodies in memory; in a larger snapshot the limit for one body shrinks until they fit."""


async def load_inbound(tape: TapeReader) -> list[Exchange]:
    """Every inbound exchange by sequence."""
    query = Query(direction=Direction.INBOUND)
    heads = await tape.exchanges(query, max_body=0)
    return await tape.exchanges(query, max_body=body_limit(heads))


async def in_full(tape: TapeReader, exchange: Exchange) -> Exchange:
    """The exchange with every body that can be compared structure by structure; beyond that, hashes are."""
    bodies = [exchange.request.body, *([exchange.response.body] if exchange.response else [])]
    if all(body.data is not None or body.size > BODY_LIMIT for body in bodies):
        return exchange
    return await tape.exchange(exchange.sequence, max_body=BODY_LIMIT)


def body_limit(exchanges: Sequence[Exchange]) -> int:
    """The largest body size up to which all bodies together fit into `LOADED_TOTAL`."""
    total = 0
    for size in sorted(_sizes(exchanges)):
        total += size
        if total > LOADED_TOTAL:
            return min(size - 1, LOADED_BODY)
    return LOADED_BODY


def _sizes(exchanges: Iterable[Exchange]) -> Iterable[int]:
    for exchange in exchanges:
        yield exchange.request.body.size
        if exchange.response is not None:
            yield exchange.response.body.size
