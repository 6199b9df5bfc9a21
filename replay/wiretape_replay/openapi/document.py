"""Reads an OpenAPI 3.0 or 3.1 description, JSON or YAML, numbers exact; refuses what cannot be checked against.

References stay inside the file: nothing is ever fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from wiretape_capture.errors import UsageError
from wiretape_replay.leaves import join, split

SIZE_LIMIT = 32 << 20
_WANTED = "give an OpenAPI 3.0 or 3.1 file"
_DATA = frozenset({"example", "examples", "default", "enum", "const", "x-wiretape-evidence"})
"""Keys below which `$ref` is data."""

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Description:
    """One OpenAPI description."""

    name: str
    version: str
    """`3.0` or `3.1`."""
    tree: Json

    def at(self, reference: str) -> Any:
        """What a reference inside the file stands for; LookupError when nothing does."""
        node: Any = self.tree
        for key in split(_pointer(reference)):
            if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, dict) and key in node:
                node = node[key]
            else:
                raise LookupError(reference)
        return node

    def resolved(self, node: Any, pointer: str) -> tuple[Any, str]:
        """A node and where it stands, references followed to their end."""
        seen = set[str]()
        while isinstance(node, dict) and isinstance(reference := node.get("$ref"), str) and reference not in seen:
            seen.add(reference)
            node, pointer = self.at(reference), _pointer(reference)
        return node, pointer


def read_description(path: Path) -> Description:
    """The description in a file; UsageError says what is wrong with it."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            size = path.stat().st_size / 1e6
            raise UsageError(f"{path.name} has {size:.0f} MB", "an OpenAPI file may have 32 MB: cut it down to the "
                             "routes that were recorded")  # fmt: skip
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: {reason}", "give --openapi the path of an OpenAPI file") from None
    return parse_description(data, path.name)


def parse_description(data: bytes, name: str) -> Description:
    """The description that a file called `name` holds."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text", "give a JSON or YAML file") from None
    tree = _json(text, name) if text.lstrip()[:1] == "{" else _yaml(text, name)
    if not isinstance(tree, dict):
        raise UsageError(f"{name} is no OpenAPI description: it holds no object", _WANTED)
    description = Description(name, _version(tree, name), tree)
    if not isinstance(tree.get("paths", {}), dict):
        raise UsageError(f'in {name}, "paths" is no object', "mend it: paths maps /path to its operations")
    _check_references(description)
    return description


def _version(tree: Json, name: str) -> str:
    if "swagger" in tree:
        raise UsageError(f"{name} is Swagger {tree['swagger']}", "convert it to OpenAPI 3.0 or 3.1 first")
    if "openapi" not in tree:
        raise UsageError(f'{name} is no OpenAPI description: it has no key "openapi"', _WANTED)
    version = str(tree["openapi"])
    if version.startswith(("3.0", "3.1")):
        return version[:3]
    raise UsageError(f"{name} is OpenAPI {version}", "3.0 and 3.1 are understood")


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError) as error:
        # A YAML flow mapping begins like JSON.
        return _yaml(text, name, f"{name} is not valid JSON: {str(error)[:1].lower()}{str(error)[1:]}")
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply", _WANTED) from None


def _yaml(text: str, name: str, as_json: str = "") -> Any:
    from wiretape_replay.openapi.yaml_text import load_yaml

    try:
        return load_yaml(text)
    except ValueError as error:
        raise UsageError(as_json or f"{name} is neither JSON nor YAML: {error}", "mend that line") from None
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply", _WANTED) from None


def _check_references(description: Description) -> None:
    for reference, where in _references(description.tree):
        if not reference.startswith("#"):
            raise UsageError(f'{description.name} refers to "{reference}" at #{where}, outside of the file',
                             "bundle the description into one file first")  # fmt: skip
        if reference != "#" and not reference.startswith("#/"):
            raise UsageError(f'{description.name} refers to the anchor "{reference}" at #{where}',
                             "write the reference as a JSON Pointer: #/components/schemas/NAME")  # fmt: skip
        try:
            target = description.at(reference)
        except LookupError:
            raise UsageError(f'{description.name} refers to "{reference}" at #{where}, which does not exist',
                             "mend the reference") from None  # fmt: skip
        _refuse_circle(description, target, reference, where)


def _refuse_circle(description: Description, target: Any, reference: str, where: str) -> None:
    """Schemas may hold themselves, but a reference must come to an end somewhere."""
    seen = {reference}
    while isinstance(target, dict) and isinstance(further := target.get("$ref"), str) and further.startswith("#"):
        if further in seen:
            raise UsageError(f'in {description.name}, "{reference}" at #{where} refers to itself only',
                             "mend the reference") from None  # fmt: skip
        seen.add(further)
        try:
            target = description.at(further)
        except LookupError:
            return  # told where that reference stands


def _references(tree: Json) -> Iterator[tuple[str, str]]:
    pending: list[tuple[Any, str]] = [(tree, "")]
    walked = set[int]()  # YAML aliases make one node stand in many places, even inside itself
    while pending:
        node, pointer = pending.pop()
        if not isinstance(node, dict | list) or id(node) in walked:
            continue
        walked.add(id(node))
        if isinstance(node, list):
            pending.extend((item, join(pointer, index)) for index, item in enumerate(node))
            continue
        if isinstance(reference := node.get("$ref"), str):
            yield reference, pointer
        pending.extend((item, join(pointer, str(key))) for key, item in node.items() if key not in _DATA)


def _pointer(reference: str) -> str:
    from urllib.parse import unquote

    return unquote(reference[1:])
