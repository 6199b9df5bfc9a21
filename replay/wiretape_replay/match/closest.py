"""What a miss is told: the recordings nearest to it, leaf by leaf. Bounded work on a shortlist by route. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from pydantic import JsonValue

from wiretape_replay.apart import apart, cut
from wiretape_replay.match.database import DatabaseParts
from wiretape_replay.match.index import Index, Recorded
from wiretape_replay.match.parts import Parts
from wiretape_replay.match.volatile import made_afresh, text_of
from wiretape_replay.mock.spec import Candidate, LeafDifference

TOLD = 3
SHORTLIST = 50
DIFFERENCES = 12
"""Differences told for one recording."""
LEAVES = 500
"""Leaves looked at in one request."""
CUT = 200
WINDOW = 100
"""Characters told around the first difference of texts that are alike for longer."""


def closest(index: Index, parts: Parts) -> tuple[Candidate, ...]:
    """At most three recordings near a request, nearest first."""
    ranked = sorted(((_distance(each.parts, parts), each) for each in _shortlist(index, parts)), key=_rank)
    return tuple(_candidate(recorded, parts) for _, recorded in ranked[:TOLD])


def _rank(item: tuple[int, Recorded]) -> tuple[int, int]:
    return item[0], item[1].sequence


def _shortlist(index: Index, parts: Parts) -> list[Recorded]:
    """One recording of each different request: of the same path first, then of a like path of the service."""
    same_path = index.by_path.get(parts.segments, ())
    of_service: Sequence[Recorded] = index.by_service.get(parts.service, ())
    if isinstance(parts, DatabaseParts):
        of_service = list({each.parts.segments: each for each in reversed(of_service)}.values())
    like = sorted(of_service, key=lambda each: _path_distance(each.parts, parts)) if len(of_service) <= 2_000 else (
        each for each in of_service if each.parts.segments[:1] == parts.segments[:1]
    )  # fmt: skip
    different: dict[tuple[object, ...], Recorded] = {}
    for each in islice(_chain(same_path, like), SHORTLIST * 4):
        different.setdefault(each.parts.exact, each)
        if len(different) == SHORTLIST:
            break
    return list(different.values())


def _chain(*groups: Iterable[Recorded]) -> Iterator[Recorded]:
    for group in groups:
        yield from group


def _distance(recorded: Parts, live: Parts) -> int:
    """Service, method and path weigh more than leaves; what holds the request as its part is nearest."""
    if isinstance(live, DatabaseParts) and live.within(recorded):
        return 0
    differing = sum(1 for _ in islice(_leaf_differences(recorded, live), LEAVES))
    return (40 * (recorded.service != live.service) + 20 * (recorded.method != live.method)
            + 10 * _path_distance(recorded, live) + differing)  # fmt: skip


def _path_distance(one: Parts, other: Parts) -> int:
    if isinstance(one, DatabaseParts):
        return one.distance(other)
    length = abs(len(one.segments) - len(other.segments))
    return 2 * length + sum(a != b for a, b in zip(one.segments, other.segments, strict=False))


def _candidate(recorded: Recorded, live: Parts) -> Candidate:
    differences = tuple(islice(leaf_by_leaf(recorded.parts, live), DIFFERENCES))
    return Candidate(sequence=recorded.sequence, command=recorded.parts.method, location=recorded.location[:CUT],
                     status=recorded.status, differences=differences)  # fmt: skip


def leaf_by_leaf(recorded: Parts, live: Parts, *, afresh: bool = True) -> Iterator[LeafDifference]:
    """Everything in which a live request differs from a recorded one, last what any run makes `afresh`, or without."""
    if isinstance(live, DatabaseParts) and live.within(recorded):
        yield LeafDifference(where="transaction", recorded=recorded.segments[0][:CUT], live=None)
        return
    if recorded.service != live.service:
        yield LeafDifference(where="service", recorded=recorded.service, live=live.service)
    if recorded.method != live.method:
        yield LeafDifference(where="method", recorded=recorded.method, live=live.method)
    if recorded.segments != live.segments:
        where = recorded.word if isinstance(recorded, DatabaseParts) else "path"
        was, now = apart(recorded.path, live.path, CUT, WINDOW)
        yield LeafDifference(where=where, recorded=was, live=now)
    yield from _leaf_differences(recorded, live, afresh=afresh)


def _leaf_differences(recorded: Parts, live: Parts, *, afresh: bool = True) -> Iterator[LeafDifference]:
    before, after = _leaves(recorded), _leaves(live)
    same = True
    made = []
    for place in dict.fromkeys((*before, *after)):
        old, new = (text_of(leaves[place]) if place in leaves else None for leaves in (before, after))
        if old == new:
            continue
        same = False
        difference = _difference(place, old, new)
        if place in before and place in after and made_afresh(place, before[place], after[place]):
            made.append(difference)
        else:
            yield difference
    if afresh:
        yield from made
    if same and recorded.content.digest != live.content.digest:
        yield LeafDifference(where="body", recorded=_told(recorded), live=_told(live))


def _leaves(parts: Parts) -> dict[str, JsonValue]:
    return dict(islice((leaf for leaf in parts.leaves() if not leaf[0].startswith("path/")), LEAVES))


def _difference(place: str, old: str | None, new: str | None) -> LeafDifference:
    if old is not None and new is not None:
        old, new = apart(old, new, CUT, WINDOW)
    return LeafDifference(where=place, recorded=old and cut(old, CUT), live=new and cut(new, CUT))


def _told(parts: Parts) -> str | None:
    return f"(content {parts.content.digest.hex()[:12]})" if parts.content.digest else None
