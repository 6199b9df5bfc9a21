"""Recorded requests and live responses against a given OpenAPI description: every violation with the rule's place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from wiretape_capture.protocols.http import header, header_values, is_json, media_type, split_target
from wiretape_capture.snapshot.exchange import Body, Headers, Request, Response
from wiretape_replay.compare.messages import said, shown
from wiretape_replay.content import read_content
from wiretape_replay.contract.answers import scalar
from wiretape_replay.contract.leaf import exact_type, member_name
from wiretape_replay.leaves import join
from wiretape_replay.openapi.document import Description
from wiretape_replay.openapi.operations import Located, Operation, Operations
from wiretape_replay.verdict.model import Part, Severity

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

    from wiretape_replay.openapi.schemas import Schemas

_BODILESS = frozenset({204, 205, 304})
_BREAKING = frozenset({"type", "required", "format", "content-type", "body-missing", "not-json", "header-missing"})


@dataclass(frozen=True, slots=True)
class SpecViolation:
    """One place where traffic breaks a given description."""

    part: Part
    pointer: str
    at: str
    rule: str
    """The keyword of JSON Schema, or `undocumented-route`, `undocumented-status`, `content-type`, `header-missing`,
    `body-missing`, `not-json`, `unchecked`."""
    expected: JsonValue
    actual: JsonValue
    location: str
    """Where the rule stands: `openapi.yaml#/components/schemas/Order/properties/total/type`."""
    severity: Severity = Severity.ERROR

    @property
    def breaking(self) -> bool:
        """Whether a client that believes the description stumbles."""
        return self.rule in _BREAKING and self.severity is Severity.ERROR

    @property
    def message(self) -> str:
        """One sentence."""
        return f"{said(self.actual)} where {self.location} wants {said(self.expected)} ({self.rule})"


class SpecCheck:
    """Checks traffic against one description."""

    def __init__(self, description: Description) -> None:
        # Its libraries take a tenth of a second to load, which runs without a description need not spend.
        from wiretape_replay.openapi.schemas import Schemas

        self._name = description.name
        self._operations = Operations(description)
        self._responses = Schemas(description, reading=True)
        self._requests = Schemas(description, reading=False)

    def prepare(self, method: str, target: str) -> None:
        """Refuse an unusable schema of this operation now, not in the middle of a run."""
        operation = self._operations.find(method, target)
        for status in _statuses(operation) if operation else ():
            response = operation and self._operations.response(operation, status)
            content = response.node.get("content") if response and isinstance(response.node, dict) else None
            for media in content if isinstance(content, dict) else ():
                if response and (found := self._schema(self._operations.content(response, media.lower()))):
                    self._responses.require_usable(found)

    def response(self, method: str, target: str, live: Response) -> list[SpecViolation]:
        """How a live response breaks the description."""
        operation = self._operations.find(method, target)
        if operation is None:
            # Frameworks answer preflight requests (CORS) that nobody describes.
            return [] if method == "OPTIONS" else [self._undocumented(method, target)]
        described = self._operations.response(operation, live.status)
        if described is None:
            known = " or ".join(sorted(operation.own.node.get("responses") or {})) or "none"
            location = f"{self._name}#{join(operation.own.pointer, 'responses')}"
            return [SpecViolation(Part.STATUS, "", "", "undocumented-status", known, str(live.status), location,
                                  Severity.WARNING)]  # fmt: skip
        found = [*self._headers(described, live.headers)]
        if method != "HEAD" and live.status not in _BODILESS:
            found += self._body(self._responses, described, live.headers, live.body, Part.BODY)
        return _distinct(found)

    def request(self, request: Request) -> list[SpecViolation]:
        """How a recorded request breaks the description; told as warnings, for the app under test did not send it."""
        operation = self._operations.find(request.method, request.target)
        if operation is None:
            return []  # told with the response
        found = [*self._parameters(operation, request)]
        described = self._operations.request_body(operation)
        if described is not None and (request.body.size or described.node.get("required") is True):
            found += self._body(self._requests, described, request.headers, request.body, Part.EXCHANGE)
        return _distinct([_warning(each) for each in found])

    def _undocumented(self, method: str, target: str) -> SpecViolation:
        methods = self._operations.documented_methods(target)
        path = target.partition("?")[0]
        expected = " or ".join(methods) if methods else "a path that fits"
        return SpecViolation(Part.EXCHANGE, "", "", "undocumented-route", expected, f"{method} {path}",
                             f"{self._name}#/paths", Severity.WARNING)  # fmt: skip

    def _headers(self, described: Located, headers: Headers) -> Iterator[SpecViolation]:
        for name, located in self._operations.headers(described):
            values = header_values(headers, name)
            if not values and isinstance(located.node, dict) and located.node.get("required") is True:
                yield SpecViolation(Part.HEADER, name, name, "header-missing", "present", "missing",
                                    f"{self._name}#{join(located.pointer, 'required')}")  # fmt: skip
            elif values and name != "content-type":
                yield from self._text(self._responses, located, values, Part.HEADER, name)

    def _body(self, schemas: Schemas, described: Located, headers: Headers, body: Body,
              part: Part) -> Iterator[SpecViolation]:  # fmt: skip
        content = described.node.get("content") if isinstance(described.node, dict) else None
        if not isinstance(content, dict) or not content:
            return
        media, where = media_type(headers), f"{self._name}#{join(described.pointer, 'content')}"
        known = " or ".join(content)
        if not body.size:
            if any(is_json(name) for name in content) and not _was_empty_too(described):
                yield SpecViolation(part, "", "", "body-missing", known, "no body", where)
            return
        found = self._operations.content(described, media)
        if found is None:
            pointer = "content-type" if part is Part.BODY else "request content-type"
            yield SpecViolation(Part.HEADER if part is Part.BODY else part, pointer, pointer, "content-type", known,
                                media or "none", where)  # fmt: skip
        elif (schema := self._schema(found)) and is_json(media):
            yield from self._json(schemas, schema, headers, body, part)

    def _json(
        self, schemas: Schemas, pointer: str, headers: Headers, body: Body, part: Part
    ) -> Iterator[SpecViolation]:
        content, where = read_content(headers, body), f"{self._name}#{pointer}"
        if content.kind == "json":
            yield from self._value(schemas, pointer, content.tree, part, "" if part is Part.BODY else "request ")
        elif body.data is None:
            yield SpecViolation(part, "", "", "unchecked", "a body that fits into memory", f"{body.size} bytes", where,
                                Severity.INFO)  # fmt: skip
        else:
            yield SpecViolation(part, "", "", "not-json", "JSON", content.kind, where)

    def _value(
        self, schemas: Schemas, pointer: str, value: JsonValue, part: Part, prefix: str
    ) -> Iterator[SpecViolation]:
        try:
            for error in schemas.errors(pointer, value):
                at = "".join(join("", step) for step in error.absolute_path)
                starred = "".join(f"/{_starred(step)}" for step in error.absolute_path)
                expected, actual = _sides(error)
                yield SpecViolation(part, prefix + starred, prefix + at, str(error.validator), expected, actual,
                                    f"{self._name}{schemas.location(pointer, error)}")  # fmt: skip
        except RecursionError:
            yield SpecViolation(part, prefix, prefix, "unchecked", "a schema that comes to an end", "endless nesting",
                                f"{self._name}#{pointer}", Severity.INFO)  # fmt: skip

    def _parameters(self, operation: Operation, request: Request) -> Iterator[SpecViolation]:
        pairs = split_target(request.target)[1]
        for located in self._operations.parameters(operation):
            name, place = str(located.node.get("name")), str(located.node.get("in"))
            if place == "query":
                values = [value for key, value in pairs if key == name]
            elif place == "header":
                values = [value] if (value := header(request.headers, name)) is not None else []
            elif place == "path":
                values = [operation.values[name]] if name in operation.values else []
            else:
                continue
            pointer = f"{place}:{name}"
            if values:
                yield from self._text(self._requests, located, values, Part.EXCHANGE, pointer)
            elif located.node.get("required") is True and place != "path":
                yield SpecViolation(Part.EXCHANGE, pointer, pointer, "required", "present", "missing",
                                    f"{self._name}#{join(located.pointer, 'required')}")  # fmt: skip

    def _text(
        self, schemas: Schemas, located: Located, values: list[str], part: Part, name: str
    ) -> Iterator[SpecViolation]:
        """A text may stand for a number, a truth value, a list or itself: it breaks the schema when no reading fits."""
        if not isinstance(located.node, dict) or located.node.get("style") == "deepObject":
            return
        if (pointer := self._schema(located)) is None:
            return
        readings = _readings(values)
        found = [list(self._value(schemas, pointer, reading, part, "")) for reading in readings]
        if all(found):
            first = found[0][0]
            yield SpecViolation(part, name, name, first.rule, first.expected, shown(", ".join(values)), first.location)

    def _schema(self, located: Located | None) -> str | None:
        has = (
            located is not None
            and isinstance(located.node, dict)
            and isinstance(located.node.get("schema"), dict | bool)
        )
        return join(located.pointer, "schema") if located is not None and has else None


def _was_empty_too(described: Located) -> bool:
    """OpenAPI has no way to say that some answers have no body; our own descriptions do."""
    evidence = described.node.get("x-wiretape-evidence")
    return isinstance(evidence, dict) and evidence.get("with_body", 0) < evidence.get("answers", 0)


def _readings(values: list[str]) -> list[JsonValue]:
    typed: list[JsonValue] = [scalar(value) for value in values]
    parts = [part for value in values for part in value.split(",")]
    lists: list[JsonValue] = [list[JsonValue](values), typed, list[JsonValue](parts), [scalar(part) for part in parts]]
    return [typed[0], values[0], *lists] if len(values) == 1 else lists


def _sides(error: ValidationError) -> tuple[JsonValue, JsonValue]:
    keyword, value, found = str(error.validator), _json_of(error.validator_value), _json_of(error.instance)
    if keyword == "required":
        return "present", "missing"
    if keyword == "type":
        wanted = " or ".join(map(str, value)) if isinstance(value, list) else str(value)
        return wanted, exact_type(found)
    if keyword in ("format", "enum", "const"):
        return shown(value), shown(found)
    return f"{keyword} {said(value)}", shown(found)


def _json_of(value: Any) -> JsonValue:
    """What jsonschema has typed as anything."""
    return value  # type: ignore[no-any-return]


def _starred(step: str | int) -> str:
    return "*" if isinstance(step, int) or member_name(step) == "*" else join("", step)[1:]


def _statuses(operation: Operation) -> list[int]:
    codes = operation.own.node.get("responses")
    return [int(code[0] + "00") if code[1:].upper() == "XX" else int(code) if code.isdecimal() else 599
            for code in (codes if isinstance(codes, dict) else ())]  # fmt: skip


def _warning(violation: SpecViolation) -> SpecViolation:
    lower = Severity.WARNING if violation.severity is Severity.ERROR else violation.severity
    return replace(violation, severity=lower)


def _distinct(found: list[SpecViolation]) -> list[SpecViolation]:
    """One for each rule and place: thousands of equal elements break a rule once."""
    return list({(each.part, each.pointer, each.location): each for each in reversed(found)}.values())[::-1]
