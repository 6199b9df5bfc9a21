"""Two long texts cut so that the place where they begin to differ is in sight. Pure."""

from __future__ import annotations

CUT = "…"


def apart(one: str, other: str, width: int, window: int) -> tuple[str, str]:
    """Both, at most `width` characters from their beginnings; where that hides the difference, `window` around it."""
    if max(len(one), len(other)) <= width or one == other:
        return cut(one, width), cut(other, width)
    at = first_difference(one, other)
    if at < width * 2 // 3:
        return cut(one, width), cut(other, width)
    start = at - window // 3
    return _from(one, start, window), _from(other, start, window)


def cut(text: str, width: int) -> str:
    """At most `width` characters, the last of which says that some are missing."""
    return text if len(text) <= width else text[: width - 1] + CUT


def first_difference(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginnings, in slices: they may be megabytes."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _from(text: str, start: int, window: int) -> str:
    return CUT + cut(text[start:], window - 1)
