"""What a comparison yields: differences that matter, differences that were set aside and why."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from wiretape_replay.verdict.model import FindingClass, Outcome, Part, Severity


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between a recorded and a live response that matters."""

    kind: FindingClass
    part: Part
    pointer: str
    """With `*` for array positions and keys that are data: the same fault has the same pointer everywhere."""
    at: str
    """The exact pointer: into the recorded body, or into the live one for what was added."""
    expected: JsonValue
    actual: JsonValue
    message: str
    severity: Severity = Severity.ERROR
    breaking: bool = False
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """One difference taken as noise."""

    part: Part
    pointer: str
    at: str
    expected: JsonValue
    actual: JsonValue
    reason: str
    digest: bool = False
    """It is the hash of some content: noise only together with other noise in the same response."""
    trial: str = ""
    """What is yet to be tested over all answers, see `judge.Noise`."""
    place: str = ""
    """Where it is counted."""
    otherwise: Difference | None = None
    """What it is when the test fails."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one live response compares with the recorded one."""

    outcome: Outcome
    differences: tuple[Difference, ...] = ()
    suppressed: tuple[Ignored, ...] = ()
    read_as: str = ""
    """How a body was compared that is not what it claims to be: `as text, for it is no valid …`."""
