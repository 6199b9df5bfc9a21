"""One change of one file, and how to see and undo it. Pure: texts in, texts out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import tomlkit

from wiretape_server.agents import jsonc
from wiretape_server.agents.texts import END, stamp, stamped_file, stamped_section


class State(StrEnum):
    """What of ours a text holds."""

    ABSENT = "absent"
    SAME = "same"
    OLD = "old"
    """As an earlier wiretape wrote it."""
    CHANGED = "changed"
    """Somebody changed it since."""


class Edit(Protocol):
    """Puts one thing into a text and takes it out again."""

    def state(self, text: str) -> State:
        """What of this edit's is there."""

    def put(self, text: str) -> str:
        """The text with it, replacing what is there."""

    def take(self, text: str) -> str:
        """The text without it."""

    def held(self, text: str) -> str:
        """What is there, to be shown."""


_OURS = re.compile(r"wiretape(?:_server)? hook\b")


class CannotEdit(ValueError):
    """The text is valid but has something else where our part belongs."""


@dataclass(frozen=True)
class JsonEntry:
    """A server in a JSON file."""

    path: tuple[str, ...]
    value: Mapping[str, Any]
    around: Mapping[str, Any]

    def state(self, text: str) -> State:
        if not text.strip():
            return State.ABSENT
        node = jsonc.find(jsonc.parse(text), self.path)
        return State.ABSENT if node is None else State.SAME if node.value == self.value else State.CHANGED

    def put(self, text: str) -> str:
        if not text.strip() and self.around:
            text = jsonc.document(dict(self.around))
        return jsonc.put(text, self.path, dict(self.value))

    def take(self, text: str) -> str:
        text = jsonc.take(text, self.path)
        return _without_empty(text, self.path[:-1])

    def held(self, text: str) -> str:
        node = jsonc.find(jsonc.parse(text), self.path)
        return text[node.start : node.end] if node else ""


@dataclass(frozen=True)
class JsonElement:
    """A hook in the list of its event. Ours is known by its command."""

    path: tuple[str, ...]
    value: Mapping[str, Any]
    around: Mapping[str, Any]

    def _places(self, text: str) -> list[tuple[int, Any]]:
        node = jsonc.find(jsonc.parse(text), self.path) if text.strip() else None
        values = node.value if node and node.kind == "array" else []
        return [(index, each) for index, each in enumerate(values) if _OURS.search(_commands(each))]

    def state(self, text: str) -> State:
        places = self._places(text)
        if not places:
            return State.ABSENT
        return State.SAME if [each for _, each in places] == [self.value] else State.CHANGED

    def put(self, text: str) -> str:
        if not text.strip() and self.around:
            text = jsonc.document(dict(self.around))
        return jsonc.append(self._cut(text), self.path, dict(self.value))

    def take(self, text: str) -> str:
        return _without_empty(self._cut(text), self.path)

    def _cut(self, text: str) -> str:
        for index, _ in reversed(self._places(text)):
            text = jsonc.take(text, [*self.path, index])
        return text

    def held(self, text: str) -> str:
        root = jsonc.parse(text)
        nodes = [jsonc.find(root, [*self.path, index]) for index, _ in self._places(text)]
        return "\n".join(text[node.start : node.end] for node in nodes if node)


@dataclass(frozen=True)
class TomlTable:
    """A server in a TOML file."""

    path: tuple[str, str]
    value: Mapping[str, Any]

    def state(self, text: str) -> State:
        section = tomllib.loads(_lf(text)).get(self.path[0], {})
        if not isinstance(section, dict) or self.path[1] not in section:
            return State.ABSENT
        return State.SAME if section[self.path[1]] == self.value else State.CHANGED

    def put(self, text: str) -> str:
        before = tomllib.loads(_lf(text))
        if not isinstance(before.get(self.path[0], {}), dict):
            raise CannotEdit(f"{self.path[0]} is not a table")
        wanted = {**before, self.path[0]: {**before.get(self.path[0], {}), self.path[1]: dict(self.value)}}
        if self.state(text) is State.ABSENT and _reads_as(text + self._block(text), wanted):
            return text + self._block(text)
        document = tomlkit.parse(text)
        section: Any = document.setdefault(self.path[0], tomlkit.table(is_super_table=True))
        section[self.path[1]] = dict(self.value)
        return _checked(tomlkit.dumps(document), wanted)

    def take(self, text: str) -> str:
        block = self._block("x\n" if "\r\n" not in text else "x\r\n")
        for ours in (block, block.lstrip("\r\n")):
            if text.endswith(ours) and self.state(text[: -len(ours)]) is State.ABSENT:
                return text[: -len(ours)]
        wanted = tomllib.loads(_lf(text))
        del wanted[self.path[0]][self.path[1]]
        document = tomlkit.parse(text)
        section: Any = document[self.path[0]]
        del section[self.path[1]]
        if not wanted[self.path[0]]:
            del wanted[self.path[0]], document[self.path[0]]
        return _checked(tomlkit.dumps(document), wanted)

    def _block(self, text: str) -> str:
        """The table as text, with what separates it from the text before."""
        table = tomlkit.dumps({self.path[0]: {self.path[1]: dict(self.value)}})
        newline = "\r\n" if "\r\n" in text else "\n"
        separator = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return (separator + table).replace("\n", newline)

    def held(self, text: str) -> str:
        section: dict[str, Any] = tomllib.loads(_lf(text))[self.path[0]][self.path[1]]
        return tomlkit.dumps({self.path[0]: {self.path[1]: section}})


@dataclass(frozen=True)
class Section:
    """Marked lines in a text that others write too."""

    content: str

    _MARKED = re.compile(r"<!-- wiretape:begin (\w+) -->(.*?)<!-- wiretape:end -->", re.DOTALL)

    def state(self, text: str) -> State:
        found = self._MARKED.search(text)
        if not found:
            if "<!-- wiretape:begin" in text or END in text:
                raise CannotEdit(
                    "only one of the two marks <!-- wiretape:begin … --> and <!-- wiretape:end --> is there"
                )
            return State.ABSENT
        if _lf(found[0]) == stamped_section(self.content):
            return State.SAME
        return State.OLD if stamp(_lf(found[2]).strip("\n")) == found[1] else State.CHANGED

    def put(self, text: str) -> str:
        newline = "\r\n" if "\r\n" in text else "\n"
        section = stamped_section(self.content).replace("\n", newline)
        if found := self._MARKED.search(text):
            return text[: found.start()] + section + text[found.end() :]
        gap = "" if not text else newline if text.endswith(newline) else newline * 2
        return text + gap + section + newline

    def take(self, text: str) -> str:
        found = self._MARKED.search(text)
        if not found:
            return text
        before, after = text[: found.start()], text[found.end() :]
        newline = "\r\n" if "\r\n" in text else "\n"
        return before.removesuffix(newline) + after.removeprefix(newline)

    def held(self, text: str) -> str:
        found = self._MARKED.search(text)
        return found[0] if found else ""


@dataclass(frozen=True)
class WholeFile:
    """A file of our own."""

    content: str

    _STAMP = re.compile(r"\n<!-- wiretape:file (\w+) -->\s*\Z")

    def state(self, text: str) -> State:
        if not text:
            return State.ABSENT
        if _lf(text) == stamped_file(self.content):
            return State.SAME
        found = self._STAMP.search(_lf(text))
        written = found is not None and stamp(_lf(text)[: found.start()]) == found[1]
        return State.OLD if written else State.CHANGED

    def put(self, text: str) -> str:  # noqa: ARG002 - all of it is ours
        return stamped_file(self.content)

    def take(self, text: str) -> str:  # noqa: ARG002 - all of it is ours
        return ""

    def held(self, text: str) -> str:
        return text


def put_all(edits: Sequence[Edit], text: str) -> str:
    """The text with all edits; one that is there already changes nothing."""
    for edit in edits:
        if edit.state(text) is not State.SAME:
            text = edit.put(text)
    return text


def take_all(edits: Sequence[Edit], text: str, backup: str | None) -> str:
    """The text without the edits: the backup itself where the text is just what they made of it."""
    present = [edit for edit in edits if edit.state(text) is not State.ABSENT]
    # With a backup there was a file before; without one an install may have made all of it.
    before = "" if backup is None else backup
    if present and _made_of(present, before, text):
        return before
    for edit in reversed(present):
        text = edit.take(text)
    return text


def _made_of(edits: Sequence[Edit], before: str, after: str) -> bool:
    try:
        untouched = all(edit.state(before) is State.ABSENT for edit in edits)
        return untouched and put_all(edits, before) == after
    except (ValueError, TypeError):
        return False


def _without_empty(text: str, path: Sequence[str]) -> str:
    """Close up containers that hold nothing any more: an install had made them."""
    for depth in range(len(path), 0, -1):
        node = jsonc.find(jsonc.parse(text), path[:depth])
        if node is None or node.items or text[node.start + 1 : node.end - 1].strip():
            break
        text = jsonc.take(text, path[:depth])
    return text


def _commands(element: Any) -> str:
    """All commands that a hook's element names."""
    if isinstance(element, dict):
        own = element.get("command")
        return "\n".join([own if isinstance(own, str) else "", *(_commands(each) for each in element.values())])
    return "\n".join(_commands(each) for each in element) if isinstance(element, list) else ""


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def _reads_as(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(_lf(text)) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    if not _reads_as(text, wanted):
        raise CannotEdit("its tables are written in a way that cannot be edited safely")
    return text
