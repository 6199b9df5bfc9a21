"""What a connection is subscribed to, and how the server counts it (redis.io/docs/latest/develop/pubsub). Pure."""

from __future__ import annotations

from wiretape_capture.protocols.redis.cells import Cell

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
