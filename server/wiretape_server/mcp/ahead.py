"""Whether `wiretape mcp` will serve on stdin and stdout, seen without the command line's imports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ELSEWHERE = {"--http", "--sse", "--help", "-h"}
"""Words with which stdin and stdout are no client's."""


def begin(words: Sequence[str], folder: Path) -> None:
    """Read and answer a client from now on, where these words after `wiretape mcp` mean that stdin and stdout are one.

    Raises:
        OSError: stdin or stdout is closed.
    """
    if ELSEWHERE.isdisjoint(words) and ("--stdio" in words or configured(folder) == "stdio"):
        from wiretape_server.mcp.wire import standard_wire

        standard_wire()


def configured(folder: Path) -> str:
    """The transport that the project's wiretape.toml names; one that cannot be read names none: the tools say why."""
    folder = folder.resolve()
    found = (each for each in (folder, *folder.parents)
             if (each / "wiretape.toml").exists() or (each / ".wiretape").is_dir())  # fmt: skip
    file = next(found, folder) / "wiretape.toml"
    if not file.exists():
        return "stdio"
    import tomllib

    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("mcp")
    except (OSError, ValueError):
        return "stdio"
    return str(table.get("transport", "stdio")) if isinstance(table, dict) else "stdio"
