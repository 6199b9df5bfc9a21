"""Identifiers that were all different in the recording and are the same now: a generator that stands still, a write
that no longer creates. Each of them by itself looks like an id that the app made afresh. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise

from wiretape_replay.compare.findings import Result
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.formats import format_of
from wiretape_replay.verdict.model import Part

_UNIQUE = frozenset({"uuid", "ulid", "ksuid", "objectid", "xid", "snowflake"})
"""Formats that never come twice."""
_TOKEN = "token"
"""Never comes twice for two different requests; the same login in the same moment may well give one."""
_STEP = 2
"""At most so far are the serial numbers of one recording apart: numbers drawn at random may well come twice."""

type Answered = tuple[str, dict[str, str]]
"""The route of an answer, and what recorded values became in it."""
type Repeated = dict[tuple[int, str, str], str]
"""By sequence, recorded and live value: what speaks against it."""


def repeated_ids(results: Sequence[Result], noise: NoiseModel) -> Repeated:
    """The identifiers born in a writing request that another recorded identifier of the same route has become too."""
    compared = {result[0].sequence: (result[1], _became(result)) for result in results if was_answered(result)}
    asked = {exchange.sequence: (exchange.request.target, exchange.request.body.sha256) for exchange, _, _ in results}
    found: Repeated = {}
    for births in _births(compared, noise):
        taken: dict[str, tuple[int, str]] = {}
        for sequence, value in births:
            live = compared[sequence][1].get(value, value)
            first, recorded = taken.get(live, (sequence, value))
            alike = format_of(value) == _TOKEN and asked[first] == asked[sequence]
            if first != sequence and live != value and not alike:
                found[sequence, value, live] = (
                    f"exchange {first} got the same, and the recording has {recorded} there and {value} here"
                )
            taken.setdefault(live, (sequence, value))
    return found


def _births(compared: Mapping[int, Answered], noise: NoiseModel) -> Iterator[list[tuple[int, str]]]:
    """Recorded identifiers of one kind with the exchange that each was born in, by route and noun."""
    born = sorted(
        (compared[sequence][0], noun, sequence, value)
        for (noun, value), sequence in noise.plan.born.items()
        if sequence in compared and noise.commands.get(sequence, "").startswith("POST ")
    )
    for _, group in groupby(born, key=lambda each: each[:2]):
        values = [(sequence, value) for _, _, sequence, value in group]
        unique = [each for each in values if format_of(each[1], window=noise.window) in {*_UNIQUE, _TOKEN}]
        yield unique
        serial = [each for each in values if each[1].isdecimal() and len(each[1]) <= 18]
        if all(0 < int(after[1]) - int(before[1]) <= _STEP for before, after in pairwise(serial)):
            yield serial


def _became(result: Result) -> dict[str, str]:
    return {str(each.expected): str(each.actual) for each in result[2].suppressed if each.part is Part.BODY}


def was_answered(result: Result) -> bool:
    """Whether an answer of the recorded kind came."""
    return not any(each.part in (Part.STATUS, Part.EXCHANGE) for each in result[2].differences)
