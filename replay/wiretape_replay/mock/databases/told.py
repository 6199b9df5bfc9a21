"""How a miss is told to a database's client. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wiretape_replay.mock.spec import Candidate

TOLD = 4


def differences(near: Candidate) -> Iterator[str]:
    """In what the nearest recording differs, in a few words each."""
    if not near.differences:
        yield "it was recorded, and all its answers were given"
    for each in near.differences[:TOLD]:
        yield f"{each.where} was {_said(each.recorded)}, is {_said(each.live)}"


def _said(value: str | None) -> str:
    return "absent or NULL" if value is None else repr(value)
