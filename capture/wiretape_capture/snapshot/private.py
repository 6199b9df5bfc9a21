"""Files of recorded traffic: for the eyes of whoever recorded it. What is there already keeps its mode."""

from __future__ import annotations

import os

FILE, FOLDER = 0o600, 0o700


def private(path: str, flags: int) -> int:
    """An opener for `open`."""
    return os.open(path, flags, FILE)
