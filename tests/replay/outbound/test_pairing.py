"""Live calls and recorded ones of the same request: as many as can be are paired with who may have made them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from call_story import Story
from hypothesis import given
from hypothesis import strategies as st

from wiretape_replay.outbound.calls import Call, Catalogue
from wiretape_replay.outbound.pairing import pair

OWNERS = st.lists(st.frozensets(st.integers(1, 4), min_size=1, max_size=3), max_size=5)


def calls(owners: Sequence[frozenset[int]]) -> list[Call]:
    """Reads of one thing, one after the other."""
    story = Story()
    for number in range(len(owners)):
        story.called(number, 1, "GET /rows/1")
    catalogue = Catalogue.of(story.outbound, {})
    made = [catalogue.recorded(one) for one in story.outbound]
    for call, some in zip(made, owners, strict=True):
        call.owners = some
    return made


def most(recorded: Sequence[frozenset[int]], live: Sequence[frozenset[int]]) -> int:
    """How many can be paired at most, by trying everything."""
    padded = [*live, *(frozenset[int]() for _ in recorded)]
    return max(
        sum(not one.isdisjoint(other) for one, other in zip(recorded, order, strict=False))
        for order in permutations(padded, len(recorded))
    )


@given(OWNERS, OWNERS)
def test_as_many_as_possible_are_paired_with_their_own(
    recorded: list[frozenset[int]], live: list[frozenset[int]]
) -> None:
    was, now = calls(recorded), calls(live)
    found = pair(was, now)
    own = [(one, other) for one, other in found.pairs if one.owners & other.owners]
    assert len(own) == most(recorded, live)
    assert sorted(map(id, (one for one, _ in found.pairs))) == sorted(set(map(id, (one for one, _ in found.pairs))))
    assert {id(one) for one, _ in found.pairs} | set(map(id, found.unmade)) == set(map(id, was))
    assert {id(one) for _, one in found.pairs} | {id(one) for one in (*found.extra, *found.missed)} == set(map(id, now))


def test_who_was_answered_by_the_recording_of_another_leaves_that_one_its_own() -> None:
    was = calls([frozenset({1}), frozenset({1, 2}), frozenset({2, 3})])
    now = calls([frozenset({9}), frozenset({1}), frozenset({2}), frozenset({3})])
    for call, sequence in zip(now, (2, 1, 3, 3), strict=True):
        call.sequence = sequence
    found = pair(was, now)
    assert [[sorted(one.owners) for one in both] for both in found.pairs] == [[[1], [1]], [[2, 3], [3]], [[1, 2], [2]]]
    assert [sorted(one.owners) for one in found.extra] == [[9]]
