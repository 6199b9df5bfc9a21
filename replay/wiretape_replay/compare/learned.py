"""Noise that was learned from unchanged code, or accepted by somebody, as one rule for one place: what may be written
down, reviewed and taken back. Knows nothing of the file that it is written to.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wiretape_replay.compare.places import LEARNED, Kind
from wiretape_replay.compare.shape import Bounds


class LearnedRule(BaseModel):
    """One place that varies, with the evidence for it. Its shape is still checked."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    id: str = ""
    """`N-` and eight hex digits of a hash over route, pointer and kind."""
    route: str
    """`GET /orders/{id}`, exactly."""
    pointer: str
    """JSON Pointer by whole segments with `*` for array positions and keys that are data, or `header:NAME`."""
    kind: Kind
    cause: str = ""
    """What it looks like, or, for what somebody accepted, why."""
    differed: int = Field(default=0, ge=0)
    of: int = Field(default=0, ge=0)
    """Answers of unchanged code that differed from the recorded ones, of how many."""
    shape: Bounds = Bounds()
    snapshot: str = ""
    commit: str = ""
    """The version of the unchanged code."""
    date: str = ""
    accepted_by: str = ""
    """Who accepted it; empty for what was measured."""

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.kind not in LEARNED:
            raise ValueError(f'a rule has one of the kinds {", ".join(LEARNED)}, not "{self.kind}"')
        if not self.pointer.startswith(("/", "header:")) and self.pointer:
            raise ValueError(f'"{self.pointer}" is neither a JSON Pointer such as /items/*/at nor header:NAME')
        if self.differed > self.of:
            raise ValueError(f"{self.differed} of {self.of} answers cannot have differed")
        wanted = rule_id(self.route, self.pointer, self.kind)
        if self.id not in ("", wanted):
            raise ValueError(f'its id is "{wanted}" by route, pointer and kind, not "{self.id}"')
        object.__setattr__(self, "id", wanted)
        return self

    @property
    def said(self) -> str:
        """The rule in one sentence."""
        who = f"accepted by {self.accepted_by}" if self.accepted_by else ""
        counted = f"differed in {self.differed} of {self.of} answers of unchanged code" if self.of else ""
        return ", ".join(filter(None, [who, counted, self.cause]))


def rule_id(route: str, pointer: str, kind: str) -> str:
    """The same for the same place and kind, whoever learned it."""
    return f"N-{sha256(chr(0).join([route, pointer, kind]).encode('utf-8', 'replace')).hexdigest()[:8]}"
