"""`failed` and `failed:RUN` among what is to be replayed: what did not come out equal in an earlier run.

A run that failed only by an eval, such as one on latency, failed as a whole: all that it replayed is replayed again and
judged by that eval again.
"""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.errors import UsageError
from wiretape_replay.run_file import ResultQuery, RunReader, find_run
from wiretape_replay.verdict.evals import parse
from wiretape_replay.verdict.model import Run
from wiretape_server.workspace.workspace import Workspace

WORD = "failed"
NEWEST = ("", "newest", "latest")
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Again:
    """What of one run is replayed again."""

    run: Run
    sequences: tuple[int, ...]
    evals: tuple[str, ...] = ()
    """Those that it failed by, where no exchange failed."""

    @property
    def whole(self) -> bool:
        """Whether these are all exchanges that its snapshot has."""
        return bool(self.evals) and self.run.basis is not None and not self.run.basis.narrowed


async def with_failed(ws: Workspace) -> tuple[Workspace, str]:
    """The workspace with those words replaced by sequence numbers and the snapshot they are of, and a note on it."""
    only = ws.config.replay.only
    named = [item for item in only if _is_failed(item)]
    if not named:
        return ws, ""
    snapshot, found = ws.config.snapshot, list[_Again]()
    for item in named:
        found.append(await _again(ws, item.strip().partition(":")[2].strip(), snapshot))
        snapshot = found[-1].run.snapshot
    rest = tuple(item for item in only if not _is_failed(item))
    numbers = dict.fromkeys(str(number) for one in found for number in one.sequences)
    everything = not rest and any(one.whole for one in found)
    evals = [text for one in found for text in one.evals]
    settings = {
        "replay.only": () if everything else (*rest, *numbers), "snapshot": snapshot,
        "replay.fail_if": _judged_again(ws.config.replay.fail_if, evals),
    }  # fmt: skip
    return ws.with_settings(settings), "; ".join(_note(one) for one in found if one.evals)


async def _again(ws: Workspace, run: str, snapshot: str) -> _Again:
    """What failed in a run; `snapshot` is the one that is to be replayed, if that is known."""
    async with await RunReader.open(find_run(ws.runs_dir, None if run.lower() in NEWEST else run)) as reader:
        found = await reader.run()
        failed = await reader.results(ResultQuery(failed=True))
        everything = await reader.results(ResultQuery()) if not failed else []
    if snapshot and snapshot != found.snapshot:
        raise UsageError(f"run {found.id} replayed snapshot {found.snapshot}, not {snapshot}",
                         f"replay {found.snapshot}, or name a run of {snapshot} as failed:RUN")  # fmt: skip
    if failed:
        return _Again(found, tuple(one.sequence for one in failed))
    if evals := _failed_evals(found):
        return _Again(found, tuple(one.sequence for one in everything), evals)
    raise _nothing_failed(found)


def _failed_evals(run: Run) -> tuple[str, ...]:
    """Evals by which the run failed, as precisely as they were given."""
    given = run.basis.evals if run.basis is not None else ()
    evals = run.verdict.evals
    texts = given if len(given) == len(evals) else [one.expression for one in evals]
    return tuple(text for text, one in zip(texts, evals, strict=True) if one.passed is False)


def _judged_again(now: tuple[str, ...], failed: list[str]) -> tuple[str, ...]:
    """The evals of now and those that failed, but for those on a mock, which come with the mock."""
    known = [parse(text) for text in now]
    missing = (text for text in dict.fromkeys(failed) if parse(text) not in known)
    return (*now, *(text for text in missing if not parse(text).metric.startswith("mock.")))


def _note(again: _Again) -> str:
    shown = " and ".join(again.evals[:MOST_NAMED])
    count = len(again.sequences)
    what = f"all {count} exchanges of it are" if count != 1 else "its one exchange is"
    return f"run {again.run.id} failed by {shown}, no exchange differed: {what} replayed again"


def _nothing_failed(run: Run) -> UsageError:
    judged = run.verdict
    if judged.verdict == "pass":
        return UsageError(f"nothing failed in run {run.id}", "replay all, or name another run as failed:RUN")
    return UsageError(f"no exchange and no eval failed in run {run.id}; it is {judged.verdict}: {judged.reason}",
                      "see to that, then replay all")  # fmt: skip


def named_runs(only: tuple[str, ...]) -> list[str]:
    """The runs that such words name; an empty name stands for the newest."""
    return [item.strip().partition(":")[2].strip() for item in only if _is_failed(item)]


def _is_failed(item: str) -> bool:
    return item.strip().partition(":")[0].strip().lower() == WORD
