"""A recorded session as a script: its requests in order, which answers each waits for, and how long it thinks. Pure.

Requests are sent in the recorded order. One that began after another's answer waits for that answer and thinks as
long as the client did; requests that were under way together stay so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.engine.pacing import must_end_first


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a session."""

    exchange: Exchange
    index: int
    waits: frozenset[int]
    """Steps under way that must have their answers first."""
    think_ns: int
    """After the last of those answers, or after the step before where it waits for none; divided by the speed."""


@dataclass(frozen=True, slots=True)
class Script:
    """One recorded session."""

    name: str
    steps: tuple[Step, ...]
    start_ns: int
    end_ns: int


def scripts_of(exchanges: Sequence[Exchange], sessions: Mapping[int, str], speed: float) -> list[Script]:
    """The scripts of what is to be sent, in the order in which their sessions began."""
    groups: dict[str, list[Exchange]] = {}
    for one in sorted(exchanges, key=lambda each: (each.started_ns, each.sequence)):
        groups.setdefault(sessions[one.sequence], []).append(one)
    found = [_script(name, group, speed) for name, group in groups.items()]
    return sorted(found, key=lambda script: (script.start_ns, script.steps[0].exchange.sequence))


def _script(name: str, group: Sequence[Exchange], speed: float) -> Script:
    steps: list[Step] = []
    open_steps: list[int] = []
    for index, one in enumerate(group):
        waits = [earlier for earlier in open_steps if must_end_first(group[earlier], one)]
        since = max((_end(group[earlier]) for earlier in waits), default=group[index - 1].started_ns if index else
                    one.started_ns)  # fmt: skip
        think = max(one.started_ns - since, 0)
        steps.append(Step(one, index, frozenset(waits), int(think / speed)))
        open_steps = [earlier for earlier in open_steps if earlier not in waits] + [index]
    return Script(name, tuple(steps), group[0].started_ns, max(map(_end, group)))


def _end(exchange: Exchange) -> int:
    return exchange.started_ns + exchange.duration_us * 1000
