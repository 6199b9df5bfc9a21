"""Values against the schemas of one OpenAPI description, by the dialect of its version, numbers exactly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

from jsonschema import FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend
from openapi_schema_validator import OAS30Validator, OAS31Validator
from pydantic import JsonValue
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from wiretape_capture.errors import UsageError
from wiretape_replay.leaves import join
from wiretape_replay.openapi.document import Description

_URI = "urn:wiretape:description"
_FORMATS = FormatChecker(["date", "date-time", "uuid", "ipv4", "ipv6"])
"""Formats that leave no doubt; the others are for people."""
_HUGE = 400
"""Digits up to which `multipleOf` is computed."""

_STANDARD: dict[str, Any] = {"3.0": OAS30Validator, "3.1": OAS31Validator}

type Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class Schemas:
    """The schemas of one description, for one direction: what is read may lack what is write-only, and so on."""

    def __init__(self, description: Description, *, reading: bool) -> None:
        self._description = description
        self._dialect = _dialect(description.version, reading)
        self._standard: Any = _STANDARD[description.version]
        self._registry = Registry[Any]().with_resource(_URI, DRAFT202012.create_resource(description.tree))
        self._usable = set[str]()

    def errors(self, pointer: str, value: JsonValue) -> list[ValidationError]:
        """How a value breaks the schema at `pointer`; where alternatives fail, the error of the likeliest one."""
        self.require_usable(pointer)
        validator = self._dialect(
            {"$ref": f"{_URI}#{_quoted(pointer)}"}, registry=self._registry, format_checker=_FORMATS
        )
        return [best_match([error]) or error for error in validator.iter_errors(value)]

    def location(self, pointer: str, error: ValidationError) -> str:
        """Where in the description the rule stands that a value broke."""
        for step in error.absolute_schema_path:  # which does not name the references that it passed
            try:
                node = self._description.at(f"#{pointer}")
            except LookupError:
                break
            if isinstance(node, dict) and step not in node:
                pointer = self._description.resolved(node, pointer)[1]
            pointer = join(pointer, step)
        return f"#{pointer}"

    def require_usable(self, pointer: str) -> None:
        """Refuse a schema that is none, here or behind a reference."""
        pending = [pointer]
        while pending:
            where = pending.pop()
            if where in self._usable:
                continue
            self._usable.add(where)
            schema = self._description.at(f"#{where}")
            try:
                self._standard.check_schema(schema, format_checker=None)
            except SchemaError as error:
                place = "".join(f"/{step}" for step in error.absolute_path)
                raise UsageError(f"in {self._description.name}, the schema at #{where}{place} is none: "
                                 f"{_short(error.message)}", "mend it") from None  # fmt: skip
            except RecursionError:
                raise UsageError(f"in {self._description.name}, the schema at #{where} holds itself",
                                 "use $ref for schemas that hold themselves") from None  # fmt: skip
            pending += _referred(schema)


def _referred(schema: Any) -> list[str]:
    from urllib.parse import unquote

    found, pending = [], [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                found.append(unquote(reference[1:]))
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return found


@cache
def _dialect(version: str, reading: bool) -> Any:
    base = _STANDARD[version]
    keywords: dict[str, Keyword] = {
        "required": _required("writeOnly" if reading else "readOnly"),
        "pattern": _pattern,
        "multipleOf": _multiple_of,
    }
    if version == "3.0":
        keywords |= {
            name: _or_null(base.VALIDATORS[name]) for name in ("type", "enum", "allOf", "anyOf", "oneOf", "$ref")
        }
    checker = base.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    return extend(base, keywords, type_checker=checker)  # type: ignore[no-untyped-call]


def _required(hidden: str) -> Keyword:
    def required(validator: Any, names: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        if not validator.is_type(value, "object"):
            return
        properties = schema.get("properties", {})
        for name in names:
            described = properties.get(name)
            if name not in value and not (isinstance(described, dict) and described.get(hidden) is True):
                yield ValidationError(f"{name!r} is missing", path=(name,))

    return required


def _or_null(keyword: Keyword) -> Keyword:
    """In 3.0, many descriptions write `nullable` beside `allOf`, `enum` and `$ref` too, and mean it."""

    def check(validator: Any, expected: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        if value is not None or schema.get("nullable") is not True:
            yield from keyword(validator, expected, value, schema) or ()

    return check


def _pattern(validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(value, "string"):
        return
    try:
        found = re.search(pattern, value)
    except re.error:  # ECMA 262 knows expressions that Python does not: nothing can be said
        return
    if not found:
        yield ValidationError(f"does not match {pattern!r}")


def _multiple_of(validator: Any, step: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    computable = validator.is_type(value, "number") and step and max(_digits(value), _digits(step)) < _HUGE
    if computable and Fraction(value) % Fraction(step):
        yield ValidationError(f"is not a multiple of {step}")


def _digits(number: Any) -> int:
    decimal = Decimal(number)
    exponent = decimal.as_tuple().exponent
    return abs(decimal.adjusted()) + (abs(exponent) if isinstance(exponent, int) else 0)


def _is_number(_checker: Any, value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and Decimal(value).is_finite()


def _is_integer(checker: Any, value: Any) -> bool:
    return _is_number(checker, value) and Decimal(value) == Decimal(value).to_integral_value()


def _quoted(pointer: str) -> str:
    from urllib.parse import quote

    return quote(pointer, safe="/~{}")


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:119]}…"
