"""What the hook remembers between calls: the last verdict, the code that it was for, and how often it said no."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1
NAME = "hook.json"
MOST_SESSIONS = 50


@dataclass
class Memory:
    """Kept in `.wiretape/jobs`, where nothing of it gets into git."""

    digest: str = ""
    """Of the code that the last verdict is for."""
    verdict: str = ""
    run: str = ""
    files: dict[str, list[int | str]] = field(default_factory=dict)
    """All that the last look saw, so that the next one reads little."""
    gone_ns: int = 0
    """When a look last missed a file: no file's own time tells of that."""
    reminded: bool = False
    blocks: dict[str, int] = field(default_factory=dict)
    """How often each session was told to go on in its present turn."""
    version: int = VERSION

    def passed(self, digest: str, verdict: str, run: str) -> None:
        """A verdict was reached for `digest`."""
        self.digest, self.verdict, self.run, self.reminded = digest, verdict, run, False

    def count(self, session: str, number: int) -> None:
        """Keep how often a session was told to go on, for the newest sessions."""
        self.blocks.pop(session, None)
        if number:
            self.blocks[session] = number
        while len(self.blocks) > MOST_SESSIONS:
            del self.blocks[next(iter(self.blocks))]


def recall(folder: Path) -> Memory:
    """What is remembered; nothing where the file is missing, damaged or of another version."""
    try:
        said: dict[str, Any] = json.loads((folder / NAME).read_bytes())
        return Memory(**said) if said.get("version") == VERSION else Memory()
    except (OSError, ValueError, TypeError, AttributeError):
        return Memory()


def keep(folder: Path, memory: Memory) -> None:
    """Remember, whole or not at all; a hook must not fail because it cannot."""
    part = folder / f".{NAME}.{os.getpid()}.part"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.write_text(json.dumps(asdict(memory)), encoding="utf-8", errors="surrogatepass")
        part.replace(folder / NAME)
