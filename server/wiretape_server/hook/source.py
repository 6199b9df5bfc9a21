"""The state of a project's source as one digest: only files that changed since the last look are read again."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 20_000
LARGEST_READ = 4 * 1024 * 1024
"""Larger files are told apart by size and time."""
GIT_SECONDS = 10
NO_CODE = frozenset({".md", ".mdc", ".rst", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".pdf", ".bak", ".log",
                     ".pyc"})  # fmt: skip
"""Suffixes of what no app runs: prose, pictures, leavings."""
NOT_THE_APPS = frozenset({".wiretape", ".git", ".claude", ".cursor", ".vscode", ".github", ".gemini", ".codex", ".zed",
                          ".junie", ".idea", ".opencode", ".windsurf", ".mcp.json", "opencode.json"})  # fmt: skip
"""First parts of paths that belong to tools."""
NEVER_WALKED = frozenset({"node_modules", "__pycache__", ".venv", "venv", "target", "dist", "build", ".tox"})
"""Folders that are left out where no git says what is ignored."""

type Seen = Mapping[str, list[int | str]]
"""Path → time, size and digest of each file at the last look."""


@dataclass(frozen=True)
class Source:
    """The source at one moment."""

    digest: str
    files: dict[str, list[int | str]]
    newest_ns: int
    """When the last of the files that are there was changed."""


def look(root: Path, seen: Seen) -> Source:
    """The source of the project at `root`."""
    files: dict[str, list[int | str]] = {}
    newest = 0
    for name in sorted(set(_names(root)))[:MOST_FILES]:
        known = _known(root, name, seen.get(name))
        if known is not None:
            files[name] = known
            newest = max(newest, int(known[0]))
    whole = hashlib.blake2b(digest_size=16)
    for name, (_, _, digest) in files.items():
        whole.update(f"{name}\0{digest}\0".encode("utf-8", "surrogateescape"))
    return Source(whole.hexdigest(), files, newest)


def _known(root: Path, name: str, before: list[int | str] | None) -> list[int | str] | None:
    path = os.path.join(root, name)  # noqa: PTH118 - tens of thousands of these must take milliseconds
    try:
        info = os.lstat(path)
        if before is not None and before[:2] == [info.st_mtime_ns, info.st_size]:
            return before
        return [info.st_mtime_ns, info.st_size, _digest(path, info)]
    except OSError:
        return None  # deleted but still in git's index, or not ours to read


def _digest(path: str, info: os.stat_result) -> str:
    if stat.S_ISLNK(info.st_mode):
        return f"link {os.readlink(path)}"  # noqa: PTH115
    if not stat.S_ISREG(info.st_mode):
        return "special"
    if info.st_size > LARGEST_READ:
        return f"large {info.st_size} {info.st_mtime_ns}"
    with open(path, "rb") as file:  # noqa: PTH123
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _names(root: Path) -> Iterator[str]:
    names = _listed_by_git(root)
    for name in names if names is not None else _walked(root):
        if name.partition("/")[0] not in NOT_THE_APPS and os.path.splitext(name)[1] not in NO_CODE:  # noqa: PTH122
            yield name


def _listed_by_git(root: Path) -> list[str] | None:
    """Tracked and untracked files, without ignored ones; None outside of a repository."""
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _walked(root: Path) -> Iterator[str]:
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in NEVER_WALKED and name not in NOT_THE_APPS)
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118
            count += 1
            if count >= MOST_FILES:
                return
