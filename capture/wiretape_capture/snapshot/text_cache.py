"""Where indexes of snapshots lie: one file for each, named by the snapshot's hash, in a folder that is never shared.

They hold what the recordings hold, so they are as private and go when their recording goes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from wiretape_capture.snapshot.text_index import IndexWriter, TextIndex

SUFFIX = ".text"
_ABANDONED_SECONDS = 3600.0
"""Age from which on an unfinished index is the rest of a build that was killed."""

type Progress = Callable[[int, int], Awaitable[None]]
"""Awaited with the exchanges that were read and those there are."""


class TextCache:
    """A folder of indexes; it is made when the first is written. Without rights to write there are none."""

    def __init__(self, folder: Path, progress: Progress | None = None) -> None:
        self.folder = folder
        self.progress = progress

    def find(self, sha256: str) -> TextIndex | None:
        """The index of the snapshot with that hash."""
        return TextIndex.open(self._path(sha256), sha256)

    def begin(self, snapshots: Path) -> IndexWriter:
        """A new index; those of recordings that are no longer in `snapshots` go. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        self.tidy(snapshots)
        return IndexWriter(self.folder)

    def finish(self, writer: IndexWriter, sha256: str) -> TextIndex | None:
        """Put a complete index at its place. Raises OSError."""
        writer.close(self._path(sha256), sha256)
        return self.find(sha256)

    def tidy(self, snapshots: Path) -> None:
        """Remove what belongs to no closed tape of the folder `snapshots`."""
        kept = {self._path(sha256).name for tape in snapshots.glob("*.tape") if (sha256 := _sealed(tape))}
        with suppress(OSError):
            for file in self.folder.iterdir():
                begun = file.name.startswith("part-") and file.stat().st_mtime < time.time() - _ABANDONED_SECONDS
                if begun or (file.suffix == SUFFIX and file.name not in kept):
                    file.unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256[:32]}{SUFFIX}"


def _sealed(tape: Path) -> str:
    """The hash that a tape says it has; empty where it says none."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(tape.absolute()))}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT sha256 FROM snapshot").fetchone()
    except sqlite3.Error:
        return ""
    return str(row[0]) if row else ""
