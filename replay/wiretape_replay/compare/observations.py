"""The noise of unchanged code: what its replays and the learned rules say of each place of each route."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wiretape_replay.compare.evidence import Tally, at_most_percent
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.places import LEARNED, Kind, Seen
from wiretape_replay.compare.shape import Bounds, Shape

type Spot = tuple[str, str, Kind]
"""Route, place, kind."""


@dataclass(slots=True)
class Observations:
    """Tallies by place and shapes of values. Without replays and rules it says nothing of any place."""

    tallies: dict[Spot, Tally] = field(default_factory=dict)
    shapes: dict[str, dict[str, Shape]] = field(default_factory=dict)
    """By route and place."""
    rules: dict[Spot, LearnedRule] = field(default_factory=dict)
    passes: int = 0
    gap_ns: int = 0
    """At least so long after the recorded answers came those of unchanged code."""
    _answers: dict[Spot, list[int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self.passes or self.rules)

    @property
    def answers(self) -> int:
        """How many answers of unchanged code were looked at, of the place that was seen most often."""
        return max((tally.of for tally in self.tallies.values()), default=0)

    @classmethod
    def of_rules(cls, rules: Iterable[LearnedRule]) -> Observations:
        """What is known before any replay."""
        found = cls()
        found.rules.update({(rule.route, rule.pointer, rule.kind): rule for rule in rules})
        return found

    def count(self, route: str, seen: Seen) -> None:
        """One answer of the replay under way."""
        for (place, kind), differed in seen.items():
            counted = self._answers.setdefault((route, place, kind), [0, 0])
            counted[0] += differed
            counted[1] += 1

    def join(self, other: Observations) -> None:
        """Count the answers of another replay under way as well."""
        for spot, (differed, of) in other._answers.items():
            counted = self._answers.setdefault(spot, [0, 0])
            counted[0] += differed
            counted[1] += of

    def end_pass(self, gap_ns: int = 0) -> None:
        """The replay under way is over."""
        for spot, (differed, of) in self._answers.items():
            self.tallies.setdefault(spot, Tally()).add(differed, of)
        self._answers.clear()
        self.gap_ns = gap_ns if self.passes == 0 else min(self.gap_ns, gap_ns)
        self.passes += 1

    def known(self, route: str, place: str, kind: Kind) -> Tally:
        """All observations of a place: these replays and, where there is a rule, the one that it was learned from."""
        tally, rule = self.tallies.get((route, place, kind), _NOTHING), self.rules.get((route, place, kind))
        if rule is None:
            return tally
        joined = Tally(tally.differed, tally.of, list(tally.passes))
        joined.add(rule.differed, rule.of)
        return joined

    def fixed(self, route: str, place: str, kind: Kind) -> Tally | None:
        """The observations of a place that never varied and was seen often enough."""
        tally = self.known(route, place, kind)
        return tally if tally.constant and (route, place, kind) not in self.rules else None

    def varies(self, route: str, place: str, kind: Kind) -> bool:
        """Whether it varied on unchanged code, or a rule says so."""
        if (route, place, kind) in self.rules:
            return True
        return bool(self.known(route, place, kind).differed) and not self.structural(route, place, kind)

    def said(self, route: str, place: str, kind: Kind) -> str:
        """Why it is noise."""
        tally, rule = self.tallies.get((route, place, kind)), self.rules.get((route, place, kind))
        seen = f"differed in {tally.differed} of {tally.of} answers of unchanged code" if tally else ""
        return f"{rule.id}: {rule.said}" if rule and not (tally and tally.differed) else seen

    def shape(self, route: str, place: str) -> Shape | None:
        """What the values at a place have in common."""
        found = self.shapes.get(route, {}).get(place)
        rules = [rule for (r, p, _), rule in self.rules.items() if (r, p) == (route, place) and rule.shape.types]
        if not rules:
            return found
        joined = Shape.within(rules[0].shape, rules[0].of)
        if found:
            joined.merge(found)
        return joined

    def learned(self, *, snapshot: str, commit: str) -> list[LearnedRule]:
        """Everything that varied in these replays, as rules."""
        return sorted(
            (
                LearnedRule(
                    route=route, pointer=place, kind=kind, differed=tally.differed, of=tally.of, snapshot=snapshot,
                    cause=self._cause(route, place, kind), commit=commit, shape=self._bounds(route, place),
                )
                for (route, place, kind), tally in self.tallies.items()
                if kind in LEARNED and tally.differed and not self.structural(route, place, kind)
            ),
            key=lambda rule: (rule.route, rule.pointer, rule.kind),
        )  # fmt: skip

    def _bounds(self, route: str, place: str) -> Bounds:
        shape = self.shapes.get(route, {}).get(place)
        return shape.bounds if shape else Bounds()

    def structural(self, route: str, place: str, kind: Kind) -> bool:
        """A field that no answer has any more, or that is always null now, is another structure and no noise."""
        if kind is Kind.NULL:
            shape = self.shapes.get(route, {}).get(place)
            return shape is not None and shape.gone
        tally = self.tallies.get((route, place, kind))
        return kind is Kind.PRESENCE and tally is not None and 0 < tally.of == tally.differed

    def _cause(self, route: str, place: str, kind: Kind) -> str:
        shape = self.shapes.get(route, {}).get(place)
        if kind is not Kind.VALUE or shape is None:
            return {Kind.NULL: "null now and then", Kind.PRESENCE: "absent now and then",
                    Kind.ORDER: "in no fixed order", Kind.ITEMS: "other items each time"}.get(kind, "")  # fmt: skip
        return f"{' or '.join(sorted(shape.types))} that varies"


_NOTHING = Tally()


def never(tally: Tally) -> str:
    """The evidence against noise, with its strength."""
    bound = f", so in less than {at_most_percent(tally.of):.0f} % of all" if tally.of > 30 else ""
    return f"never differed in {tally.of} answers of unchanged code{bound}"
