"""On which line of a TOML text a key stands, which the standard parser does not tell."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")

type Path = tuple[str | int, ...]


def line_of(text: str, path: Path) -> int:
    """The line (from 1) of `path`, or of its nearest parent that has a line of its own."""
    best_line, best_depth = 1, 0
    for number, known in _keys(text):
        depth = _shared(known, path)
        if depth > best_depth:
            best_line, best_depth = number, depth
    return best_line


def _keys(text: str) -> list[tuple[int, Path]]:
    """Every header and key line with its full path. Lines inside a multi-line value may be taken for keys."""
    found: list[tuple[int, Path]] = []
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.append((number, table))
        elif key := _KEY.match(line):
            found.append((number, (*table, *_parts(key[1]))))
    return found


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _shared(known: Path, path: Path) -> int:
    """How much of `path` the line `known` stands for: all of its parts must agree."""
    return len(known) if known == path[: len(known)] else 0
