"""What changed between two descriptions: operations, parameters, bodies and statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wiretape_replay.contract.check import ENOUGH
from wiretape_replay.leaves import join
from wiretape_replay.openapi.document import Description
from wiretape_replay.openapi.ledger import Changes, Ledger
from wiretape_replay.openapi.operations import Located, server_paths
from wiretape_replay.openapi.schema_changes import compare_shapes, may_lack
from wiretape_replay.openapi.shape import Shape, shape_of
from wiretape_replay.openapi.write import METHODS, RECORDED

type Key = tuple[str, str]
"""Method, and path without the names of its parameters."""

_LEVELS = ("breaking", "warning", "info")


@dataclass(frozen=True, slots=True)
class _Operation:
    route: str
    item: Located
    own: Located

    @property
    def rarely_recorded(self) -> bool:
        """Whether so few requests were recorded that they promise nothing."""
        evidence = self.own.node.get("x-wiretape-evidence")
        return isinstance(evidence, dict) and evidence["requests"] < ENOUGH


def changes(base: Description, revision: Description) -> Changes:
    """What changed from `base` to `revision`, the breaking changes first."""
    ledger = Ledger(base, revision, RECORDED in base.tree, RECORDED in revision.tree)
    before, after = _matching(base, revision)
    for key in sorted(before.keys() | after.keys(), key=lambda one: one[::-1]):
        ledger.operation, ledger.direction = (before.get(key) or after[key]).route, 1
        if key not in after:
            ledger.add("operation-removed", "", "the operation is gone")
        elif key not in before:
            ledger.add("operation-added", "", "the operation is new")
        else:
            ledger.direction = 0
            _request(ledger, before[key], after[key])
            ledger.direction = 1
            _responses(ledger, before[key].own, after[key].own)
    found = tuple(sorted(ledger.found, key=lambda each: _LEVELS.index(each.level)))
    breaking = sum(each.level == "breaking" for each in found)
    return Changes(base=base.name, revision=revision.name, breaking=breaking, changes=found)


def _matching(base: Description, revision: Description) -> tuple[dict[Key, _Operation], dict[Key, _Operation]]:
    """The operations of both, each below that path of its servers with which most of them are found in the other."""
    pairs = [
        (_below(old, dict(_operations(base))), _below(new, dict(_operations(revision))))
        for old in server_paths(base) for new in server_paths(revision)
    ]  # fmt: skip
    return max(reversed(pairs), key=lambda pair: len(pair[0].keys() & pair[1].keys()))


def _below(prefix: str, operations: dict[Key, _Operation]) -> dict[Key, _Operation]:
    return {(method, prefix + path): operation for (method, path), operation in operations.items()}


def _operations(description: Description) -> Iterator[tuple[Key, _Operation]]:
    """By method and path, whatever its parameters are called."""
    for template, node in (description.tree.get("paths") or {}).items():
        item = Located(*description.resolved(node, join("/paths", template)))
        for method in METHODS if isinstance(item.node, dict) else ():
            own = item.node.get(method)
            if isinstance(own, dict):
                route = f"{method.upper()} {template}"
                key = method.upper(), re.sub(r"\{[^{}]*\}", "{}", template)
                yield key, _Operation(route, item, Located(own, join(item.pointer, method)))


def _request(ledger: Ledger, before: _Operation, after: _Operation) -> None:
    old, new = dict(_parameters(ledger.base, before)), dict(_parameters(ledger.revision, after))
    believed = not before.rarely_recorded
    for key in sorted(old.keys() | new.keys()):
        _one_or_both(ledger, f"request {' '.join(key)}", "parameter", old.get(key), new.get(key), believed=believed)
    _request_body(ledger, before.own, after.own, believed=believed)


def _parameters(description: Description, operation: _Operation) -> Iterator[tuple[tuple[str, str], Located]]:
    for holder in (operation.item, operation.own):
        listed = holder.node.get("parameters")
        for index, node in enumerate(listed if isinstance(listed, list) else ()):
            each = Located(*description.resolved(node, f"{holder.pointer}/parameters/{index}"))
            if isinstance(each.node, dict) and each.node.get("in") in ("query", "header", "cookie"):
                place, name = str(each.node["in"]), str(each.node.get("name"))
                yield (place, name.lower() if place == "header" else name), each


def _one_or_both(ledger: Ledger, where: str, noun: str, old: Located | None, new: Located | None, *,
                 believed: bool = True) -> None:  # fmt: skip
    """A parameter or header that either side has, or both."""
    if old is not None and new is not None:
        _parameter(ledger, where, noun, old, new, believed=believed)
    elif (here := old or new) is not None:
        kind = "required" if _is_required(here) else "optional"
        rule, now = ("removed", "gone") if new is None else ("added", "new")
        ledger.add(f"{rule}-{kind}", where, f"the {kind} {noun} is {now}", believed=believed)


def _parameter(ledger: Ledger, where: str, noun: str, old: Located, new: Located, *, believed: bool) -> None:
    before, after = _schema(ledger.base, old), _schema(ledger.revision, new)
    if _is_required(old) and not _is_required(new) and may_lack(after):
        ledger.add("became-optional", where, f"the {noun} may be missing", believed=believed)
    if _is_required(new) and not _is_required(old) and may_lack(before):
        ledger.add("became-required", where, f"the {noun} must be there", believed=believed)
    compare_shapes(ledger, where, before, after)


def _request_body(ledger: Ledger, before: Located, after: Located, *, believed: bool) -> None:
    old, new = _body(ledger.base, before), _body(ledger.revision, after)
    if old is not None and new is not None:
        if _is_required(new) and not _is_required(old) and not ledger.base_recorded:
            ledger.add("became-required", "request body", "the body must be there", believed=believed)
        _contents(ledger, "request", old, new)
    elif new is not None:
        rule = "added-required" if _is_required(new) else "added-optional"
        ledger.add(rule, "request body", "a body is sent now", believed=believed)
    elif old is not None:
        ledger.add("removed-optional", "request body", "no body is sent any more")


def _responses(ledger: Ledger, before: Located, after: Located) -> None:
    old, new = dict(_statuses(ledger.base, before)), dict(_statuses(ledger.revision, after))
    for status in sorted(old.keys() | new.keys()):
        where = f"response {status}"
        if status not in new:
            rule = "status-removed" if status.startswith("2") else "error-status-removed"
            ledger.add(rule, where, f"status {status} is gone")
        elif status in old:
            _headers(ledger, where, old[status], new[status])
            _contents(ledger, where, old[status], new[status])
        elif not old.keys() & {"default", f"{status[0]}XX", f"{status[0]}xx"}:
            ledger.add("status-added", where, f"status {status} is new")


def _statuses(description: Description, operation: Located) -> Iterator[tuple[str, Located]]:
    responses = operation.node.get("responses")
    for code, node in (responses if isinstance(responses, dict) else {}).items():
        found = Located(*description.resolved(node, f"{operation.pointer}/responses/{code}"))
        if isinstance(found.node, dict):
            yield code, found


def _headers(ledger: Ledger, where: str, old: Located, new: Located) -> None:
    before, after = dict(_headers_of(ledger.base, old)), dict(_headers_of(ledger.revision, new))
    for name in sorted(before.keys() | after.keys()):
        _one_or_both(ledger, f"{where} header {name}", "header", before.get(name), after.get(name))


def _headers_of(description: Description, response: Located) -> Iterator[tuple[str, Located]]:
    for name, node in (response.node.get("headers") or {}).items():
        found = Located(*description.resolved(node, f"{response.pointer}/headers{join('', name)}"))
        if isinstance(found.node, dict):
            yield name.lower(), found


def _contents(ledger: Ledger, where: str, old: Located, new: Located) -> None:
    before, after = old.node.get("content") or {}, new.node.get("content") or {}
    for media in sorted(before.keys() | after.keys()):
        if media not in after:
            ledger.add("media-type-removed", f"{where} {media}", f"{media} is gone")
        elif media not in before:
            ledger.add("media-type-added", f"{where} {media}", f"{media} is new")
        else:
            ledger.visited.clear()
            place = f"/content{join('', media)}"
            compare_shapes(ledger, f"{where} /", _schema(ledger.base, Located(before[media], old.pointer + place)),
                           _schema(ledger.revision, Located(after[media], new.pointer + place)))  # fmt: skip


def _body(description: Description, operation: Located) -> Located | None:
    node, pointer = description.resolved(operation.node.get("requestBody"), f"{operation.pointer}/requestBody")
    return Located(node, pointer) if isinstance(node, dict) else None


def _schema(description: Description, holder: Located) -> Shape:
    schema: Any = holder.node.get("schema") if isinstance(holder.node, dict) else None
    return shape_of(description, schema, f"{holder.pointer}/schema")


def _is_required(located: Located) -> bool:
    return located.node.get("required") is True
