"""The bindings that wiretape finds in a recording, against what its client knows: where each value was taken from."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.verdict.client import TrueEdge
from benchmarks.verdict.recording import Recording, step_of
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.plan import Edge, find_bindings


@dataclass
class Bindings:
    """All edges of all recordings."""

    true: int = 0
    found: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, recording: Recording) -> None:
        """Count one recording."""
        by_sequence = {one.sequence: one for one in recording.inbound}
        steps = {one.sequence: step_of(one) for one in recording.inbound}
        found = {
            (steps[e.consumer], e.consumed_at.part, e.consumed_at.name, e.value): e
            for e in find_bindings(recording.inbound).edges
        }
        truth = {(e.consumer, e.part, e.name, e.value): e for e in recording.edges}
        self.true += len(truth)
        for place, edge in truth.items():
            match = found.get(place)
            if match is not None and _source(match, edge, by_sequence, steps):
                self.found += 1
            else:
                place_told = f"step {edge.consumer} {edge.part}:{edge.name} = {edge.value[:40]}"
                self.missed.append(f"{recording.app} {recording.seed}: {place_told} from step {edge.producer}")
        for place, one in found.items():
            true = truth.get(place)
            if true is None or not _source(one, true, by_sequence, steps):
                self.wrong.append(
                    f"{recording.app} {recording.seed}: {one.value[:40]} at step {place[0]} {place[1]}:{place[2]} "
                    f"from step {steps[one.producer]} {one.produced_at}"
                )


def _source(found: Edge, true: TrueEdge, exchanges: dict[int, Exchange], steps: dict[int, int]) -> bool:
    """The answer that the client read, or an earlier one that already gave the same value."""
    if steps[found.producer] == true.producer:
        return True
    answer = exchanges[found.producer].response
    assert answer is not None
    held = (answer.body.data or b"").decode(errors="replace") + "\n".join(value for _, value in answer.headers)
    return steps[found.producer] < true.producer and true.value in held
