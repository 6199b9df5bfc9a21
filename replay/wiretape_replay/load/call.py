"""One request under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wiretape_replay.load.item import Item

if TYPE_CHECKING:
    from wiretape_replay.load.clone import Clone


class Call:
    """A request of a clone, from the moment when it should be sent to its answer."""

    __slots__ = ("_suspicious", "again", "clone", "data", "expected", "intended_ns", "item", "keeps", "sent_ns")

    def __init__(self, clone: Clone, item: Item, data: bytes, expected: bytes | None, intended_ns: int,
                 suspicious: Callable[[Item, int], bool]) -> None:  # fmt: skip
        self.clone, self.item, self.data, self.intended_ns = clone, item, data, intended_ns
        self.expected = expected
        """The recorded body as it reads with live values; the recorded one itself where there are none."""
        self.sent_ns = 0
        self.keeps = clone.sample is not None or item.learns
        """Whether somebody wants the answer's bytes whatever they are."""
        self.again = False
        """Whether it was sent before."""
        self._suspicious = suspicious

    def suspect(self, status: int) -> bool:
        """Whether an answer that is not the recorded one is worth keeping."""
        return self._suspicious(self.item, status)
