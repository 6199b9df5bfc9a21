"""A project and a home, and `wiretape install` in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Place:
    """Two folders and the command that works on them."""

    project: Path
    home: Path
    call: Callable[..., tuple[int, str, str]]

    def install(self, *words: str, code: int = 0) -> dict[str, Any]:
        """`wiretape install WORDS --json`; the exit code must be `code`."""
        got, out, err = self.call("install", *words, "--json")
        assert got == code, out + err
        document: dict[str, Any] = json.loads(out)
        return document

    def status(self, *words: str, code: int = 0) -> dict[str, str]:
        """The status of each file, by its path from the project or, with ~, from the home."""
        rows = self.install(*words, code=code)["files"]
        return {self.short(Path(row["file"])): row["status"] for row in rows}

    def short(self, path: Path) -> str:
        if path.is_relative_to(self.project):
            return path.relative_to(self.project).as_posix()
        return f"~/{path.relative_to(self.home).as_posix()}"

    def tree(self) -> dict[str, bytes]:
        """All files with their bytes."""
        return {self.short(path): path.read_bytes() for root in (self.project, self.home)
                for path in sorted(root.rglob("*")) if path.is_file()}  # fmt: skip
