"""Notifications of one connection: its own wait for its commit, those of all for the end of its transaction. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable

from wiretape_replay.mock.postgres import replies

type Notice = tuple[str, str]
"""Channel and payload."""


class Mailbox:
    """What was notified and is not told yet."""

    def __init__(self) -> None:
        self.mine: list[Notice] = []
        """Of a transaction that has not ended."""
        self._arrived: list[Notice] = []

    @property
    def waits(self) -> bool:
        """Whether there is anything."""
        return bool(self.mine or self._arrived)

    def arrive(self, told: Iterable[Notice], channels: Container[str]) -> None:
        """Notifications came from a session; those of other channels are not for this one."""
        self._arrived += [each for each in told if each[0] in channels]

    def posted(self) -> list[Notice]:
        """Its own, which go out now."""
        mine, self.mine = self.mine, []
        return mine

    def delivered(self) -> list[bytes]:
        """What the client is told now."""
        arrived, self._arrived = self._arrived, []
        return [replies.notification(channel, payload) for channel, payload in arrived]
