"""Passwords in commands and answers, taken out before anything is kept. Pure.

The mock takes them out of what it is asked, too, so that a password is no part of what is matched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from wiretape_capture.protocols.redis.cells import Cell
from wiretape_capture.protocols.redis.commands import word
from wiretape_capture.protocols.redis.requests import Arguments

SECRET = b"(secret)"
_SETTING = re.compile(r"(?i)pass|masterauth|secret|auth-pass")
_HASH = re.compile(r"[#>]?\b[0-9a-f]{64}\b")
_RULES = b"><#!"


def without_secrets(arguments: Arguments) -> Arguments:
    """A command without its passwords; the same object where it has none."""
    take = _TAKES.get(word(arguments[0]))
    return take([*arguments]) if take is not None else arguments


def answer_without_secrets(arguments: Arguments, cell: Cell) -> Cell:
    """An answer without the passwords that the server knows."""
    first = word(arguments[0])
    second = word(arguments[1]) if len(arguments) > 1 else ""
    if (first, second) == ("CONFIG", "GET"):
        return _settings(cell)
    if first == "ACL":
        return SECRET.decode() if second == "GENPASS" else _unhashed(cell)
    return cell


def _auth(arguments: Arguments) -> Arguments:
    return [*arguments[:-1], SECRET] if len(arguments) > 1 else arguments


def _hello(arguments: Arguments) -> Arguments:
    for at, raw in enumerate(arguments):
        if isinstance(raw, bytes) and raw.upper() == b"AUTH" and at + 2 < len(arguments):
            arguments[at + 2] = SECRET
    return arguments


def _acl(arguments: Arguments) -> Arguments:
    if len(arguments) > 1 and word(arguments[1]) == "SETUSER":
        arguments[3:] = [raw[:1] + SECRET if isinstance(raw, bytes) and raw[:1] and raw[:1] in _RULES else raw
                         for raw in arguments[3:]]  # fmt: skip
    return arguments


def _config(arguments: Arguments) -> Arguments:
    for at in range(2, len(arguments) - 1, 2):
        if _SETTING.search(word(arguments[at])):
            arguments[at + 1] = SECRET
    return arguments


def _migrate(arguments: Arguments) -> Arguments:
    for at, raw in enumerate(arguments):
        said = raw.upper() if isinstance(raw, bytes) else b""
        after = {b"AUTH": 1, b"AUTH2": 2}.get(said, 0)
        if after and at > 5 and at + after < len(arguments):
            arguments[at + after] = SECRET
    return arguments


def _sentinel(arguments: Arguments) -> Arguments:
    for at in range(2, len(arguments) - 1):
        if _SETTING.search(word(arguments[at])):
            arguments[at + 1] = SECRET
    return arguments


_TAKES: Mapping[str, Callable[[Arguments], Arguments]] = {
    "AUTH": _auth,
    "HELLO": _hello,
    "ACL": _acl,
    "CONFIG": _config,
    "MIGRATE": _migrate,
    "SENTINEL": _sentinel,
}


def _settings(cell: Cell) -> Cell:
    """The answer to CONFIG GET: pairs in a list, or a map."""
    if isinstance(cell, list):
        return [SECRET.decode() if at % 2 and _is_secret(cell[at - 1], each) else each for at, each in enumerate(cell)]
    if isinstance(cell, dict) and "map" in cell:
        pairs = [[name, SECRET.decode() if _is_secret(name, value) else value] for name, value in cell["map"]]
        return {"map": pairs}
    return cell


def _is_secret(name: Cell, value: Cell) -> bool:
    return isinstance(name, str) and bool(_SETTING.search(name)) and bool(value)


def _unhashed(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return _HASH.sub(SECRET.decode(), cell)
    if isinstance(cell, list):
        return [_unhashed(each) for each in cell]
    if isinstance(cell, dict):
        return {name: _unhashed(value) for name, value in cast(dict[str, Cell], cell).items()}
    return cell
