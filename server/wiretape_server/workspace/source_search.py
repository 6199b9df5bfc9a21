"""Lines of the project's own code that hold a name: where to begin when a finding says what to look for. Bounded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({
    ".c", ".cc", ".cjs", ".clj", ".cpp", ".cs", ".dart", ".ex", ".exs", ".go", ".groovy", ".java", ".js", ".jsx", ".kt",
    ".lua", ".mjs", ".php", ".pl", ".py", ".rb", ".rs", ".scala", ".sql", ".swift", ".ts", ".tsx", ".vue",
})  # fmt: skip
SKIPPED = frozenset({"node_modules", "vendor", "dist", "build", "target", "venv", "site-packages", "__pycache__"})
TESTS = re.compile(r"(^|[/_.-])(test|tests|spec|specs|__tests__)([/_.-]|$)", re.IGNORECASE)
MOST_FILES = 4000
MOST_BYTES = 400_000
"""Of one file; a larger one was made by a machine."""
MOST_HITS = 400
LINE_LIMIT = 140


@dataclass(frozen=True, slots=True)
class Line:
    """One line of code."""

    path: str
    """Relative to the project."""
    number: int
    text: str
    name: str
    """Which of the names it holds."""


def lines_with(root: Path, names: Sequence[str], limit: int) -> list[Line]:
    """Lines that hold one of `names` as a word: the first name before the second, new files before old, tests last."""
    patterns = [(name, re.compile(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])")) for name in names]
    found: list[tuple[int, Line]] = []
    for path in _newest(root):
        for rank, line in _hits(root, path, patterns):
            found.append((rank, line))
        if len(found) >= MOST_HITS:
            break
    found.sort(key=lambda hit: (TESTS.search(hit[1].path) is not None, hit[0]))
    return [line for _, line in found[:limit]]


def _hits(root: Path, path: Path, patterns: Sequence[tuple[str, re.Pattern[str]]]) -> Iterator[tuple[int, Line]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if not any(name in text for name, _ in patterns):
        return
    for number, line in enumerate(text.splitlines(), 1):
        for rank, (name, pattern) in enumerate(patterns):
            if name in line and pattern.search(line):
                yield rank, Line(path.relative_to(root).as_posix(), number, line.strip()[:LINE_LIMIT], name)
                break


def _newest(root: Path) -> list[Path]:
    """Files of code, the one changed last first; links are not followed, for they may lead out of the project."""
    found: list[tuple[int, Path]] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if each not in SKIPPED and not each.startswith("."))
        for name in names:
            path = Path(folder, name)
            if path.suffix in SUFFIXES and not path.is_symlink() and (status := path.stat()).st_size <= MOST_BYTES:
                found.append((status.st_mtime_ns, path))
        if len(found) >= MOST_FILES:
            break
    return [path for _, path in sorted(found, key=lambda each: -each[0])]
