"""What changed between two schemas, place by place."""

from __future__ import annotations

from collections.abc import Iterator

from wiretape_replay.contract.check import ENOUGH
from wiretape_replay.leaves import join
from wiretape_replay.openapi.ledger import Ledger
from wiretape_replay.openapi.shape import ALL, Shape, shape_of


def compare_shapes(ledger: Ledger, where: str, old: Shape, new: Shape) -> None:
    """Note every change at this place and below."""
    if (ledger.base_recorded and not old.evidence) or (ledger.revision_recorded and not new.evidence):
        return  # nothing was seen here
    pair = old.pointer, new.pointer
    if pair in ledger.visited:
        return
    ledger.visited.add(pair)
    believed = old.seen is None or old.seen >= ENOUGH
    evidence = f"{old.told}, now {new.told}" if old.evidence or new.evidence else ""
    for rule, text in _leaf_changes(ledger, old, new):
        ledger.add(rule, where, text, evidence, believed=believed)
    _members(ledger, where, old, new)
    for before, after in ((old.items, new.items), (old.additional, new.additional)):
        if before and after:
            below = shape_of(ledger.base, *before), shape_of(ledger.revision, *after)
            compare_shapes(ledger, _below(where, "*"), *below)


def _leaf_changes(ledger: Ledger, old: Shape, new: Shape) -> Iterator[tuple[str, str]]:
    if (not new.seen and new.evidence) or (not old.seen and old.evidence):
        return  # arrays that were always empty say nothing
    if old.types != new.types and (old.types or not old.evidence) and (new.types or not new.evidence):
        rule = "widened" if new.types > old.types else "narrowed" if new.types < old.types else "changed"
        yield f"type-{rule}", f"{_named(old.types)} became {_named(new.types)}"
    if old.nullable != new.nullable and ALL not in (old.types, new.types):
        yield ("became-nullable", "null is new") if new.nullable else ("became-non-null", "null is gone")
    if old.format != new.format and "string" in old.types & new.types:
        if old.format is None:
            yield "format-narrowed", f"the format is {new.format} now"
        elif new.format is None:
            yield "format-widened", f"the format {old.format} is gone"
        else:
            yield "format-changed", f"the format {old.format} became {new.format}"
    yield from _enum_changes(ledger, old, new)
    if not ledger.base_recorded and not ledger.revision_recorded:
        yield from _bound_changes(old, new)


def _enum_changes(ledger: Ledger, old: Shape, new: Shape) -> Iterator[tuple[str, str]]:
    """A recording without an enumeration may just be a small one."""
    if new.enum is not None and old.enum is not None:
        for value in new.enum:
            if value not in old.enum:
                yield "enum-value-added", f'the value "{value}" is new'
        for value in old.enum:
            if value not in new.enum:
                yield "enum-value-removed", f'the value "{value}" is gone'
    elif new.enum is not None and not ledger.base_recorded:
        yield "enum-value-removed", f"only {', '.join(new.enum)} are left"
    elif old.enum is not None and not ledger.revision_recorded:
        yield "enum-value-added", "any value may come"


def _bound_changes(old: Shape, new: Shape) -> Iterator[tuple[str, str]]:
    for name in sorted(old.bounds.keys() | new.bounds.keys()):
        before, after = old.bounds.get(name), new.bounds.get(name)
        if before == after:
            continue
        upper = name.startswith("max")
        tighter = before is None or (after is not None and ((after < before) == upper))
        rule = "bound-tightened" if tighter else "bound-loosened"
        yield rule, f"{name} {'none' if before is None else before} became {'none' if after is None else after}"


def _members(ledger: Ledger, where: str, old: Shape, new: Shape) -> None:
    if (old.evidence and not old.objects) or (new.evidence and not new.objects):
        return  # no object was seen: nothing is known of its members
    believed = old.objects is None or old.objects >= ENOUGH
    keyed = [shape.additional is not None and not shape.properties for shape in (old, new)]
    for name in sorted(old.properties.keys() | new.properties.keys()) if not any(keyed) else ():
        below = _below(where, name)
        if name not in new.properties:
            required = name in old.required or _always_seen(ledger, old, name)
            ledger.add(f"removed-{'required' if required else 'optional'}", below, "the field is gone",
                          _absence(old, new, name, ledger), believed=believed)  # fmt: skip
        elif name not in old.properties:
            required = name in new.required
            ledger.add(f"added-{'required' if required else 'optional'}", below, "the field is new", believed=believed)
        else:
            before = shape_of(ledger.base, *old.properties[name])
            after = shape_of(ledger.revision, *new.properties[name])
            _required(ledger, below, (name in old.required, name in new.required), before, after)
            compare_shapes(ledger, below, before, after)


def _always_seen(ledger: Ledger, old: Shape, name: str) -> bool:
    """Whether all objects of the recording had a member, though too few to promise it."""
    seen = shape_of(ledger.base, *old.properties[name]).seen
    return bool(ledger.base_recorded and old.objects) and seen == old.objects


def _required(ledger: Ledger, where: str, required: tuple[bool, bool], old: Shape, new: Shape) -> None:
    evidence = f"{_seen(old)}, now {_seen(new)}" if old.evidence or new.evidence else ""
    if required == (True, False) and may_lack(new):
        ledger.add("became-optional", where, "the field may be missing", evidence)
    elif required == (False, True) and may_lack(old):
        ledger.add("became-required", where, "the field must be there", evidence)


def may_lack(shape: Shape) -> bool:
    """Whether a place is optional because it was missing somewhere, and not because it was rarely looked at."""
    return shape.evidence is None or (shape.seen or 0) < int(shape.evidence.get("of", 0))


def _absence(old: Shape, new: Shape, name: str, ledger: Ledger) -> str:
    before = shape_of(ledger.base, *old.properties[name])
    if before.evidence is None and new.objects is None:
        return ""
    return f"{_seen(before)}, now in none of {new.objects if new.objects is not None else 'its objects'}"


def _seen(shape: Shape) -> str:
    return f"present in {shape.seen} of {shape.evidence.get('of')}" if shape.evidence else "described"


def _named(types: frozenset[str]) -> str:
    shown = types - {"integer"} if "number" in types else types
    return "anything" if types == ALL else " or ".join(sorted(shown)) or "nothing"


def _below(where: str, key: str) -> str:
    return f"{where.removesuffix('/')}{join('', key)}" if key != "*" else f"{where.removesuffix('/')}/*"
