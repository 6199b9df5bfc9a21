"""What runs in a folder: whether jobs are gone shows by their processes, for another one takes a free port at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def processes_in(folder: Path) -> set[int]:
    """Processes whose working directory it is; those that only wait to be reaped have none."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (each / "cwd").readlink() == folder.resolve():
                found.add(int(each.name))
    return found
