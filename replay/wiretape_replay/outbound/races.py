"""Requests that raced when they were recorded: under way together, one of them writing what the other sees. Which came
first was decided by chance, and is decided anew in a replay that sends them together. Pure.

What counts as the same thing: the same row or key of a database, or the same identifier in the paths of two requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.match.commands import CommandParts
from wiretape_replay.match.homes import ELSEWHERE, homes, rows_of
from wiretape_replay.match.parts import split_path
from wiretape_replay.match.statements import StatementParts
from wiretape_replay.outbound.calls import Call
from wiretape_replay.routes import is_identifier

_BLIND = frozenset(
    "SET SETEX PSETEX MSET HSET HMSET EXPIRE PEXPIRE RPUSH LPUSH SADD ZADD XADD PUBLISH SPUBLISH".split()  # noqa: SIM905
)
"""Commands of Redis whose answer does not depend on what others wrote, or is not looked at."""
_FILLS = frozenset({"SET", "SETEX", "PSETEX", "MSET", "HSET", "HMSET", "EXPIRE", "PEXPIRE"})
"""By a request that only reads, they fill a cache with what is there anyway."""
USUAL = 0.6
"""A kind of request that makes a call this much more seldom than another kind does is not known to make it."""


@dataclass(frozen=True, slots=True)
class Race:
    """What an exchange raced with."""

    other: int
    """The exchange that wrote."""
    over: str
    """`products 7 of db`, `stock:7 of cache`, `/products/7`."""


@dataclass(frozen=True, slots=True)
class _Touch:
    owners: frozenset[int]
    home: tuple[str, ...]
    writes: bool
    sees: bool
    place: str
    of_redis: bool = False


def find_races(inbound: Sequence[Exchange], calls: Iterable[Call]) -> dict[int, Race]:
    """The exchanges that saw what another one wrote meanwhile; `calls` are the recorded ones with their owners."""
    spans = {one.sequence: one for one in inbound}
    found: dict[int, tuple[bool, int, Race]] = {}
    for touches in _by_root([*_of_paths(inbound), *_of_calls(calls, spans)]):
        for writer, seer in _pairs(touches, spans):
            unsure, over = max(len(writer.owners), len(seer.owners)) > 1, min(writer.home, seer.home, key=len)
            for one in sorted(seer.owners):
                # What surely was theirs goes first, then what says most of what it was.
                if one in found and found[one][:2] <= (unsure, -len(over)):
                    continue
                other = next((each for each in sorted(writer.owners) if _together(spans[one], spans[each])), None)
                if other is not None:
                    found[one] = unsure, -len(over), Race(other, _over(over, seer))
    return {one: race for one, (_, _, race) in found.items()}


def _of_paths(inbound: Iterable[Exchange]) -> Iterator[_Touch]:
    """By the path down to its last identifier: what has none may be the client's own, such as `/cart`."""
    for one in inbound:
        segments = split_path(one.request.target)[0]
        last = max((at for at, each in enumerate(segments) if is_identifier(each)), default=None)
        if last is not None:
            writes = one.command not in SAFE
            yield _Touch(frozenset({one.sequence}), ("", *segments[: last + 1]), writes, one.command != "PUT", "")


def _of_calls(calls: Iterable[Call], spans: Mapping[int, Exchange]) -> Iterator[_Touch]:
    calls = [call for call in calls if call.owners and not call.housekeeping]
    habits = _Habits.of(calls, spans)
    for call, paths in homes(calls):
        owners = habits.surely(call, spans)
        parts, writes, sees = call.parts, call.writes, True
        if isinstance(parts, CommandParts):
            names = [name for name, _ in parts.commands()]
            sees = not call.writes or not all(name in _BLIND for name in names)
            reads_only = all(spans[owner].command in SAFE for owner in owners)
            writes = call.writes and not (reads_only and all(name in _FILLS for name in names))
        elif isinstance(parts, StatementParts):
            sees = parts.method.upper() != "INSERT"
            paths = tuple((*path, *rows_of(parts)) if len(path) == 1 else path for path in paths)
        # Of several that may have made it a write is sooner one's that writes.
        writers = frozenset(one for one in owners if spans[one].command not in SAFE) if writes else None
        for path in paths:
            if path and owners:
                yield _Touch(writers or owners, (call.service, *path), writes, sees, call.place,
                             isinstance(parts, CommandParts))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Habits:
    """Which places requests of a kind are known to call: a call may be put down to what happened to be under way."""

    kinds: Mapping[int, tuple[str, ...]]
    shares: Mapping[tuple[tuple[str, ...], str], float]
    """By kind and place: of how many of its exchanges a call there surely is."""
    most: Mapping[str, float]
    """By place: the largest such share."""

    @classmethod
    def of(cls, calls: Iterable[Call], spans: Mapping[int, Exchange]) -> _Habits:
        """What the calls with one owner show."""
        kinds = {one.sequence: _kind(one) for one in spans.values()}
        many = Counter(kinds.values())
        making = Counter((kinds[one], place) for one, place in {(one, call.place) for call in calls
                         if len(call.owners) == 1 for one in call.owners})  # fmt: skip
        shares = {(kind, place): count / many[kind] for (kind, place), count in making.items()}
        most: dict[str, float] = {}
        for (_, place), share in shares.items():
            most[place] = max(most.get(place, 0.0), share)
        return cls(kinds, shares, most)

    def surely(self, call: Call, spans: Mapping[int, Exchange]) -> frozenset[int]:
        """Of those that may have made a call, the ones whose kind is known to make it."""
        least = USUAL * self.most.get(call.place, 0.0)
        if not least:
            writers = frozenset(one for one in call.owners if call.writes and spans[one].command not in SAFE)
            owners = writers or call.owners
            return owners if len({self.kinds[one] for one in owners}) == 1 else frozenset()
        return frozenset(one for one in call.owners if self.shares.get((self.kinds[one], call.place), 0.0) >= least)


def _kind(exchange: Exchange) -> tuple[str, ...]:
    segments = split_path(exchange.request.target)[0]
    return exchange.command, *("{}" if is_identifier(one) else one for one in segments)


def _by_root(touches: Iterable[_Touch]) -> Iterator[list[_Touch]]:
    """Those that may be about the same thing, of which one writes."""
    groups: dict[tuple[str, ...], list[_Touch]] = {}
    for touch in touches:
        groups.setdefault(touch.home[:2], []).append(touch)
    return (group for group in groups.values() if any(touch.writes for touch in group))


def _pairs(touches: Sequence[_Touch], spans: Mapping[int, Exchange]) -> Iterator[tuple[_Touch, _Touch]]:
    """Of touches of several exchanges under way together: who wrote, and who saw the same."""
    under_way: list[_Touch] = []
    for touch in sorted(touches, key=lambda touch: _begins(touch, spans)):
        begins = _begins(touch, spans)
        under_way = [one for one in under_way if max(map(_end, (spans[own] for own in one.owners))) > begins]
        for one in under_way:
            if _meet(one, touch):
                yield from ((a, b) for a, b in ((one, touch), (touch, one)) if a.writes and b.sees)
        under_way.append(touch)


def _meet(one: _Touch, other: _Touch) -> bool:
    if ELSEWHERE in one.home and ELSEWHERE in other.home:
        return False  # each put in a row of its own
    if not _same(one.home, other.home):
        return False
    # Calls that cannot be told apart are two exchanges' only where both did the same.
    unsure = max(len(one.owners), len(other.owners)) > 1
    return one.owners.isdisjoint(other.owners) or (unsure and one.place == other.place != "")


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _together(one: Exchange, other: Exchange) -> bool:
    return one is not other and one.started_ns < _end(other) and other.started_ns < _end(one)


def _begins(touch: _Touch, spans: Mapping[int, Exchange]) -> int:
    return min(spans[owner].started_ns for owner in touch.owners)


def _end(exchange: Exchange) -> int:
    return exchange.started_ns + exchange.duration_us * 1000


def _over(home: tuple[str, ...], touch: _Touch) -> str:
    service, *path = home
    if touch.of_redis and path[0] == "0" and len(path) > 1:
        path = path[1:]  # the database that everybody means
    return f"{' '.join(path)} of {service}" if service else "/" + "/".join(path)
