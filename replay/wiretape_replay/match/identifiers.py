"""What a recording proves about identifiers: which ones a service or a caller gave out, which never change. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from wiretape_capture.protocols.http import decode_content
from wiretape_capture.snapshot.exchange import Exchange, Headers, Response
from wiretape_replay.match.volatile import mentions

if TYPE_CHECKING:
    from wiretape_replay.match.index import Index, Key

STEADY_AFTER = 3
"""Different requests of one shape that must agree on an identifier before it counts as steady."""
MENTION_LIMIT = 1 << 20
"""Bytes of an answer in which identifiers are looked for."""


def learn_identifiers(index: Index, answers: Iterable[tuple[int, Response]], inbound: Sequence[Exchange]) -> None:
    """Note in the index what answers and the app's callers show."""
    wanted = frozenset(index.sent)
    if not wanted:
        return
    by_sequence = {recorded.sequence: recorded for recorded in index.recorded}
    for sequence, response in answers:
        found = frozenset(mentions(answer_texts(response), wanted))
        if not found:
            continue
        by_sequence[sequence].mentions = found
        for value in found:
            if index.sent[value] > sequence:
                index.born.setdefault(value, sequence)
    index.given = frozenset(_given(inbound, wanted))
    index.steady = set(_steady(index))


def _given(inbound: Sequence[Exchange], wanted: frozenset[str]) -> Iterator[str]:
    """Identifiers that a caller named in a target before the app had told it of them."""
    told: set[str] = set()
    for exchange in inbound:
        yield from (value for value in mentions([exchange.request.target], wanted) if value not in told)
        if exchange.response is not None:
            told.update(mentions(answer_texts(exchange.response), wanted))


def answer_texts(response: Response) -> Iterator[str]:
    """Header values and the decoded body of an answer, as text."""
    yield from (value for _, value in response.headers)
    data = _decoded(response.headers, response.body.data or b"")
    if 0 < len(data) <= MENTION_LIMIT:
        yield data.decode("latin-1")


def _decoded(headers: Headers, data: bytes) -> bytes:
    try:
        return decode_content(headers, data, limit=MENTION_LIMIT) if data else b""
    except ValueError:
        return b""


def _steady(index: Index) -> Iterator[tuple[Key, str]]:
    """Evidence against volatility: requests that differ elsewhere but share an identifier at one place."""
    for key, group in index.masked.items():
        different = {recorded.parts.exact: recorded for recorded in group}
        if len(different) < STEADY_AFTER:
            continue
        seen: dict[str, set[str]] = defaultdict(set)
        for recorded in different.values():
            for piece in recorded.masked.volatile if recorded.masked else ():
                if piece.identifies:
                    seen[piece.place].add(piece.text)
        yield from ((key, place) for place, values in seen.items() if 2 * len(values) <= len(different))
