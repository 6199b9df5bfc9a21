"""What a connection is subscribed to, and how the server counts it (redis.io/docs/latest/develop/pubsub). Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from wiretape_capture.protocols.redis.cells import Cell, from_text

MESSAGES = ("message", "pmessage", "smessage")
KINDS = ("subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe")
"""The replies to subscriptions, by their first member."""


class Subscriptions:
    """Channels, patterns and sharded channels of one connection."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, Cell]] = {"": {}, "p": {}, "s": {}}

    def __bool__(self) -> bool:
        return any(self._names.values())

    def replies_to(self, command: str, given: int) -> int:
        """How many replies a command of so many names gets: without any, it ends all of its kind."""
        if given or not command.lower().endswith("unsubscribe"):
            return max(given, 1)
        return max(len(self._names[kind_of(command)]), 1)

    def has(self, kind: str, name: Cell) -> bool:
        """Whether a name is subscribed to; the kind is empty, `p` or `s`."""
        return str(name) in self._names[kind]

    def names(self, kind: str) -> list[Cell]:
        """All names of a kind."""
        return list(self._names[kind].values())

    def count(self, kind: str) -> int:
        """What the server says at the end of a reply: sharded channels are counted apart."""
        return len(self._names["s"]) if kind == "s" else len(self._names[""]) + len(self._names["p"])

    def apply(self, reply: list[Cell]) -> None:
        """What a reply says of one name."""
        names = self._names[kind_of(reply[0])]
        if reply[0].endswith("unsubscribe"):
            names.pop(str(reply[1]), None)
        else:
            names[str(reply[1])] = reply[1]


def kind_of(word: str) -> str:
    """Of a command or of a reply to it: `p` for patterns, `s` for sharded channels, else empty."""
    word = word.lower()
    return word[0] if word.startswith(("ps", "pu", "ss", "sun")) else ""


def glob(pattern: Cell, name: Cell) -> bool:
    """Whether a pattern of PSUBSCRIBE fits a channel (`stringmatchlen` of the server)."""
    return _compiled(from_text(pattern)).fullmatch(from_text(name)) is not None


@lru_cache(maxsize=1 << 10)
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    out, at = [], 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            out.append(b".*")
        elif byte == b"?":
            out.append(b".")
        elif byte == b"[":
            end = pattern.find(b"]", at + 1)
            inside = pattern[at : end if end >= 0 else len(pattern)]
            at = end + 1 if end >= 0 else len(pattern)
            negated = inside[:1] == b"^"
            members = re.escape(inside[negated:]).replace(rb"\-", b"-")
            out.append(b"[" + (b"^" if negated else b"") + members + b"]")
        else:
            if byte == b"\\" and at < len(pattern):
                byte = pattern[at : at + 1]
                at += 1
            out.append(re.escape(byte))
    try:
        return re.compile(b"".join(out), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))
