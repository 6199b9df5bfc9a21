"""What the replay engine tells a mock as it sends requests: what is under way, and which numbers the app made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from wiretape_replay.match.knowledge import Knowledge, Number


class Told(BaseModel):
    """One line to the mock. It says `Heard` with the same number when it has taken it in."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    number: int
    event: Literal["begins", "ended"]
    sequence: int
    numbers: tuple[Number, ...] = ()
    """Noun, recorded value and live value of what the app's answer showed."""


def hearing(knowledge: Knowledge, heard: Callable[[int], None],
            begins: Callable[[int], None] = lambda _sequence: None) -> Callable[[bytes], None]:  # fmt: skip
    """Takes lines into what is known; a line that is none of ours is left alone. `begins` hears what is under way."""

    def hear(line: bytes) -> None:
        try:
            told = Told.model_validate_json(line)
        except ValidationError:
            return
        if told.event == "begins":
            knowledge.in_flight.add(told.sequence)
            begins(told.sequence)
        else:
            knowledge.in_flight.discard(told.sequence)
        knowledge.tell(told.numbers)
        heard(told.number)

    return hear
