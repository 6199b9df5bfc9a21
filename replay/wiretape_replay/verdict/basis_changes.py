"""Two bases of a verdict against each other, by meaning: `> 500` is looser than `> 50`, one rule less is stricter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from wiretape_replay.verdict.basis import Basis, BasisChange, Effect, Kind, Lock, NoiseEntry, Recording, by_id, short
from wiretape_replay.verdict.evals import Condition, parse

TABLES = ("app.env", "services")
"""Keys whose values are tables: each entry is told by itself."""
LOAD = "load."
"""What keys begin with that say how a load is sent."""
UPWARD, DOWNWARD = (">", ">="), ("<", "<=")
SENDING = frozenset(f"load.{name}" for name in
                    ("arrivals", "scale", "speed", "duration", "stages", "connections", "cluster"))  # fmt: skip
"""Keys that say how a load is sent. They judge nothing but times and rates, and its report says them."""
TIMED = ("latency.", "requests.per-")
"""What metrics begin with that depend on it."""
VALUE_WIDTH = 80
ROUTES_NAMED = 5


def changes_since_lock(lock: Lock, now: Basis, unreviewed: str = "") -> tuple[BasisChange, ...]:
    """What is not as it was locked."""
    before = lock.recording(now.recording.name)
    found = [BasisChange(kind=Kind.LOCK, subject="wiretape.lock", effect=Effect.OTHER, message=unreviewed)
             ] if unreviewed else []  # fmt: skip
    if before is None:
        found.append(_unknown(now.recording, [one.name for one in lock.snapshot]))
    else:
        found += _recording(before, now.recording)
    evals, settings = _applicable(lock, load=now.load)
    return (*found, *_rest(evals, lock.noise, settings, lock.files, now),
            *_selection(now, lock.settings.get("replay.only")), *_baseline(now))  # fmt: skip


def changes_since_run(before: Basis, now: Basis) -> tuple[BasisChange, ...]:
    """What is not as it was when an earlier run was judged.

    That a load is sent in another way is why one sends it again; it counts where times or rates are judged.
    """
    if not any(parse(text).metric.startswith(TIMED) for text in (*before.evals, *now.evals)):
        before, now = _without_sending(before), _without_sending(now)
    same = before.recording.name == now.recording.name
    recording = _recording(before.recording, now.recording) if same else [
        _unknown(now.recording, [before.recording.name])]  # fmt: skip
    return (*recording, *_rest(before.evals, before.noise, before.settings, before.files, now),
            *_selection(now, None), *_baseline(now))  # fmt: skip


def _without_sending(basis: Basis) -> Basis:
    settings = {key: value for key, value in basis.settings.items() if key not in SENDING}
    return basis.model_copy(update={"settings": settings})


def load_changes(lock: Lock, now: Mapping[str, JsonValue]) -> tuple[BasisChange, ...]:
    """What of the settings of loads is not as it was locked."""
    return tuple(setting_changes({key: value for key, value in lock.settings.items() if key.startswith(LOAD)}, now))


def _applicable(lock: Lock, *, load: bool) -> tuple[list[str], dict[str, JsonValue]]:
    """The evals and settings that count for a replay or for a load, which has no mock."""
    if not load:
        return list(lock.evals), {key: value for key, value in lock.settings.items() if not key.startswith(LOAD)}
    evals = [text for text in lock.evals if not parse(text).metric.startswith("mock.")]
    return evals, {key: value for key, value in lock.settings.items() if key != "replay.mock"}


def _rest(evals: Sequence[str], noise: tuple[NoiseEntry, ...], settings: Mapping[str, JsonValue],
          files: Mapping[str, str], now: Basis) -> Iterator[BasisChange]:  # fmt: skip
    yield from eval_changes(evals, now.evals)
    yield from noise_changes(noise, now.noise)
    yield from setting_changes(settings, now.settings)
    for key in sorted(files.keys() & now.files.keys()):
        if files[key] != now.files[key]:
            said = f"the file of {key} has other content: {short(files[key])}, now {short(now.files[key])}"
            yield BasisChange(kind=Kind.FILE, subject=key, effect=Effect.OTHER, message=said)


def eval_changes(before: Iterable[str], now: Iterable[str]) -> Iterator[BasisChange]:
    """Evals that are gone, looser, stricter or new."""
    old, new = [parse(text) for text in before], [parse(text) for text in now]
    for condition in old:
        if condition in new:
            continue
        kin = [one for one in new if _comparable(condition, one)]
        if not kin:
            said, effect = f"eval {condition.precise} was removed", Effect.LOOSER
        else:
            best = min(kin, key=_reach)
            effect = Effect.LOOSER if _reach(best) > _reach(condition) else Effect.STRICTER
            said = (
                f"eval {condition.precise} is {'looser' if effect is Effect.LOOSER else 'stricter'} now: {best.precise}"
            )
        yield BasisChange(kind=Kind.EVAL, subject=condition.subject, effect=effect, message=said)
    for condition in new:
        if not any(condition == one or _comparable(condition, one) for one in old):
            yield BasisChange(kind=Kind.EVAL, subject=condition.subject, effect=Effect.STRICTER,
                              message=f"eval {condition.precise} was added")  # fmt: skip


def _comparable(one: Condition, other: Condition) -> bool:
    """Whether both draw one line through the same numbers, from the same side."""
    same = one.subject == other.subject and one.relative == other.relative
    return same and any(one.operator in side and other.operator in side for side in (UPWARD, DOWNWARD))


def _reach(condition: Condition) -> tuple[float, bool]:
    """How far a metric may go before the eval fails: more is looser."""
    value = condition.value if condition.operator in UPWARD else -condition.value
    return value, condition.operator in (">", "<")


def noise_changes(before: tuple[NoiseEntry, ...], now: tuple[NoiseEntry, ...]) -> Iterator[BasisChange]:
    """Rules that were added, altered or taken back."""
    old, new = by_id(before), by_id(now)
    for name, entry in new.items():
        if name not in old:
            yield _noise(entry, Effect.LOOSER, f"noise rule {name} was added: {_said(entry)}")
        elif entry.sha256 != old[name].sha256:
            yield _noise(entry, Effect.OTHER, f"noise rule {name} was altered: {_said(entry)}")
    for name in old.keys() - new.keys():
        yield _noise(old[name], Effect.STRICTER, f"noise rule {name} was taken back: {_place(old[name])}")


def _noise(entry: NoiseEntry, effect: Effect, said: str) -> BasisChange:
    return BasisChange(kind=Kind.NOISE, subject=entry.id, effect=effect, message=said)


def _said(entry: NoiseEntry) -> str:
    how = "declared" if entry.kind == "declared" else f"accepted by {entry.by}" if entry.by else "measured"
    when = f" on {entry.date}" if entry.date else ""
    return f"{_place(entry)}, {how}{when}" + (f', because "{entry.reason}"' if entry.reason else ", no reason given")


def _place(entry: NoiseEntry) -> str:
    return f"{entry.route} {entry.pointer}".strip() + ("" if entry.kind == "declared" else f" ({entry.kind})")


def setting_changes(before: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> Iterator[BasisChange]:
    """Keys that have another value; evals and noise are told by their meaning instead."""
    old, new = _flat(before), _flat(now)
    for key in sorted(old.keys() | new.keys()):
        was, value = old.get(key), new.get(key)
        # What is left out is told by count, and to ask for the lock loosens nothing.
        if was != value and key != "replay.only" and (key, value) != ("replay.locked", True):
            yield BasisChange(kind=Kind.CONFIG, subject=key, effect=Effect.OTHER, message=_setting(key, was, value))


def _flat(settings: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    flat: dict[str, JsonValue] = {}
    for key, value in settings.items():
        if key in TABLES and isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat


def _setting(key: str, was: JsonValue, value: JsonValue) -> str:
    if key.startswith("app.env."):  # values may be secrets: only that they changed is told
        return f"{key} " + (
            "is set now" if was is None else "is no longer set" if value is None else "has another value"
        )
    if was is None:
        return f"{key} is {_shown(value)} now, before it had its default"
    return f"{key} was {_shown(was)}, now " + ("it has its default" if value is None else f"it is {_shown(value)}")


def _shown(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_WIDTH else text[: VALUE_WIDTH - 1] + "…"


def _recording(before: Recording, now: Recording) -> list[BasisChange]:
    if before.sha256 == now.sha256:
        return []
    counts = _counts(before, now)
    gone = sorted(before.routes.keys() - now.routes.keys())
    fewer = [f"{route} ({before.routes[route]} to {now.routes[route]})" for route in sorted(before.routes)
             if 0 < now.routes.get(route, 0) < before.routes[route]]  # fmt: skip
    lost = f"; routes gone: {_listed(gone)}" if gone else ""
    lost += f"; fewer exchanges of {_listed(fewer)}" if fewer else ""
    said = f"snapshot {now.name} is another recording: {short(before.sha256)}, now {short(now.sha256)}; {counts}{lost}"
    effect = Effect.LOOSER if gone or fewer else Effect.OTHER
    return [BasisChange(kind=Kind.RECORDING, subject=now.name, effect=effect, message=said)]


def _counts(before: Recording, now: Recording) -> str:
    sides = (("inbound", before.inbound, now.inbound), ("outbound", before.outbound, now.outbound))
    told = [f"{was} to {count} {side} exchanges" for side, was, count in sides if was != count]
    return ", ".join(told) or f"{now.inbound} inbound exchanges as before"


def _unknown(recording: Recording, known: Sequence[str]) -> BasisChange:
    others = f"; known: {_listed(known)}" if known else ""
    said = (f"snapshot {recording.name} ({short(recording.sha256)}, {recording.inbound} inbound exchanges) "
            f"was not judged by before{others}")  # fmt: skip
    return BasisChange(kind=Kind.RECORDING, subject=recording.name, effect=Effect.OTHER, message=said)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - ROUTES_NAMED} more" if len(names) > ROUTES_NAMED else ""
    return ", ".join(names[:ROUTES_NAMED]) + more


def _selection(now: Basis, allowed: JsonValue) -> list[BasisChange]:
    """Exchanges that were not sent. Without a lock every narrowing counts, whoever narrowed before."""
    only = now.settings.get("replay.only")
    if not now.narrowed or now.replayed >= now.recording.inbound or only == allowed:
        return []
    said = (
        f"only {now.replayed} of {now.recording.inbound} inbound exchanges were replayed (replay.only {_shown(only)})"
    )
    return [BasisChange(kind=Kind.SELECTION, subject="replay.only", effect=Effect.LOOSER, message=said)]


def _baseline(now: Basis) -> list[BasisChange]:
    if not now.baseline.endswith("-dirty") or "replay.baseline_cwd" not in now.settings:
        return []
    said = f"the unchanged code has uncommitted changes ({now.baseline}): what varies there is taken as noise"
    return [BasisChange(kind=Kind.BASELINE, subject="replay.baseline_cwd", effect=Effect.OTHER, message=said)]
