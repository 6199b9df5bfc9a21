"""Edits JSON with comments and trailing commas, and leaves every byte alone that an edit does not need. Pure.

No library on PyPI both reads comments and writes back all bytes around a change, so this one finds the places of keys
and values and splices text in there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

type Step = str | int
DEEPEST = 200
LONGEST_LIST = 80
"""Characters."""

_TRIVIA = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_SAME_LINE = re.compile(r"[ \t]*(?:/\*[^\r\n]*?\*/[ \t]*)*(?://[^\r\n]*)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"[^\s,:\[\]{}\"/]+")


class NotJson(ValueError):
    """The text is not JSON with comments; `line` and `column` count from 1."""

    def __init__(self, what: str, text: str, at: int) -> None:
        super().__init__(what)
        self.what = what
        self.line = text.count("\n", 0, at) + 1
        self.column = at - (text.rfind("\n", 0, at) + 1) + 1


@dataclass
class Node:
    """A value with its place; an object's and an array's items in order."""

    start: int
    end: int
    kind: str
    """`object`, `array` or `scalar`."""
    scalar: Any = None
    items: list[Item] = field(default_factory=list)

    @property
    def value(self) -> Any:
        """What Python's json would have read; the last of equal keys counts."""
        if self.kind == "object":
            return {item.key: item.node.value for item in self.items}
        return [item.node.value for item in self.items] if self.kind == "array" else self.scalar

    def child(self, step: Step) -> Item | None:
        """The member or element that `step` names."""
        if self.kind == "array" and isinstance(step, int):
            return self.items[step] if 0 <= step < len(self.items) else None
        matching = [item for item in self.items if item.key == step] if self.kind == "object" else []
        return matching[-1] if matching else None


@dataclass
class Item:
    """A member of an object or an element of an array."""

    start: int
    node: Node
    key: str = ""
    comma: int | None = None
    """Where the comma behind it stands."""


def parse(text: str) -> Node:
    """The text's one value."""
    reader = _Reader(text)
    node = reader.value(reader.skip(0), 0)
    end = reader.skip(node.end)
    if end < len(text):
        reader.fail("something follows the end of the value", end)
    return node


def find(node: Node, path: Sequence[Step]) -> Node | None:
    """The node at `path`."""
    for step in path:
        item = node.child(step)
        if item is None:
            return None
        node = item.node
    return node


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The text with `value` at `path`: replaced, or as the last member with whatever objects it needs around it."""
    if not text.strip():
        text = "{}" + _newline(text)
    root = node = parse(text)
    for depth, key in enumerate(path):
        if node.kind != "object":
            raise TypeError(f"{'.'.join(path[:depth]) or 'the whole file'} is not an object")
        item = node.child(key)
        if item is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _insert(text, root, node, json.dumps(key, ensure_ascii=False) + ": ", value)
        node = item.node
    written = _written(value, _Style.of(text, root), _indent_at(text, node.start), inline="\n" not in text)
    return text[: node.start] + written + text[node.end :]


def append(text: str, path: Sequence[str], value: Any) -> str:
    """The text with `value` as the last element of the array at `path`, which is made where there is none."""
    root = parse(text) if text.strip() else None
    node = find(root, path) if root else None
    if root is None or node is None:
        return put(text, path, [value])
    if node.kind != "array":
        raise TypeError(f"{'.'.join(path)} is not an array")
    return _insert(text, root, node, "", value)


def take(text: str, path: Sequence[Step]) -> str:
    """The text without the item at `path`. Comments stay, and a container that becomes empty is closed up."""
    node = find(parse(text), path[:-1])
    item = node.child(path[-1]) if node else None
    if node is None or item is None:
        return text
    place = node.items.index(item)
    before = node.items[place - 1] if place else None
    rest = text[item.node.end :]
    if item.comma is not None:
        between = text[item.node.end : item.comma]
        rest = (between if between.strip() else "") + text[item.comma + 1 :]
    behind = node.start + 1 if before is None else before.node.end if before.comma is None else before.comma + 1
    result = text[: _start_of_cut(text, behind, item.start, rest)] + rest
    if before and before.comma is not None and item.comma is None:
        result = result[: before.comma] + result[before.comma + 1 :]
    if len(node.items) == 1:
        closing = node.end - (len(text) - len(result)) - 1
        if not result[node.start + 1 : closing].strip():
            result = result[: node.start + 1] + result[closing:]
    return result


def _start_of_cut(text: str, behind: int, start: int, following: str) -> int:
    """Where to cut before an item: its line break goes too, unless a comment before it would swallow what follows."""
    newline = _own_line_start(text, start)
    if newline is None:
        return behind + len(text[behind:start].rstrip(" \t"))
    rest = following.partition("\n")[0].strip()
    return start if rest and not rest.startswith("//") and "//" in text[behind:start] else newline


@dataclass(frozen=True)
class _Style:
    unit: str
    newline: str

    @classmethod
    def of(cls, text: str, root: Node) -> _Style:
        indent = _indent_at(text, root.items[0].start) if root.items else ""
        return cls(indent or "  ", _newline(text))


def _insert(text: str, root: Node, node: Node, label: str, value: Any) -> str:
    style = _Style.of(text, root)
    outer = _indent_at(text, node.start)
    if not node.items:
        return _insert_first(text, node, style, outer, label, value)
    last = node.items[-1]
    own_lines = _own_line_start(text, last.start) is not None
    at = last.node.end if last.comma is None else last.comma + 1
    comma = "" if last.comma is None else ","
    if not own_lines:
        written = ("" if last.comma is None else " ") + label + _written(value, style, outer, inline=True)
        return text[:at] + ("" if comma else ", ") + written + comma + text[at:]
    indent = _indent_at(text, last.start)
    # What is said about the last item on its own line stays on that line.
    line_end = _SAME_LINE.match(text, at)
    assert line_end is not None
    place = line_end.end()
    added = style.newline + indent + label + _written(value, style, indent, inline=False) + comma
    return text[:at] + ("" if comma else ",") + text[at:place] + added + text[place:]


def _insert_first(text: str, node: Node, style: _Style, outer: str, label: str, value: Any) -> str:
    inner = text[node.start + 1 : node.end - 1]
    inline = "\n" not in text.strip() and bool(text[: node.start].strip() or text[node.end :].strip())
    if inline and not inner.strip():
        written = label + _written(value, style, outer, inline=True)
        return text[: node.start + 1] + written + text[node.end - 1 :]
    indent = outer + style.unit
    written = style.newline + indent + label + _written(value, style, indent, inline=False) + style.newline + outer
    return text[: node.start + 1] + inner.rstrip() + written + text[node.end - 1 :]


def _written(value: Any, style: _Style, indent: str, *, inline: bool) -> str:
    """A short list of plain values stays on its line, as people write it."""
    if inline or not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        flat = json.dumps(value, ensure_ascii=False)
        if len(flat) <= LONGEST_LIST:
            return flat
    inner = indent + style.unit
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    labelled = ([(f"{json.dumps(key, ensure_ascii=False)}: ", each) for key, each in value.items()]
                if isinstance(value, dict) else [("", each) for each in value])  # fmt: skip
    lines = [f"{inner}{label}{_written(each, style, inner, inline=False)}" for label, each in labelled]
    return opening + style.newline + f",{style.newline}".join(lines) + style.newline + indent + closing


def document(value: Any) -> str:
    """A new file that holds `value`, as the edits of this module would have written it."""
    return _written(value, _Style("  ", "\n"), "", inline=False) + "\n"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent_at(text: str, at: int) -> str:
    """The white space that the line of `at` begins with."""
    start = text.rfind("\n", 0, at) + 1
    found = re.compile(r"[ \t]*").match(text, start)
    assert found is not None
    return found[0][: at - start]


def _own_line_start(text: str, at: int) -> int | None:
    """Where the line break before `at` begins, if nothing but white space is between."""
    newline = text.rfind("\n", 0, at)
    if newline < 0 or text[newline + 1 : at].strip(" \t"):
        return None
    return newline - 1 if newline and text[newline - 1] == "\r" else newline


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def fail(self, what: str, at: int) -> NoReturn:
        raise NotJson(what, self._text, at)

    def skip(self, at: int) -> int:
        found = _TRIVIA.match(self._text, at)
        assert found is not None
        if self._text.startswith("/*", found.end()):
            self.fail("a comment is not closed", found.end())
        return found.end()

    def value(self, at: int, depth: int) -> Node:
        if depth > DEEPEST:
            self.fail(f"it is nested more than {DEEPEST} deep", at)
        first = self._text[at : at + 1]
        if first in ("{", "["):
            return self._container(at, depth, "object" if first == "{" else "array")
        end = self._string_end(at) if first == '"' else self._word_end(at)
        try:
            return Node(at, end, "scalar", json.loads(self._text[at:end], parse_constant=self._no_constant))
        except ValueError:
            self.fail(f"{self._text[at:end][:40]} is not a value", at)

    def _container(self, at: int, depth: int, kind: str) -> Node:
        node, closing = Node(at, at, kind), "}" if kind == "object" else "]"
        position = self.skip(at + 1)
        while self._text[position : position + 1] != closing:
            if node.items and node.items[-1].comma is None:
                self.fail(f"a comma or {closing} is missing" if position < len(self._text) else
                          f"{closing} is missing at the end", position)  # fmt: skip
            item = self._item(position, depth, kind)
            node.items.append(item)
            position = self.skip(item.node.end)
            if self._text[position : position + 1] == ",":
                item.comma = position
                position = self.skip(position + 1)
        node.end = position + 1
        return node

    def _item(self, at: int, depth: int, kind: str) -> Item:
        if at >= len(self._text):
            self.fail(f"{'}' if kind == 'object' else ']'} is missing at the end", at)
        if kind == "array":
            return Item(at, self.value(at, depth + 1))
        if self._text[at] != '"':
            self.fail("a key in double quotes is missing", at)
        end = self._string_end(at)
        try:
            key: str = json.loads(self._text[at:end])
        except ValueError:
            self.fail("the key has a wrong escape", at)
        colon = self.skip(end)
        if self._text[colon : colon + 1] != ":":
            self.fail("a colon is missing", colon)
        return Item(at, self.value(self.skip(colon + 1), depth + 1), key)

    def _string_end(self, at: int) -> int:
        found = _STRING.match(self._text, at)
        if found is None:
            self.fail("the string is not closed on its line", at)
        return found.end()

    def _word_end(self, at: int) -> int:
        found = _WORD.match(self._text, at)
        if found is None:
            self.fail("a value is missing", at)
        return found.end()

    @staticmethod
    def _no_constant(name: str) -> NoReturn:
        raise ValueError(name)
