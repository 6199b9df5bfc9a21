"""What a snapshot or a run may be called, and the names it gets when the user gives none."""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import count

PROJECT_FILE = "wiretape.toml"
DATA_DIR = ".wiretape"


def name_from(text: str) -> str:
    """The valid name nearest to `text`, such as a file's stem."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-_")[:100] or "imported"


def dated_names(now: datetime, *, shared: bool = False) -> Iterator[str]:
    """Names that sort by time, the plain one first; `shared` ones are given to nobody else on other machines either."""
    stem = now.strftime("%Y%m%d-%H%M%S") + (f"-{secrets.token_hex(3)}" if shared else "")
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
