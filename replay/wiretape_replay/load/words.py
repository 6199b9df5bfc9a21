"""Durations, stages and arrivals as people write them. Pure."""

from __future__ import annotations

import re

from wiretape_capture.errors import UsageError
from wiretape_replay.load.spec import LARGEST_RATE, LARGEST_SCALE, LONGEST_SECONDS, Arrivals, Stage

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+", re.ASCII)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def duration_of(text: str) -> float | None:
    """Seconds; None where nothing is said."""
    return seconds_of(text) if text.strip() else None


def length_of(text: str) -> float | None:
    """How long a load goes on, in seconds; None where nothing is said."""
    seconds = duration_of(text)
    if seconds == 0:
        raise UsageError(f"{text.strip()!r} is no time at all", "give a longer one such as 30s, or leave it out")
    return seconds


def seconds_of(text: str) -> float:
    """A duration such as `90s`, `5m`, `1h30m` or `500ms` in seconds; a bare number is seconds."""
    plain = text.strip()
    if _NUMBER.fullmatch(plain):
        seconds = float(plain)
    elif _DURATION.fullmatch(plain):
        seconds = sum(float(number) * UNITS[unit] for number, unit in _PIECE.findall(plain))
    else:
        raise UsageError(f"{text!r} is no duration", "write it as 90s, 5m or 1h30m")
    if seconds > LONGEST_SECONDS:
        raise UsageError(f"{text!r} is longer than a week", "write a shorter duration")
    return seconds


def stages_of(text: str) -> tuple[Stage, ...]:
    """`1m:10,5m:100,30s:0` as stages."""
    return tuple(_stage(text, part) for part in text.split(",")) if text.strip() else ()


def _stage(text: str, part: str) -> Stage:
    duration, mark, scale = part.strip().partition(":")
    if not mark or not _NUMBER.fullmatch(scale.strip()):
        raise UsageError(f"{part.strip()!r} in the stages {text!r} is not DURATION:SCALE",
                         "write stages as 1m:10,5m:100,30s:0")  # fmt: skip
    if float(scale) > LARGEST_SCALE:
        raise UsageError(f"the stages {text!r} scale by {scale.strip()}", f"scale by at most {LARGEST_SCALE:,.0f}")
    return Stage(seconds=seconds_of(duration), scale=float(scale))


def arrivals_of(text: str) -> tuple[Arrivals, float | None]:
    """`recorded`, `poisson 50`, `constant 2.5` or `closed 32`: the kind and its rate."""
    kind, _, rate = text.strip().partition(" ")
    if kind == "recorded" and not rate:
        return "recorded", None
    if kind not in ("poisson", "constant", "closed"):
        raise UsageError(f"{text!r} is no way to arrive", "use recorded, poisson RATE, constant RATE or closed N")
    if not _NUMBER.fullmatch(rate.strip()) or not 0 < float(rate) <= LARGEST_RATE:
        what = "a number of sessions" if kind == "closed" else "sessions a second"
        raise UsageError(f"{text!r} has no rate above zero and up to {LARGEST_RATE:,.0f}",
                         f"write {what}, as in {kind} 50")  # fmt: skip
    if kind == "closed" and not float(rate).is_integer():
        raise UsageError(f"{text!r} is no whole number of sessions", "write closed 32")
    return ("poisson" if kind == "poisson" else "constant" if kind == "constant" else "closed"), float(rate)
