"""A file with every text of one snapshot, so that a search reads one file from end to end and unpacks nothing.

Equal bodies are in it once. It is a cache beside the recordings: named by the snapshot's hash, made anew where it is
missing or does not fit, and in this machine's byte order. Reading a gigabyte of it takes less than a second.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from wiretape_capture.snapshot.search_text import body_text, coding_of, head_text, parts

MAGIC = 0x31_54_58_54_50_41_54_57
"""`WTAPTXT1`, the last digit being the layout's version."""
LARGEST = 4 << 30
"""Bytes of text above which a snapshot gets no index and is searched through the tape."""
BLOCK = 2048
"""Exchanges whose texts are looked into at a time."""
_HEADER = struct.Struct("=Q64sQQQQ")
_END = b"\xff"
"""Ends a text; no byte of UTF-8."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_UNREADABLE = re.compile(b"(?:" + re.escape(_REPLACED.encode()) + b")+")


def can_find(text: str) -> bool:
    """Whether the index has what is asked for: bytes that are no text are left out of it."""
    return _REPLACED not in text


class TooMuchText(Exception):
    """A snapshot's texts are larger than `LARGEST`."""


class IndexWriter:
    """Writes the index of one snapshot; rows are added by sequence."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder cannot be written."""
        descriptor, name = tempfile.mkstemp(prefix="part-", dir=folder)
        self._file, self._path = os.fdopen(descriptor, "wb"), Path(name)
        self._file.write(bytes(_HEADER.size))
        self._size = 0
        self._known: dict[tuple[str, str], int] = {}
        self._starts, self._sequences = array("Q"), array("Q")
        self._firsts, self._shared, self._shared_from = array("Q"), array("Q"), array("Q")

    def add(self, rows: Sequence[Mapping[str, Any]], bodies: Mapping[str, bytes]) -> None:
        """Add rows with the bodies that they refer to. Raises TooMuchText, OSError."""
        for row in rows:
            self._sequences.append(row["sequence"])
            self._firsts.append(len(self._starts))
            self._shared_from.append(len(self._shared))
            self._text(head_text(row))
            for part in parts(row):
                key = part[0], coding_of(part)
                known = self._known.get(key)
                if known is None:
                    self._known[key] = len(self._starts)
                    self._text(body_text(part, bodies[part[0]]))
                elif known < self._firsts[-1]:
                    self._shared.append(known)

    def _text(self, text: bytes) -> None:
        if b"\xef\xbf\xbd" in text:
            text = _UNREADABLE.sub(_END, text)
        self._starts.append(self._size)
        self._size += self._file.write(text) + self._file.write(_END)
        if self._size > LARGEST:
            raise TooMuchText

    def close(self, target: Path, sha256: str) -> None:
        """Put the whole index at its place, at once."""
        self._starts.append(self._size)
        self._firsts.append(len(self._starts) - 1)
        self._shared_from.append(len(self._shared))
        for table in (self._starts, self._sequences, self._firsts, self._shared_from, self._shared):
            table.tofile(self._file)
        self._file.seek(0)
        self._file.write(_HEADER.pack(MAGIC, sha256.encode(), self._size, len(self._starts) - 1,
                                      len(self._sequences), len(self._shared)))  # fmt: skip
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(target)

    def discard(self) -> None:
        """Leave nothing behind; after `close` there is nothing to leave."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class TextIndex:
    """An index in memory as far as the system keeps it there; searches may run in several threads."""

    def __init__(self, text: mmap.mmap, size: int, texts: int, exchanges: int) -> None:
        self._text = text
        numbers = memoryview(text)[_HEADER.size + size :].cast("Q")
        self._starts, rest = numbers[: texts + 1], numbers[texts + 1 :]
        self._sequences, rest = rest[:exchanges], rest[exchanges:]
        self._firsts, rest = rest[: exchanges + 1], rest[exchanges + 1 :]
        self._shared_from, self._shared = rest[: exchanges + 1], rest[exchanges + 1 :]

    @classmethod
    def open(cls, path: Path, sha256: str) -> Self | None:
        """None where there is no whole index of that snapshot."""
        try:
            with path.open("rb") as file:
                header = file.read(_HEADER.size)
                if len(header) < _HEADER.size:
                    return None
                magic, name, *sizes = _HEADER.unpack(header)
                size, texts, exchanges, shared = sizes
                expected = _HEADER.size + size + 8 * (texts + 1 + exchanges + 2 * (exchanges + 1) + shared)
                if (magic, name) != (MAGIC, sha256.encode()) or os.fstat(file.fileno()).st_size != expected:
                    return None
                return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), size, texts, exchanges)
        except OSError:
            return None

    def holding(self, needle: bytes, after: int) -> Iterator[list[int]]:
        """Sequences above `after` of the exchanges with that lowered text, ascending, a block at a time."""
        checked: dict[int, bool] = {}
        for begin in range(bisect_right(self._sequences, after), len(self._sequences), BLOCK):
            end = min(begin + BLOCK, len(self._sequences))
            found = set(self._own(needle, begin, end))
            if self._shared_from[begin] != self._shared_from[end]:
                found |= {at for at in range(begin, end) if at not in found and self._by_others(needle, at, checked)}
            yield [self._sequences[at] for at in sorted(found)]

    def _own(self, needle: bytes, begin: int, end: int) -> Iterator[int]:
        """Exchanges from `begin` to `end` that brought a text with the needle."""
        stop = self._start_of(self._firsts[end])
        position = self._text.find(needle, self._start_of(self._firsts[begin]), stop)
        while position >= 0:
            text = bisect_right(self._starts, position - _HEADER.size) - 1
            owner = bisect_right(self._firsts, text) - 1
            yield owner
            position = self._text.find(needle, self._start_of(self._firsts[owner + 1]), stop)

    def _by_others(self, needle: bytes, at: int, checked: dict[int, bool]) -> bool:
        """Whether a text with the needle, which an earlier exchange brought, is one of this exchange too."""
        for text in self._shared[self._shared_from[at] : self._shared_from[at + 1]]:
            if text not in checked:
                checked[text] = self._text.find(needle, self._start_of(text), self._start_of(text + 1)) >= 0
            if checked[text]:
                return True
        return False

    def _start_of(self, text: int) -> int:
        return _HEADER.size + self._starts[text]
