"""Snapshots read as one contract, in pieces, so that a large recording never lies in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.contract.profile import Contract
from wiretape_replay.routes import RouteTable
from wiretape_replay.run_file import BODY_LIMIT

_PIECE_BYTES = 32 << 20


async def read_contract(tapes: Sequence[Path], overrides: Sequence[str] = ()) -> Contract:
    """The contract of the inbound traffic of snapshots; path templates are inferred from all of them together."""
    heads = [await _heads(tape) for tape in tapes]
    targets = ((one.command, one.request.target) for some in heads for one in some)
    routes = RouteTable.infer(targets, overrides)
    contract = Contract()
    for tape, some in zip(tapes, heads, strict=True):
        await _add(contract, tape, some, routes)
    return contract


async def _heads(tape: Path) -> list[Exchange]:
    async with await TapeReader.open(tape) as reader:
        return await reader.exchanges(Query(direction=Direction.INBOUND), max_body=0)


async def _add(contract: Contract, tape: Path, heads: Sequence[Exchange], routes: RouteTable) -> None:
    async with await TapeReader.open(tape) as reader:
        for piece in _pieces(heads):
            query = Query(direction=Direction.INBOUND, after_sequence=piece[0].sequence - 1, limit=len(piece))
            contract.merge(Contract.infer(await reader.exchanges(query, max_body=BODY_LIMIT), routes))


def _pieces(heads: Sequence[Exchange]) -> Iterator[Sequence[Exchange]]:
    """Runs of exchanges whose bodies fit into memory together."""
    start, size = 0, 0
    for index, head in enumerate(heads):
        bodies = [head.request.body.size, head.response.body.size if head.response else 0]
        added = sum(each for each in bodies if each <= BODY_LIMIT)
        if index > start and size + added > _PIECE_BYTES:
            yield heads[start:index]
            start, size = index, 0
        size += added
    if heads:
        yield heads[start:]
