"""A schema of an OpenAPI description in the one form in which two are compared, with what was recorded. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wiretape_replay.openapi.document import Description
from wiretape_replay.openapi.schema import EVIDENCE

_FORMATS = {"datetime": "date-time", "uuid": "uuid", "date": "date"}
_BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
ALL = frozenset({"array", "boolean", "integer", "number", "object", "string"})


@dataclass(slots=True)
class Shape:
    """What a schema allows at one place."""

    pointer: str
    types: frozenset[str] = ALL
    """Without null; numbers include integers."""
    nullable: bool = True
    format: str | None = None
    enum: tuple[str, ...] | None = None
    bounds: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """Schemas with their places."""
    required: frozenset[str] = frozenset()
    items: tuple[Any, str] | None = None
    additional: tuple[Any, str] | None = None
    evidence: dict[str, Any] | None = None

    @property
    def seen(self) -> int | None:
        """How often a value was recorded here; None where nothing was recorded."""
        return int(self.evidence["seen"]) if self.evidence else None

    @property
    def objects(self) -> int | None:
        """How many objects were recorded here."""
        return int(self.evidence["types"].get("object", 0)) if self.evidence else None

    @property
    def told(self) -> str:
        """`integer in 3 of 5`, or what the description says."""
        if self.evidence:
            counts = " or ".join(f"{kind} in {count}" for kind, count in self.evidence["types"].items())
            return f"{counts} of {self.seen} recorded"
        kinds = "anything" if self.types == ALL else " or ".join(sorted(self.types - _implied(self.types)))
        return kinds + (" or null" if self.nullable and self.types != ALL else "")


def shape_of(description: Description, schema: Any, pointer: str) -> Shape:
    """The shape of a schema, references followed, `allOf` put together, alternatives joined by their types."""
    schema, pointer = description.resolved(schema, pointer)
    if not isinstance(schema, dict) or not schema:
        return Shape(pointer)
    shape = Shape(pointer)
    shape.types, shape.nullable = _types(description, schema, 0)
    shape.format = schema.get("format") if isinstance(schema.get("format"), str) else None
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        shape.enum = tuple(str(value) for value in values if value is not None)
    shape.bounds = {name: schema[name] for name in _BOUNDS if name in schema}
    _add_members(description, shape, schema, pointer, 0)
    if isinstance(evidence := schema.get(EVIDENCE), dict) and isinstance(evidence.get("types"), dict):
        shape.evidence = evidence
        shape.format = shape.format or _recorded_format(evidence)
    return shape


def _types(description: Description, schema: Any, depth: int) -> tuple[frozenset[str], bool]:
    schema, _ = description.resolved(schema, "")
    if not isinstance(schema, dict) or depth > 8:
        return ALL, True
    if "type" in schema:
        listed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        named = frozenset(str(each) for each in listed)
        nullable = "null" in named or schema.get("nullable") is True
        return (named - {"null"}) | _implied(named), nullable
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        joined = [_types(description, each, depth + 1) for each in alternatives]
        types = frozenset().union(*(types for types, _ in joined))
        return types, any(null for _, null in joined) or schema.get("nullable") is True
    if parts := schema.get("allOf"):
        met = [_types(description, each, depth + 1) for each in parts]
        return frozenset.intersection(*(types for types, _ in met)), all(null for _, null in met)
    if "properties" in schema:
        return frozenset({"object"}), schema.get("nullable") is True
    return ALL, True


def _implied(types: frozenset[str]) -> frozenset[str]:
    return frozenset({"integer"}) if "number" in types else frozenset()


def _add_members(description: Description, shape: Shape, schema: dict[str, Any], pointer: str, depth: int) -> None:
    for name, node in (schema.get("properties") or {}).items():
        shape.properties[name] = (node, f"{pointer}/properties/{name}")
    shape.required |= frozenset(str(name) for name in schema.get("required") or ())
    if isinstance(schema.get("items"), dict):
        shape.items = (schema["items"], f"{pointer}/items")
    if isinstance(schema.get("additionalProperties"), dict):
        shape.additional = (schema["additionalProperties"], f"{pointer}/additionalProperties")
    for keyword in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(keyword) or []
        structured = [part for part in parts if description.resolved(part, "")[0] not in ({"type": "null"}, {})]
        # Of several alternatives nothing can be said but their types.
        if depth < 8 and (keyword == "allOf" or len(structured) == 1):
            for part in structured:
                node, where = description.resolved(part, pointer)
                if isinstance(node, dict):
                    _add_members(description, shape, node, where, depth + 1)


def _recorded_format(evidence: dict[str, Any]) -> str | None:
    """The format of few texts, too few to be promised."""
    formats = evidence.get("formats") or {}
    if len(formats) == 1:
        name, count = next(iter(formats.items()))
        return _FORMATS.get(name) if count == evidence["types"].get("string") else None
    return None
