"""The rules by which a change of an interface breaks clients, and the list of changes that a comparison fills.

The same change means another thing in a request than in a response. A recording shows what was seen, not what is
allowed, so what it lacks is no removal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict

from wiretape_replay.openapi.document import Description

type Level = Literal["breaking", "warning", "info"]

# Rule: what it means in a request, and in a response (after oasdiff's published rules, in our own words).
RULES: dict[str, tuple[Level, Level]] = {
    "operation-removed": ("breaking", "breaking"),
    "operation-added": ("info", "info"),
    "status-removed": ("info", "breaking"),
    "error-status-removed": ("info", "info"),
    "status-added": ("info", "info"),
    "media-type-removed": ("breaking", "breaking"),
    "media-type-added": ("info", "warning"),
    "added-optional": ("info", "info"),
    "added-required": ("breaking", "info"),
    "removed-required": ("warning", "breaking"),
    "removed-optional": ("warning", "warning"),
    "became-optional": ("info", "breaking"),
    "became-required": ("breaking", "info"),
    "type-widened": ("info", "breaking"),
    "type-narrowed": ("breaking", "info"),
    "type-changed": ("breaking", "breaking"),
    "format-widened": ("info", "breaking"),
    "format-narrowed": ("breaking", "info"),
    "format-changed": ("breaking", "breaking"),
    "became-nullable": ("info", "breaking"),
    "became-non-null": ("breaking", "info"),
    "enum-value-added": ("info", "warning"),
    "enum-value-removed": ("breaking", "info"),
    "bound-tightened": ("breaking", "info"),
    "bound-loosened": ("info", "info"),
}
_ABSENCES = frozenset({
    "operation-removed", "status-removed", "error-status-removed", "media-type-removed", "removed-optional",
    "type-narrowed", "format-narrowed", "became-non-null", "enum-value-removed", "bound-tightened", "bound-loosened",
})  # fmt: skip
"""What a recording cannot show, for it holds a sample."""
_REQUEST_ABSENCES = _ABSENCES | {"removed-required", "became-required"}


class _Value(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class Change(_Value):
    """One change of the interface."""

    id: str
    """The same for the same change, whatever its values."""
    rule: str
    level: Level
    operation: str
    where: str
    """`response 200 /items/*/price`, `request query page`."""
    text: str
    evidence: str = ""


class Changes(_Value):
    """All changes, the breaking ones first."""

    base: str
    revision: str
    breaking: int
    changes: tuple[Change, ...]


@dataclass(slots=True)
class Ledger:
    """Two descriptions, where their comparison stands, and what it found."""

    base: Description
    revision: Description
    base_recorded: bool
    revision_recorded: bool
    found: list[Change] = field(default_factory=list)
    operation: str = ""
    direction: int = 0
    """0 request, 1 response."""
    visited: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of schemas compared below one body: a schema may hold itself, or stand in thousands of places."""

    def add(self, rule: str, where: str, text: str, evidence: str = "", *, believed: bool = True) -> None:
        """Note a change; `believed` is False when what was there before was seen too rarely to be a promise."""
        level = RULES[rule][self.direction]
        if self.revision_recorded and rule in (_ABSENCES if self.direction else _REQUEST_ABSENCES):
            level, text = "info", f"{text} (not seen in the recording)"
        if level == "breaking" and not believed:
            level, text = "warning", f"{text} (seen too rarely before to be sure)"
        digest = sha256(f"{rule}:{self.operation}:{where}".encode("utf-8", "replace")).hexdigest()[:12]
        self.found.append(Change(id=digest, rule=rule, level=level, operation=self.operation, where=where, text=text,
                                 evidence=evidence))  # fmt: skip
