"""Reads the exchanges of databases from a snapshot into what the mock answers from, within a bound on memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Exchange, Response
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.match.index import Index, IndexBuilder
from wiretape_replay.mock.databases.protocols import PROTOCOLS, Recording

LOADED_TOTAL = 512 << 20
"""Bytes of answers kept in memory; beyond it commands are as if they had not been recorded."""


class DatabaseLoader:
    """Takes exchanges one by one, in recorded order."""

    def __init__(self, reader: TapeReader, index_builder: IndexBuilder) -> None:
        self._reader = reader
        self._index_builder = index_builder
        self._by_name: dict[tuple[str, str], Recording] = {}
        self._indexed: dict[int, Recording] = {}
        self.left_out = 0
        """Exchanges beyond the bound."""

    async def add(self, exchange: Exchange) -> None:
        """One more exchange."""
        if exchange.protocol not in PROTOCOLS:
            return
        if sum(each.size for each in self._by_name.values()) > LOADED_TOTAL:
            self.left_out += 1
            return
        if exchange.request.body.data is None or (exchange.response and exchange.response.body.data is None):
            exchange = await self._reader.exchange(exchange.sequence)
        recording = self._recording(exchange)
        if recording.add(exchange):
            self._index_builder.add(exchange)
            self._indexed[exchange.sequence] = recording

    def _recording(self, exchange: Exchange) -> Recording:
        key = exchange.scheme, exchange.service
        known = self._by_name.get(key)
        if known is None:
            known = self._by_name[key] = PROTOCOLS[exchange.protocol].recording()
        return known

    def responses(self) -> Iterator[tuple[int, Response]]:
        """The answers of what was indexed, in which identifiers are looked for."""
        for sequence, recording in self._indexed.items():
            document = recording.document(sequence)
            if document:
                yield sequence, Response(status=200, body=_body(document))

    def settle(self, inbound: Iterable[Exchange]) -> bool:
        """Learn into which requests outages fell; whether any fell into one."""
        requests = list(inbound)
        fell = {recording.outages.settle(requests) for recording in self._by_name.values()}
        return True in fell

    def by_service(self, index: Index) -> dict[str, Recording]:
        """The databases by the names under which they are indexed."""
        return {index.service(scheme, name): recording for (scheme, name), recording in self._by_name.items()}


def _body(document: bytes) -> Body:
    return body_of(document)
