"""Contract violations of a run: counted by route, joined to the findings that show them as their evidence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from wiretape_replay.compare.findings import finding_id
from wiretape_replay.compare.messages import shown
from wiretape_replay.contract.check import Violation
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Severity

type Place = tuple[str, Part, str]
"""Route, part and templated pointer."""


@dataclass(slots=True)
class Violations:
    """What broke the contract, and where."""

    by_route: Counter[str] = field(default_factory=Counter)
    """Without those that are only told."""
    first: dict[Place, Violation] = field(default_factory=dict)
    sequences: dict[Place, list[int]] = field(default_factory=dict)

    def add(self, route: str, sequence: int, found: Iterable[Violation]) -> None:
        """Count the violations of one answer."""
        for violation in found:
            place = route, violation.part, violation.pointer
            self.by_route[route] += violation.severity is not Severity.INFO
            self.first.setdefault(place, violation)
            self.sequences.setdefault(place, []).append(sequence)

    def join(self, other: Violations) -> None:
        """Count those of other answers as well."""
        self.by_route.update(other.by_route)
        for place, violation in other.first.items():
            self.first.setdefault(place, violation)
            self.sequences.setdefault(place, []).extend(other.sequences[place])

    def shown_by(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings with the contract's evidence, and one more for each violation that none of them shows."""
        told = [self._with_evidence(finding) for finding in findings]
        known = {_place(finding) for finding in told}
        return [*told, *(self._finding(place) for place in self.first if place not in known)]

    def _with_evidence(self, finding: Finding) -> Finding:
        violation = self.first.get(_place(finding))
        if violation is None:
            return finding
        kept = "" if finding.evidence.endswith("compared exchanges of this route") else finding.evidence
        evidence = "; ".join(filter(None, (str(shown(violation.evidence)), kept)))
        return finding.model_copy(update={"evidence": evidence})

    def _finding(self, place: Place) -> Finding:
        route, part, pointer = place
        violation, sequences = self.first[place], self.sequences[place]
        where = str(shown(pointer)) or "the answer"
        return Finding(
            id=finding_id(route, FindingClass.SCHEMA, part, pointer), kind=FindingClass.SCHEMA, route=route,
            severity=violation.severity, breaking=violation.breaking, part=part, pointer=str(shown(pointer)),
            example_pointer=str(shown(violation.at)), expected=shown(violation.expected),
            actual=shown(violation.actual), sequences=tuple(dict.fromkeys(sequences))[:50],
            count=len(set(sequences)), of=len(set(sequences)), evidence=str(shown(violation.evidence)),
            message=f"{route}: {where} is {shown(violation.actual)}, against the contract of the recording",
        )  # fmt: skip


def _place(finding: Finding) -> Place:
    return finding.route, finding.part, finding.pointer
