"""The leaves of a request that a run makes afresh, and the key that is left when they are taken away. Pure.

A leaf is taken away by its format alone; whether two values there can stand for each other is decided for each pair
of requests, by the clocks of their runs and by what the recording proves. Everything else must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from wiretape_replay.formats import TIMED, VOLATILE, format_of
from wiretape_replay.instants import DAY, SECOND, Instant, Window, epoch_of, instant_of
from wiretape_replay.match.content import canonical
from wiretape_replay.match.parts import OPERATION_HEADERS, Parts

UNDATED = "time"
"""A time of day has no date to hold against a clock: opening hours look the same."""
OPAQUE = frozenset({"hex", "token"})
"""A random text may look like either."""
PLAUSIBLE = Window(1_230_768_000 * SECOND, 4_102_000_000 * SECOND)
"""2009 to 2099: what is taken away may depend on no clock, or a constant would be volatile today and not tomorrow."""
MINUTE = 60 * SECOND
FAR = 400 * DAY
"""Nothing reckons further than this from its own time."""
FAR_SLACK = 5 * SECOND
"""Between the reading of a clock and the sending of its request."""

_OPERATION_PLACES = frozenset(f"header/{name}" for name in OPERATION_HEADERS)

_EMBEDDED = re.compile(
    r"(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\b)"
    r"|(?P<datetime>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
)


@dataclass(frozen=True, slots=True)
class Volatile:
    """One volatile piece of one leaf."""

    place: str
    format: str
    text: str
    whole: bool
    """False when it stands inside of a longer text."""

    @property
    def identifies(self) -> bool:
        """Whether it names something, so that it may come again; a reading of a clock does not."""
        return self.format not in TIMED


@dataclass(frozen=True, slots=True)
class Masked:
    """A request without its volatile leaves."""

    key: tuple[object, ...]
    volatile: tuple[Volatile, ...]


def text_of(value: JsonValue) -> str:
    """A leaf as it stands in a path, a query or a JSON text."""
    return value if isinstance(value, str) else canonical(value).decode()


def mask(parts: Parts) -> Masked | None:
    """Take the volatile leaves of a request away; None when it has none."""
    taken: list[Volatile] = []
    left: list[tuple[str, str]] = []
    for place, value in parts.leaves():
        if place in _OPERATION_PLACES:
            left.append((place, text_of(value)))
            continue
        rest, pieces = _take(place, value)
        taken.extend(pieces)
        left.append((place, rest))
    if not taken:
        return None
    # A body without leaves is compared by its digest.
    whole = b"" if parts.content.leaves else parts.content.digest
    return Masked((parts.method, parts.service, tuple(sorted(left)), whole), tuple(taken))


def made_afresh(place: str, before: JsonValue, after: JsonValue) -> bool:
    """Whether two values of a leaf are alike but for what a run makes afresh."""
    return _take(place, before)[0] == _take(place, after)[0]


def _take(place: str, value: JsonValue) -> tuple[str, list[Volatile]]:
    found = _format(value)
    if found is not None:
        return f"\0{found}", [Volatile(place, found, text_of(value), whole=True)]
    if isinstance(value, str):
        return _take_embedded(place, value) if len(value) > 19 else ("s" + value, [])
    return "j" + text_of(value), []


def _format(value: JsonValue) -> str | None:
    found = format_of(value, window=PLAUSIBLE)
    if found is None or found == UNDATED or found not in VOLATILE:
        return None
    return "opaque" if found in OPAQUE else found


def _take_embedded(place: str, text: str) -> tuple[str, list[Volatile]]:
    pieces = [
        Volatile(place, str(found.lastgroup), found[0], whole=False)
        for found in _EMBEDDED.finditer(text)
        if _format(found[0]) == found.lastgroup
    ]
    rest = text
    for piece in pieces:
        rest = rest.replace(piece.text, f"\0{piece.format}")
    return "s" + rest, pieces


def same_in_its_run(before: Volatile, recorded_ns: int, after: Volatile, live_ns: int) -> bool:
    """Whether two different values can be the same one made afresh, each read against the clock of its own run.

    Identifiers can. A date must be as many days from its run as the other, a time rounded to the minute as many hours,
    a time far from its run as many seconds; any other reading of a clock can.
    """
    if before.format == "snowflake":
        return _near(before.text, recorded_ns) and _near(after.text, live_ns)
    if before.identifies:
        return True
    one, other = _instant(before.text), _instant(after.text)
    if one is None or other is None:
        return False
    offsets = one.ns - recorded_ns, other.ns - live_ns
    if one.kind == "date" or (one.ns % DAY == 0 and other.ns % DAY == 0):
        return offsets[0] // DAY == offsets[1] // DAY and abs(offsets[0]) < FAR
    moved = abs(offsets[0] - offsets[1])
    if any(abs(offset) > DAY for offset in offsets):
        return moved <= FAR_SLACK and abs(offsets[0]) < FAR
    rounded = one.ns % MINUTE == 0 and other.ns % MINUTE == 0
    return not rounded or moved <= 60 * MINUTE


def _near(text: str, clock_ns: int) -> bool:
    return format_of(int(text), window=Window(clock_ns, clock_ns)) is not None


def _instant(text: str) -> Instant | None:
    if text.replace(".", "", 1).isdigit():
        return epoch_of(int(text) if text.isdigit() else float(text), PLAUSIBLE)
    return instant_of(text)


_TOKEN = re.compile(r"[A-Za-z0-9_.+/=-]{8,}")
_WORD = re.compile(r"[A-Za-z0-9_-]{8,}")


def mentions(texts: Iterable[str], wanted: frozenset[str]) -> Iterator[str]:
    """Those of the wanted identifiers that stand in the texts on token boundaries."""
    for text in texts:
        for pattern in (_TOKEN, _WORD):
            yield from wanted.intersection(pattern.findall(text))
        yield from (found[0] for found in _EMBEDDED.finditer(text) if found[0] in wanted)
