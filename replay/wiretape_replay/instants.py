"""Points in time as values spell them: ISO 8601, RFC 1123, epoch numbers, and whether one lies in a window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECOND = 1_000_000_000
DAY = 86_400 * SECOND

_DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)([T ])\d\d:\d\d(?::\d\d(?:[.,]\d{1,12})?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?|\d{8}T\d{6}(Z)"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
_HTTP_DATE = re.compile(r"(?:[A-Z][a-z]{2}, )?\d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})")


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in which something ran, nanoseconds since the Unix epoch."""

    start_ns: int
    end_ns: int

    def contains(self, ns: int, *, before: int = DAY, after: int = 300 * SECOND) -> bool:
        """Whether a clock reading belongs to it: the app may have started long before, clocks may be a little ahead."""
        return self.start_ns - before <= ns <= self.end_ns + after

    @property
    def length_ns(self) -> int:
        """How long it lasted."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time with how it was spelt; two spellings that differ are two formats."""

    ns: int
    kind: str
    """`datetime`, `date`, `time`, `http-date` or `epoch-…`."""
    style: str = ""
    """What a parser would notice: separator and zone, never the number of fraction digits."""

    @property
    def slack(self) -> int:
        """How far a zone or a rounding that is not told can move it."""
        if self.kind == "date":
            return DAY
        return 14 * 3600 * SECOND if self.kind == "datetime" and self.style.endswith("naive") else 0

    def inside(self, window: Window) -> bool:
        """Whether it can have been read from a clock in that window."""
        return window.contains(self.ns, before=DAY + self.slack, after=300 * SECOND + self.slack)


def instant_of(text: str) -> Instant | None:
    """The point in time that a string spells as a whole, if it spells one."""
    if not 8 <= len(text) <= 40:
        return None
    try:
        return _iso(text) if text[0].isdigit() and text[-1] not in "TC" else _http_date(text) or _iso(text)
    except ValueError:
        return None


def epoch_of(number: float, window: Window) -> Instant | None:
    """The point in time that a number counts to since 1970, if that lies in the window."""
    if not 1e8 <= number <= 1e20:
        return None
    for kind, unit in (("epoch-s", SECOND), ("epoch-ms", 1_000_000), ("epoch-us", 1_000), ("epoch-ns", 1)):
        ns = int(number * unit) if isinstance(number, int) or unit > 1 else int(number)
        if window.contains(ns):
            return Instant(ns, kind)
    return None


def _iso(text: str) -> Instant | None:
    if found := _DATETIME.fullmatch(text):
        moment = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
        zone = found[3] or found[4] or "naive"
        style = f"{found[2] or 'basic'} {zone if zone in 'Zz' or zone == 'naive' else 'offset'}"
        return Instant(_ns(moment), "datetime", style)
    if _DATE.fullmatch(text):
        return Instant(_ns(datetime.fromisoformat(text)), "date")
    if _TIME.fullmatch(text):
        return Instant(_ns(datetime.fromisoformat(f"1970-01-01T{text}")), "time", "zoned" if text[8:9] in "Z+-" else "")
    return None


def _http_date(text: str) -> Instant | None:
    if not _HTTP_DATE.fullmatch(text):
        return None
    return Instant(_ns(parsedate_to_datetime(text)), "http-date", text[-3:] if text[-1].isalpha() else "offset")


def _ns(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000_000) * 1_000
