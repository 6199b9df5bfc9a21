"""Durations that an app measured of its own work: `"elapsed": 0.0031`, `"query_ms": 2.937742`, `took 2.964ms`.

A timeout, a film's length or a price are numbers too; so a name must say that it was measured, or name a unit of time
while the digits show a clock's resolution.
"""

from __future__ import annotations

import re
from decimal import Decimal

_MEASURED = frozenset({"elapsed", "took", "latency", "uptime", "runtime"})
_TIMED = frozenset({"ms", "us", "ns", "millis", "seconds", "secs", "sec", "duration", "time", "times"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_RESOLUTION = 4
"""Fraction digits that nobody types."""

IN_TEXT = (
    r"(?:(?<=\btook )|(?<=\bTook ))\d+(?:\.\d+)?\s?(?:ms|µs|us|ns|s|sec|seconds)\b"
    r"|(?:(?<=\bin )|(?<=\belapsed )|(?<=\belapsed: )|(?<=\btime: ))\d+\.\d+\s?(?:ms|µs|us|ns|s|sec|seconds)\b"
)
"""What follows `took`, or a number with a fraction and a unit after `in`, `elapsed` or `time:`."""


def is_duration(name: str, expected: float | Decimal, actual: float | Decimal) -> bool:
    """Whether two numbers of a field are both measured durations."""
    words = {word.lower() for word in _WORD.findall(name)}
    if not Decimal(expected).is_finite() or not Decimal(actual).is_finite() or min(expected, actual) < 0:
        return False
    if not _MEASURED.isdisjoint(words):
        return True
    return not _TIMED.isdisjoint(words) and min(_digits(expected), _digits(actual)) >= _RESOLUTION


def _digits(number: float | Decimal) -> int:
    exponent = Decimal(str(number)).as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
