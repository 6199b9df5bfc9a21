"""What a run rests on, read from its spec and its recording; what of it changed since the lock or an earlier run."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.exchange import SnapshotInfo
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.compare.learned import LearnedRule, rule_id
from wiretape_replay.engine.plan import Plan, make_plan
from wiretape_replay.engine.previous import earlier_runs
from wiretape_replay.engine.recording import load_inbound
from wiretape_replay.engine.spec import NoiseRule, ReplaySpec
from wiretape_replay.verdict.basis import Basis, Integrity, NoiseEntry, Recording
from wiretape_replay.verdict.basis_changes import changes_since_lock, changes_since_run
from wiretape_replay.verdict.evals import Condition
from wiretape_replay.verdict.judge import conditions
from wiretape_replay.verdict.model import Run


async def read_basis(spec: ReplaySpec) -> Basis:
    """What a run of `spec` would rest on, without running it."""
    has_baseline = spec.baseline is not None or spec.against is not None
    asked = conditions(spec.fail_if, mocked=spec.mock is not None, has_baseline=has_baseline)
    async with await TapeReader.open(spec.tape) as tape:
        info, inbound = await tape.info(), await load_inbound(tape)
        plan = await asyncio.to_thread(make_plan, inbound, spec)
        return await asyncio.to_thread(basis_of, spec, asked, info, plan)


def basis_of(spec: ReplaySpec, asked: Sequence[Condition], info: SnapshotInfo, plan: Plan, *,
             load: bool = False) -> Basis:  # fmt: skip
    """What a run rests on."""
    routes = Counter(plan.route(one) for one in plan.inbound)
    return Basis(
        # The file's name, not the one inside: that is what `verify NAME` opens.
        recording=Recording(name=spec.tape.stem, sha256=info.sha256, inbound=info.inbound, outbound=info.outbound,
                            routes=dict(sorted(routes.items()))),
        evals=tuple(condition.precise for condition in asked),
        noise=noise_entries(spec.learned, spec.noise),
        settings=spec.settings,
        files={key: _file_hash(path) for key, path in (("replay.openapi", spec.openapi),
                                                       ("replay.baseline", spec.baseline)) if path is not None},
        narrowed=bool(spec.sequences or spec.routes), replayed=len(plan.selection.exchanges),
        baseline=spec.against.commit if spec.against is not None else "", load=load,
    )  # fmt: skip


def noise_entries(learned: Iterable[LearnedRule], declared: Iterable[NoiseRule]) -> tuple[NoiseEntry, ...]:
    """Every rule under which differences are no findings, by its id."""
    entries = [
        NoiseEntry(id=rule.id, route=rule.route, pointer=rule.pointer, kind=rule.kind, by=rule.accepted_by,
                   reason=rule.cause, date=rule.date, sha256=_hash(rule.model_dump_json().encode()))
        for rule in learned
    ] + [
        NoiseEntry(id=rule_id(rule.route, rule.pointer, "declared"), route=rule.route, pointer=rule.pointer,
                   kind="declared", reason=rule.reason, sha256=_hash(rule.model_dump_json().encode()))
        for rule in declared
    ]  # fmt: skip
    return tuple(sorted({entry.id: entry for entry in entries}.values(), key=lambda entry: entry.id))


async def integrity_of(spec: ReplaySpec, basis: Basis) -> Integrity | None:
    """What changed since the lock or, without one, an earlier run; None where this is the first."""
    if spec.lock is not None:
        return Integrity(
            against=spec.lock.name, lock_sha256=spec.lock.sha256, locked=spec.locked,
            changes=changes_since_lock(spec.lock.lock, basis, spec.lock.unreviewed),
        )  # fmt: skip
    before = await _reference(spec.run, basis)
    if before is None or before.basis is None:
        return None
    return Integrity(against=before.id, changes=changes_since_run(before.basis, basis))


async def _reference(path: Path, basis: Basis) -> Run | None:
    """The newest green run that nothing had changed for, else the oldest one known; of this snapshot, else of any.

    Loads are compared with loads of the same snapshot: the first load of another one is no change of a judge.

    A green run after a change is none: the change would be told once and never again.
    """
    oldest: dict[bool, Run] = {}
    green: Run | None = None
    async for run in earlier_runs(path):
        if run.basis is None or run.basis.load != basis.load:
            continue
        same = run.basis.recording.name == basis.recording.name
        if basis.load and not same:
            continue
        oldest[same] = run
        if run.verdict.verdict == "pass" and not (run.integrity and run.integrity.changes):
            if same:
                return run
            green = green or run
    return oldest.get(True) or green or oldest.get(False)


def _file_hash(path: Path) -> str:
    try:
        return _hash(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})", "name another file") from None


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
