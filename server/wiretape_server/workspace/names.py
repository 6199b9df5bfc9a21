"""What a snapshot or a run may be called, and the names it gets when the user gives none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path


def name_from(text: str) -> str:
    """The valid name nearest to `text`, such as a file's stem."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-_")[:100] or "imported"


def dated_name(now: datetime, directory: Path, suffix: str) -> str:
    """A name that sorts by time and is not taken in `directory`."""
    stem = now.strftime("%Y%m%d-%H%M%S")
    name, count = stem, 1
    while (directory / f"{name}{suffix}").exists():
        count += 1
        name = f"{stem}-{count}"
    return name


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
