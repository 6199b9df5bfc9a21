r"""Message heads as text files that people review and that keep every byte: the folder's `.http` files. Pure.

A character that would be lost, unseen or ambiguous is written `\xNN` (or `\uNNNNNN`), a backslash `\\`, an empty
word `\e`. A blank line ends the headers; trailers may follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from wiretape_capture.snapshot.exchange import Headers

_UNSAFE = re.compile(r"[^\x20-\x7e]|\\")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{6})|(\\)|(e))|\\")


def head(start: str, headers: Headers, trailers: Headers) -> str:
    """The head's lines; `start` is a finished start line."""
    lines = [start, *map(_line, headers)]
    if trailers:
        lines += ["", *map(_line, trailers)]
    return "\n".join(lines) + "\n"


def parse_head(text: str) -> tuple[str, Headers, Headers]:
    """Start line (still escaped), headers and trailers. Raises ValueError naming the line."""
    lines = text.removesuffix("\n").split("\n")
    end = lines.index("") if "" in lines else len(lines)
    return lines[0], _pairs(lines[1:end], 2), _pairs(lines[end + 1 :], end + 2)


def words(*values: str) -> str:
    """A start line: its words one space apart."""
    return " ".join(escape(value).replace(" ", r"\x20") or r"\e" for value in values)


def parse_words(line: str, count: int) -> list[str]:
    """The words of a start line. Raises ValueError when there are not `count` of them."""
    found = line.split(" ")
    if len(found) != count:
        raise ValueError(f"line 1 has {len(found)} words where {count} belong")
    return [unescape(word) for word in found]


def escape(text: str) -> str:
    """The text with every character visible on one line."""
    return _UNSAFE.sub(lambda found: _code(found[0]), text)


def unescape(text: str) -> str:
    """The text that was escaped. Raises ValueError for an escape that `escape` never writes."""
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    if code is not None:
        return chr(int(code, 16))
    if found[0] == "\\":
        raise ValueError(f"'{found.string[found.start() : found.start() + 4]}' is no escape")
    return "\\" if found[3] else ""


def _code(character: str) -> str:
    if character == "\\":
        return r"\\"
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:06x}"


def _line(pair: tuple[str, str]) -> str:
    name, value = escape(pair[0]).replace(":", r"\x3a") or r"\e", escape(pair[1])
    core = value.strip(" ")
    if core != value:  # blanks at the ends would be lost to editors
        left = len(value) - len(value.lstrip(" "))
        value = r"\x20" * left + core + r"\x20" * (len(value) - left - len(core))
    return f"{name}: {value}" if value else f"{name}:"


def _pairs(lines: Iterable[str], first: int) -> Headers:
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(lines, first):
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"line {number} is no header: it has no colon")
        pairs.append((unescape(name), unescape(value.removeprefix(" "))))
    return tuple(pairs)
