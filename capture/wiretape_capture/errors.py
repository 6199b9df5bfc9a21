"""Errors that a user can act on: what is wrong, what to do next, and the exit code it ends in (design §8).

Inside the engine builtins are raised; these are for what reaches a terminal or an agent.
"""

from __future__ import annotations


class WiretapeError(Exception):
    """The environment failed: a port is taken, a target refuses, a disk is full (exit code 3)."""

    exit_code = 3

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}; {self.hint}" if self.hint else self.problem


class UsageError(WiretapeError):
    """What the user asked for cannot be meant: an unknown name, a bad flag, an invalid key (exit code 2)."""

    exit_code = 2


class SnapshotUnreadable(WiretapeError):
    """A tape or run file exists but cannot be used: corrupt, truncated, foreign, newer or locked (exit code 3)."""
