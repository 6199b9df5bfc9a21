"""Whole numbers that only grow from answer to answer, as a count of requests or a version of a document does.

A process that starts anew starts them anew: what counts then is how they grow, not where they began. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.compare.places import template
from wiretape_replay.content import read_content
from wiretape_replay.leaves import split, walk

_LEAST = 5
"""Answers that must have shown it grow."""
_APART = 2
"""A count that lies one away from the recorded one may well be wrong by one."""

type Growth = dict[int, int]
"""Value by sequence."""


def find_counters(ordered: Sequence[Exchange], routes: Mapping[int, str]) -> dict[tuple[str, str], Growth]:
    """Counters by route and place. None grows faster than requests came: an amount of money does."""
    seen: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for index, exchange in enumerate(ordered):
        for place, value in _whole_numbers(exchange):
            seen.setdefault((routes[exchange.sequence], place), []).append((index, exchange.sequence, value))
    return {
        spot: {sequence: value for _, sequence, value in values}
        for spot, values in seen.items()
        if len(values) >= _LEAST and all(0 < v - u <= j - i for (i, _, u), (j, _, v) in pairwise(values))
    }


def began_elsewhere(recorded: Growth, live: Mapping[int, int]) -> bool:
    """Whether live values grew as the recorded ones did, from another start or, sent together, in another order.

    `live` has every answer that was compared, equal or not.
    """
    ours = sorted(recorded[sequence] for sequence in live if sequence in recorded)
    if len(ours) < len(live) or len(live) < _APART:
        return False
    distances = {after - before for before, after in zip(ours, sorted(live.values()), strict=True)}
    return len(distances) == 1 and (distances == {0} or abs(distances.pop()) >= _APART)


def _whole_numbers(exchange: Exchange) -> Iterator[tuple[str, int]]:
    """Those outside of arrays and maps, which have no one value."""
    if exchange.response is None or exchange.response.status >= 400:
        return
    content = read_content(exchange.response.headers, exchange.response.body)
    if content.kind != "json":
        return
    for at, value in walk(content.tree):
        place = ""
        for key in split(at):
            place = template(place, key) if not key.isdecimal() else f"{place}/*"
        if isinstance(value, int) and not isinstance(value, bool) and "*" not in place:
            yield place, value
