"""Objects keyed by data, found when a profile is read: keys that each are rare and all hold the same kind of value.

Folding looks at all that was merged, so it never happens while profiles are still being merged.
"""

from __future__ import annotations

from dataclasses import replace

from wiretape_replay.contract.leaf import Profile

_FEWEST_KEYS = 12
_RARE = 4
"""A key that is data is in at most one of so many objects, on average."""


def folded(profile: Profile) -> Profile:
    """The profile with the members of every object keyed by data shared as `*`."""
    members = {name: folded(below) for name, below in profile.members.items()}
    if not _keyed_by_data(profile):
        return replace(profile, members=members)
    shared = Profile()
    for below in members.values():
        shared.merge(below)
    return replace(profile, members={"*": shared}, keyed_by_data=True)


def _keyed_by_data(profile: Profile) -> bool:
    named = [below for name, below in profile.members.items() if name != "*"]
    objects = profile.types["object"]
    if len(named) < _FEWEST_KEYS or max(below.seen for below in named) >= objects:
        return False
    rare = sum(below.seen for below in named) * _RARE <= len(named) * objects
    return rare and len({_kind(below) for below in named}) == 1


def _kind(profile: Profile) -> frozenset[str]:
    return frozenset(name.replace("integer", "number") for name in profile.types)
