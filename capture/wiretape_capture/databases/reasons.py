"""Why connections of databases were not recorded, told apart only so far: strangers have a say in these texts. Pure."""

from __future__ import annotations

import re

MOST = 8
"""Reasons of one kind that are told apart."""
_BEFORE_WHY = re.compile(r"(.*?)(?:: | \()", re.DOTALL)


class Reasons:
    """What was noted so far."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}

    def bounded(self, note: str) -> str:
        """The note, or one for all that are beyond the bound; those known before stay what they are."""
        found = _BEFORE_WHY.match(note)
        if found is None:
            return note
        known = self._known.setdefault(found[1], set())
        if note not in known and len(known) >= MOST:
            return f"{found[1]}, for other reasons"
        known.add(note)
        return note
