"""Finds the operation of an OpenAPI description that a request belongs to, and what it says about an answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from wiretape_replay.leaves import join
from wiretape_replay.openapi.document import Description
from wiretape_replay.openapi.write import METHODS

_PARAMETER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Located:
    """A node of the description and where it stands."""

    node: Any
    pointer: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    template: str
    values: dict[str, str]
    """Of the path's parameters, as they were sent."""
    item: Located
    own: Located

    @property
    def name(self) -> str:
        """`GET /orders/{id}`."""
        return f"{self.method} {self.template}"


class Operations:
    """All operations of one description; where several paths fit a request, the one with most literal text is meant."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._prefixes = server_paths(description)
        paths = description.tree.get("paths") or {}
        self._paths = sorted(
            ((_pattern(template), template) for template in paths if template.startswith("/")),
            key=lambda one: (one[1].count("{"), -len(one[1]), one[1]),
        )

    def templates(self) -> list[str]:
        """Every path of the description, with the path of each server before it and without."""
        return [prefix + template for prefix in self._prefixes for _, template in self._paths]

    def find(self, method: str, target: str) -> Operation | None:
        """The operation, or None where the description has no such path or method."""
        for template, values in self._fitting(target):
            item = self._located(self._description.tree["paths"][template], join("/paths", template))
            own = item.node.get(method.lower()) if isinstance(item.node, dict) else None
            if method.lower() in METHODS and isinstance(own, dict):
                return Operation(method, template, values, item, Located(own, join(item.pointer, method.lower())))
        return None

    def documented_methods(self, target: str) -> list[str]:
        """The methods that the description has for a path; none where it does not know the path."""
        found: list[str] = []
        for template, _ in self._fitting(target):
            item = self._located(self._description.tree["paths"][template], "").node
            found += [name.upper() for name in METHODS if isinstance(item, dict) and name in item]
        return list(dict.fromkeys(found))

    def response(self, operation: Operation, status: int) -> Located | None:
        """What the operation says about a status: the code itself, its class, or `default`."""
        responses = operation.own.node.get("responses")
        if not isinstance(responses, dict):
            return None
        where = join(operation.own.pointer, "responses")
        for code in (str(status), f"{status // 100}XX", f"{status // 100}xx", "default"):
            if code in responses:
                return self._located(responses[code], join(where, code))
        return None

    def content(self, holder: Located, media: str) -> Located | None:
        """The media type object that a body falls under, the most exact one."""
        content = holder.node.get("content") if isinstance(holder.node, dict) else None
        if not isinstance(content, dict):
            return None
        for name in _media_names(media):
            for key in content:
                if key.partition(";")[0].strip().lower() == name:
                    return self._located(content[key], join(join(holder.pointer, "content"), key))
        return None

    def parameters(self, operation: Operation) -> list[Located]:
        """The parameters of the path and the operation, the latter winning."""
        found: dict[tuple[str, str], Located] = {}
        for holder in (operation.item, operation.own):
            listed = holder.node.get("parameters")
            for index, node in enumerate(listed if isinstance(listed, list) else ()):
                each = self._located(node, join(join(holder.pointer, "parameters"), index))
                if isinstance(each.node, dict):
                    found[str(each.node.get("name")), str(each.node.get("in"))] = each
        return list(found.values())

    def request_body(self, operation: Operation) -> Located | None:
        """What the operation says about the body of a request."""
        node = operation.own.node.get("requestBody")
        return self._located(node, join(operation.own.pointer, "requestBody")) if isinstance(node, dict) else None

    def headers(self, response: Located) -> Iterator[tuple[str, Located]]:
        """The headers that a response has, in lower case."""
        headers = response.node.get("headers") if isinstance(response.node, dict) else None
        for name, node in (headers if isinstance(headers, dict) else {}).items():
            yield name.lower(), self._located(node, join(join(response.pointer, "headers"), name))

    def _fitting(self, target: str) -> Iterator[tuple[str, dict[str, str]]]:
        path = target.partition("?")[0].partition("#")[0]
        for prefix in self._prefixes:
            if path.startswith(prefix):
                for pattern, template in self._paths:
                    rest = path[len(prefix) :]
                    if found := pattern.fullmatch(rest) or pattern.fullmatch(unquote(rest)):
                        yield template, dict(zip(_PARAMETER.findall(template), found.groups(), strict=True))

    def _located(self, node: Any, pointer: str) -> Located:
        return Located(*self._description.resolved(node, pointer))


def server_paths(description: Description) -> list[str]:
    """The paths of the servers, the longest first, and none: a gateway may have taken it off."""
    return sorted({*_prefixes(description.tree), ""}, key=len, reverse=True)


def _prefixes(tree: dict[str, Any]) -> Iterator[str]:
    servers = tree.get("servers")
    for server in servers if isinstance(servers, list) else ():
        if isinstance(server, dict) and isinstance(url := server.get("url"), str):
            variables = server.get("variables") or {}
            for name in _PARAMETER.findall(url):
                url = url.replace(f"{{{name}}}", str(variables.get(name, {}).get("default", name)))
            yield urlsplit(url).path.rstrip("/")


def _pattern(template: str) -> re.Pattern[str]:
    pieces = _PARAMETER.split(template)
    return re.compile("".join("([^/]+)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)))


def _media_names(media: str) -> list[str]:
    kind, _, sub = media.partition("/")
    suffix = [f"application/{sub.rpartition('+')[2]}"] if "+" in sub else []
    return [media, *suffix, f"{kind}/*", "*/*"]
