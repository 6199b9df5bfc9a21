"""Writing to the user: results to stdout, everything else to stderr; colour and cutting only on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from wiretape_server.cli.table import table

if TYPE_CHECKING:
    from pydantic import BaseModel


def out(text: str = "") -> None:
    """A line of the result."""
    click.echo(text, color=colourful(sys.stdout))


def say(text: str) -> None:
    """A line about the work, on stderr."""
    click.echo(text, err=True, color=colourful(sys.stderr))


def out_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, flexible: Sequence[str] = (),
              right: Sequence[str] = ()) -> None:  # fmt: skip
    """A table that fits the terminal, whole when it goes to a file or a pipe."""
    lines = table(headers, rows, width=width(), flexible=flexible, right=right)
    out(click.style(lines[0], bold=True))
    for line in lines[1:]:
        out(line)


def out_json(document: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
    """The one JSON document of `--json`."""
    from pydantic_core import to_json

    click.echo(to_json(document, indent=2, bytes_mode="base64"))


def width() -> int | None:
    """Columns of the terminal that stdout is; None when it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def colourful(stream: IO[str]) -> bool:
    """Whether colours are wanted on `stream` (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def near(path: Path) -> str:
    """A path as short as it can be pasted here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def moment(ns: int) -> str:
    """A time since the epoch as local date and time."""
    return datetime.fromtimestamp(ns / 1e9, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: int) -> str:
    """Bytes for people."""
    value, unit = float(count), "B"
    for larger in ("KB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def ms(value: float) -> str:
    """Milliseconds for people: three significant digits are enough."""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def plural(count: int, noun: str) -> str:
    """`1 exchange`, `2 exchanges`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}es" if noun.endswith(("s", "h")) else f"{count} {noun}s"
