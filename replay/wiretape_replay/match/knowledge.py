"""What is known of numbers that the app makes itself: which live number stands for which recorded one.

Told by the replay engine, which sees the app's answers, or guessed from a call that the app made while it created
something. What is told wins. A number that two sessions use for different things is not used at all. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

type Key = tuple[str, str]
"""A noun and a value."""
type Number = tuple[str, str, str]
"""A noun, the recorded value, the live value."""


@dataclass(slots=True)
class Knowledge:
    """The numbers of one live run."""

    in_flight: set[int] = field(default_factory=set)
    """Inbound exchanges that are being replayed now."""
    _recorded: dict[Key, str] = field(default_factory=dict)
    _live: dict[Key, str] = field(default_factory=dict)
    _guessed: set[Key] = field(default_factory=set)
    """Live numbers that nobody told."""
    _torn: set[Key] = field(default_factory=set)
    """Recorded and live numbers that stood for several things."""

    def tell(self, numbers: Iterable[Number]) -> None:
        """What the engine learned from the app's answers."""
        for noun, recorded, live in numbers:
            self._drop_guesses(noun, recorded, live)
            clash = (
                self._live.get((noun, recorded), live) != live or self._recorded.get((noun, live), recorded) != recorded
            )
            if clash:
                self._tear(noun, recorded, live)
            elif (noun, recorded) not in self._torn and (noun, live) not in self._torn:
                self._live[noun, recorded], self._recorded[noun, live] = live, recorded

    def guess(self, noun: str, recorded: str, live: str) -> None:
        """What a call itself suggests; it never replaces what is known."""
        if (noun, recorded) not in self._live and (noun, live) not in self._recorded:
            self._live[noun, recorded], self._recorded[noun, live] = live, recorded
            self._guessed.add((noun, live))

    def recorded(self, noun: str, live: str) -> str | None:
        """The recorded number that a live one stands for."""
        return self._recorded.get((noun, live))

    def live(self, noun: str, recorded: str) -> str | None:
        """The live number that stands for a recorded one."""
        return self._live.get((noun, recorded))

    def torn(self, noun: str, value: str) -> bool:
        """Whether a number stood for several things."""
        return (noun, value) in self._torn

    def _drop_guesses(self, noun: str, recorded: str, live: str) -> None:
        for other in {live, self._live.get((noun, recorded), live)}:
            if (noun, other) in self._guessed:
                self._guessed.discard((noun, other))
                self._live.pop((noun, self._recorded.pop((noun, other))), None)

    def _tear(self, noun: str, recorded: str, live: str) -> None:
        for old in {live, self._live.pop((noun, recorded), live)}:
            self._torn.add((noun, old))
            self._recorded.pop((noun, old), None)
        self._torn.add((noun, recorded))
        for key in [key for key, value in self._live.items() if key[0] == noun and value == live]:
            del self._live[key]
            self._torn.add(key)
