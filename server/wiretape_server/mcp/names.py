"""Names and ids given by an agent, checked before they meet the file system."""

from __future__ import annotations

from pathlib import Path

from wiretape_capture.errors import UsageError

LISTED_BY = {"recording": "list_snapshots", "finding": "get_diff", "mock": "start_mock",
             "rule": "get_diff(noise=true)"}  # fmt: skip
"""What lists things where no tool is called after them."""


def plain(name: str | None, what: str) -> str | None:
    """`name`, unless it could be read as a path."""
    if not name:
        return None
    if "/" in name or "\\" in name or "\0" in name or name.startswith(".") or len(name) > 120:
        listing = LISTED_BY.get(what, f"list_{what}s")
        raise UsageError(f"{name[:60]!r} is not the name of a {what}", f"call {listing} and give a name from there")
    return name


def inside(path: Path, directory: Path) -> Path:
    """`path`, unless a link leads it out of `directory`."""
    if not path.resolve().is_relative_to(directory.resolve()):
        raise UsageError(f"{path.name} leads out of the workspace", "remove the link, or import what it points to")
    return path
