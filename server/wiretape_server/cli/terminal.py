"""Writing to the user: results to stdout, everything else to stderr; colour and cutting only on a terminal.

Whoever reads may go before we do (`| head`, a `tee` that Ctrl-C ended too): what is written then is lost, nothing else.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from wiretape_server.cli.table import table

if TYPE_CHECKING:
    from pydantic import BaseModel


READER_GONE = frozenset({errno.EPIPE, errno.EIO})
"""What a write says when the pipe's reader has ended or the terminal was closed."""


def out(text: str | bytes = "") -> None:
    """A line of the result. A full disk is an error, for the result is what was asked for."""
    try:
        click.echo(text, color=colourful(sys.stdout))
    except OSError as error:
        if error.errno not in READER_GONE:
            raise
        abandon(sys.stdout)


def say(text: str) -> None:
    """A line about the work, on stderr. It never fails, for the work is not to end because nobody hears of it."""
    try:
        click.echo(text, err=True, color=colourful(sys.stderr))
    except OSError:
        abandon(sys.stderr)


def abandon(stream: IO[str]) -> None:
    """Let `stream` lead nowhere from now on, also what it still holds."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def open_standard_streams() -> None:
    """Have streams 0, 1 and 2, also where the shell closed one (`>&-`): else the next file would get its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


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

    out(to_json(document, indent=2, bytes_mode="base64"))


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
    return f"{count} {noun}es" if noun.endswith(("s", "sh", "ch")) else f"{count} {noun}s"
