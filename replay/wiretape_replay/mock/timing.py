"""How long an answer is held back (design §6): `none`, `recorded`, or a multiple of the recorded speed. Pure."""

from __future__ import annotations

import re

from wiretape_capture.errors import UsageError

_MULTIPLE = re.compile(r"(\d+(?:\.\d+)?)x")


def delay_factor(timing: str) -> float:
    """What a recorded duration is multiplied with."""
    if timing == "none":
        return 0.0
    if timing == "recorded":
        return 1.0
    found = _MULTIPLE.fullmatch(timing)
    if found is None or float(found[1]) == 0:
        raise UsageError(f"'{timing}' is not a timing", "use none, recorded, or a multiple such as 2x")
    return 1.0 / float(found[1])
