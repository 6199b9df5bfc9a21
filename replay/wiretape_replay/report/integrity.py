"""What judges a run, as far as it is not what was reviewed or what judged an earlier run: in lines and in a label."""

from __future__ import annotations

from wiretape_replay.report.printable import plural, printable, wrapped
from wiretape_replay.verdict.basis import Effect, Integrity, short
from wiretape_replay.verdict.model import Run

WIDTH = 80
DEEPER = "  "
"""Before lines that go on, so that a list has as many entries as its head says."""
ADVICE = "review them; wiretape lock writes them down"


def labelled(run: Run) -> str:
    """The verdict's word; a pass after changes never looks like one without."""
    return run.verdict.verdict + (run.integrity.label if run.integrity is not None else "")


def changes_told(integrity: Integrity) -> str:
    """`2 changes to what judges it`."""
    return integrity.label.removeprefix(", with ")


def integrity_lines(run: Run) -> list[str]:
    """The lock in use, and every change of what the verdict rests on."""
    told = run.integrity
    if told is None:
        return []
    since = f"{told.against} {short(told.lock_sha256)}" if told.lock_sha256 else f"run {printable(told.against)}"
    if not told.changes:
        return [f"judged as locked in {since}"] if told.lock_sha256 else []
    count, stricter = len(told.counted), plural(len(told.changes) - len(told.counted), "stricter rule")
    head = changes_told(told) if count else f"{stricter} than before"
    head += f" and {stricter}" if 0 < count < len(told.changes) else ""
    lines = [f"{head}, since {since}:"]
    for change in told.changes:
        mark = " +" if change.effect is Effect.STRICTER else " !"
        first, *rest = wrapped(change.message, "   ", WIDTH - len(DEEPER))
        lines += [mark + first[2:], *(DEEPER + line for line in rest)]
    return [*lines, f"   {ADVICE}"] if count else lines
