"""The leaves of a request that a run makes afresh, and the key that is left when they are taken away. Pure.

A leaf is taken away by its format, read against the clock of its own run, and only where the recording does not
speak against it. Everything else must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from wiretape_replay.formats import TIMED, VOLATILE, format_of
from wiretape_replay.instants import DAY, SECOND, Instant, Window, epoch_of, instant_of
from wiretape_replay.match.content import canonical
from wiretape_replay.match.parts import Parts

UNDATED = "time"
"""A time of day has no date to hold against a clock: opening hours look the same."""
OPAQUE = frozenset({"hex", "token"})
"""A random text may look like either."""
ROUNDED_SLACK = 600 * SECOND

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


def mask(parts: Parts, clock_ns: int) -> Masked | None:
    """Take the volatile leaves of a request away; None when it has none."""
    window = Window(clock_ns, clock_ns)
    taken: list[Volatile] = []
    left: list[tuple[str, str]] = []
    for place, value in parts.leaves():
        if place.startswith("header/"):
            left.append((place, text_of(value)))
            continue
        rest, pieces = _take(place, value, window)
        taken.extend(pieces)
        left.append((place, rest))
    if not taken:
        return None
    # A body without leaves is compared by its digest.
    whole = b"" if parts.content.leaves else parts.content.digest
    return Masked((parts.method, parts.service, tuple(sorted(left)), whole), tuple(taken))


def _take(place: str, value: JsonValue, window: Window) -> tuple[str, list[Volatile]]:
    found = _format(value, window)
    if found is not None:
        return f"\0{found}", [Volatile(place, found, text_of(value), whole=True)]
    if isinstance(value, str):
        return _take_embedded(place, value, window) if len(value) > 19 else ("s" + value, [])
    return "j" + text_of(value), []


def _format(value: JsonValue, window: Window) -> str | None:
    found = format_of(value, window=window)
    if found is None or found == UNDATED or found not in VOLATILE:
        return None
    return "opaque" if found in OPAQUE else found


def _take_embedded(place: str, text: str, window: Window) -> tuple[str, list[Volatile]]:
    pieces = [
        Volatile(place, str(found.lastgroup), found[0], whole=False)
        for found in _EMBEDDED.finditer(text)
        if _format(found[0], window) == found.lastgroup
    ]
    rest = text
    for piece in pieces:
        rest = rest.replace(piece.text, f"\0{piece.format}")
    return "s" + rest, pieces


def same_moment(recorded: str, recorded_ns: int, live: str, live_ns: int) -> bool:
    """Whether two readings of a clock can be the same one, each seen from its own run.

    A date must be as many days from its run as the other; a time rounded to the hour or day as many hours.
    """
    before, after = _instant(recorded, recorded_ns), _instant(live, live_ns)
    if before is None or after is None:
        return False
    if before.kind == "date":
        return _days(before, recorded_ns) == _days(after, live_ns)
    if _rounded(before) and _rounded(after):
        return abs((before.ns - recorded_ns) - (after.ns - live_ns)) <= 3600 * SECOND + ROUNDED_SLACK
    return True


def _days(instant: Instant, clock_ns: int) -> int:
    return (instant.ns - clock_ns) // DAY


def _rounded(instant: Instant) -> bool:
    return instant.ns % (60 * SECOND) == 0


def _instant(text: str, clock_ns: int) -> Instant | None:
    if text.replace(".", "", 1).isdigit():
        return epoch_of(int(text) if text.isdigit() else float(text), Window(clock_ns, clock_ns))
    return instant_of(text)


_TOKEN = re.compile(r"[A-Za-z0-9_.+/=-]{8,}")
_WORD = re.compile(r"[A-Za-z0-9_-]{8,}")


def mentions(texts: Iterable[str], wanted: frozenset[str]) -> Iterator[str]:
    """Those of the wanted identifiers that stand in the texts on token boundaries."""
    for text in texts:
        for pattern in (_TOKEN, _WORD):
            yield from wanted.intersection(pattern.findall(text))
        yield from (found[0] for found in _EMBEDDED.finditer(text) if found[0] in wanted)
