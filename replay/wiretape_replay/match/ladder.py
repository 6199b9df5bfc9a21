"""The recorded answers to a request that comes again and again, taken apart into states once. Pure; see `causal`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Sequence
from dataclasses import dataclass

from wiretape_replay.match.causal import LINEAR, AtEnd, Choice, Rung, first_fresh, when_given


@dataclass(slots=True)
class _Epoch[R: Rung]:
    """The answers of one state."""

    begin: int
    end: int
    choices: tuple[Choice[R], ...]
    """Of each answer; none where there are so many that they are not looked through."""
    all_given: Choice[R] | None


class Ladder[R: Rung]:
    """Chooses like `choose`, for the same rungs each time."""

    __slots__ = ("_epochs", "_states", "last", "rungs")

    def __init__(self, rungs: Sequence[R], at_end: AtEnd) -> None:
        self.rungs = rungs
        self.last = rungs[-1]
        begins = [at for at, rung in enumerate(rungs) if not at or rung.after != rungs[at - 1].after]
        self._states = [rungs[begin].after for begin in begins]
        self._epochs = [_epoch(rungs, begin, end, at_end)
                        for begin, end in zip(begins, [*begins[1:], len(rungs)], strict=True)]  # fmt: skip

    def choose(self, state: int, served: Container[int]) -> Choice[R] | None:
        """The answer that is due in a state; None when all were given and `at_end` is `fail`."""
        epoch = self._epochs[max(bisect_right(self._states, state) - 1, 0)]
        for choice in epoch.choices:
            if choice.rung.sequence not in served:
                return choice
        if not epoch.choices and (fresh := first_fresh(self.rungs, epoch.begin, epoch.end, served)) is not None:
            return Choice(fresh)
        return epoch.all_given


def _epoch[R: Rung](rungs: Sequence[R], begin: int, end: int, at_end: AtEnd) -> _Epoch[R]:
    choices = tuple(map(Choice, rungs[begin:end])) if end - begin <= LINEAR else ()
    return _Epoch(begin, end, choices, when_given(rungs, begin, end, at_end))
