"""A command taken apart: its template, which is what it is without its values, and those values by their path. Pure.

Documents are those of canonical Extended JSON. The type of a value that JSON does not have stays in the template, so
that an ObjectId and its text are two things; numbers are one type, whatever a driver sends. What sorts, projects or
names a field is no value.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import orjson

from wiretape_capture.protocols.mongodb.commands import Command, explained, name_of, target_of

if TYPE_CHECKING:  # the forwarding process is to start fast
    from pydantic import JsonValue


LONGEST = 2000
"""Characters of a template; of a longer one the beginning and a hash."""
LONGEST_VALUE = 64 << 10
"""Characters of a value that are compared as they are; of more the hash is."""
STRUCTURE = frozenset({
    "sort", "projection", "fields", "key", "hint", "collation", "indexes", "index", "viewOn", "capped", "to",
    "roles", "nsInfo",
})  # fmt: skip
"""Members of a command whose values say how and not what: they stay in the template."""
STAGES = frozenset({
    "$sort", "$project", "$unset", "$group", "$count", "$unwind", "$out", "$merge", "$addFields", "$replaceRoot",
    "$sortByCount", "$lookup",
})  # fmt: skip
"""Operators of which the same holds, wherever they stand."""
FILTERS = frozenset({"$match", "let", "pipeline"})
"""Members within those whose values are values again."""
SETS = frozenset({"$in", "$nin", "$all"})
"""Operators whose arrays have no order."""
WRITES = frozenset({"updates", "deletes", "ops"})
"""Members of a command that hold writes, in which a driver may write out or leave out what is so by default."""
UNSAID = (("multi", False), ("upsert", False))

type Place = tuple[str | int, ...]


class Value(NamedTuple):
    """One value that was taken out, with its path in the command."""

    place: Place
    value: JsonValue


class TakenApart(NamedTuple):
    """A command's template and values."""

    template: str
    values: tuple[Value, ...]


def taken_apart(command: Command) -> TakenApart:
    """The template and the values of a command, in an order that does not depend on the driver's."""
    name = name_of(command)
    values: list[Value] = []
    words = [name, target_of(command)]
    for member, value in sorted((each for each in explained(command) if each[0] != name), key=lambda each: each[0]):
        words.append(f"{member}={_shape(value, (member,), values, keeps=member in STRUCTURE)}")
    return TakenApart(_cut(" ".join(words)), tuple(values))


def _cut(template: str) -> str:
    if len(template) <= LONGEST:
        return template
    return f"{template[:LONGEST]}… {blake2b(template.encode(), digest_size=8).hexdigest()}"


def _shape(value: JsonValue, place: Place, values: list[Value], *, keeps: bool) -> str:
    """The shape of a value; what is taken out of it is added to `values`."""
    if isinstance(value, dict):
        found = scalar(value)
        if found is None:
            return _document(value, place, values, keeps=keeps)
        kind, plain = found
        if keeps:
            return f"{kind}({_written(plain)})" if kind else _written(plain)
        values.append(Value(place, plain))
        return f"{kind}(?)" if kind else "?"
    if isinstance(value, list):
        return _array(value, place, values, keeps=keeps)
    if keeps or (isinstance(value, str) and value[:1] == "$"):  # the path of a field
        return _written(value)
    values.append(Value(place, _short(value)))
    return "?"


def _document(value: dict[str, JsonValue], place: Place, values: list[Value], *, keeps: bool) -> str:
    members = value.items() if _in_order(place) else sorted(value.items())
    if len(place) == 2 and place[0] in WRITES:
        members = [each for each in members if each not in UNSAID]
    inside = (
        f"{name}: {_shape(item, (*place, name), values, keeps=name in STAGES or (keeps and name not in FILTERS))}"
        for name, item in members
    )
    return "{" + ", ".join(inside) + "}"


def _in_order(place: Place) -> bool:
    """Whether the order of names counts: in what sorts, and in an index."""
    return place[-1] == "$sort" or place == ("sort",) or (place[0] == "indexes" and place[-1] == "key")


def _array(value: list[JsonValue], place: Place, values: list[Value], *, keeps: bool) -> str:
    items: Sequence[JsonValue] = value
    if place and place[-1] in SETS:
        items = sorted(value, key=_plainly)
    shapes: list[list[str | int]] = []
    for at, item in enumerate(items):
        shape = _shape(item, (*place, at), values, keeps=keeps)
        if shapes and shapes[-1][0] == shape:
            shapes[-1][1] = int(shapes[-1][1]) + 1
        else:
            shapes.append([shape, 1])
    return "[" + ", ".join(f"{shape}" if times == 1 else f"{shape} x{times}" for shape, times in shapes) + "]"


def _plainly(value: JsonValue) -> str:
    """A value written whatever its type of number."""
    found = scalar(value) if isinstance(value, dict) else None
    return _written(found[1] if found is not None else value)


def _written(value: JsonValue) -> str:
    return orjson.dumps(value).decode()


def scalar(value: dict[str, JsonValue]) -> tuple[str, JsonValue] | None:
    """Type and plain value of what Extended JSON writes as an object; None for a document. Numbers have no type."""
    if not 1 <= len(value) <= 2 or not all(name[:1] == "$" for name in value):
        return None
    name, inside = next(iter(value.items()))
    reader = _SCALARS.get(name)
    if reader is None:
        return None
    try:
        return reader(inside)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        return None


def _number(inside: JsonValue) -> tuple[str, JsonValue]:
    if not isinstance(inside, str):
        raise TypeError
    if inside.startswith("NaN"):
        return "", "NaN"  # whatever its bits: see `documents`
    number = float(inside) if not inside.lstrip("-").isdecimal() else int(inside)
    return "", int(number) if isinstance(number, float) and number.is_integer() else _finite(number, inside)


def _finite(number: float, inside: str) -> JsonValue:
    return number if number == number and abs(number) != float("inf") else inside


def _oid(inside: JsonValue) -> tuple[str, JsonValue]:
    return "ObjectId", inside


def _date(inside: JsonValue) -> tuple[str, JsonValue]:
    millis = int(inside["$numberLong"]) if isinstance(inside, dict) else inside  # type: ignore[arg-type]
    if not isinstance(millis, int) or not -62135596800000 <= millis <= 253402300799999:
        return "Date", str(millis)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
    return "Date", moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _binary(inside: JsonValue) -> tuple[str, JsonValue]:
    text, kind = str(inside["base64"]), str(inside["subType"])  # type: ignore[index,call-overload]
    if kind == "04":
        return "UUID", str(uuid.UUID(bytes=base64.b64decode(text)))
    return f"Binary{'' if kind == '00' else kind}", _short(text)


def _regex(inside: JsonValue) -> tuple[str, JsonValue]:
    return "Regex", f"/{inside['pattern']}/{inside['options']}"  # type: ignore[index,call-overload]


def _stamp(inside: JsonValue) -> tuple[str, JsonValue]:
    return "Timestamp", f"{inside['t']}.{inside['i']}"  # type: ignore[index,call-overload]


def _code(inside: JsonValue) -> tuple[str, JsonValue]:
    return "Code", _short(str(inside))


_SCALARS: Mapping[str, Callable[[JsonValue], tuple[str, JsonValue]]] = {
    "$numberInt": _number, "$numberLong": _number, "$numberDouble": _number, "$oid": _oid, "$date": _date,
    "$binary": _binary,
    "$uuid": lambda inside: ("UUID", inside),
    "$regularExpression": _regex, "$timestamp": _stamp, "$code": _code,
    "$numberDecimal": lambda inside: ("Decimal", inside), "$symbol": lambda inside: ("", inside),
    "$minKey": lambda _: ("MinKey", 1), "$maxKey": lambda _: ("MaxKey", 1), "$undefined": lambda _: ("", None),
}  # fmt: skip


def _short(value: JsonValue) -> JsonValue:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return "blake2b " + blake2b(value.encode(), digest_size=16).hexdigest()
    return value


def spelled(values: Sequence[Value]) -> Iterator[tuple[str, JsonValue]]:
    """The values with their paths as people read them: `filter/qty/$gt`."""
    for place, value in values:
        yield "/".join(str(each).replace("~", "~0").replace("/", "~1") for each in place), value
