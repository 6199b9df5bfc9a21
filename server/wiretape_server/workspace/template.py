"""The text of a new `wiretape.toml`: what was guessed, and every other key with its default as a comment. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from wiretape_server.workspace.config import Config, known_keys
from wiretape_server.workspace.guess import Guess

HEADER = """\
# How wiretape starts, records, mocks and replays this project.
# Every key has a flag of the same meaning, and flags win. More about each: docs/configuration.md
"""

WITHOUT_DEFAULT = {
    "app.start": "true", "app.port": "8000", "record.listen": "7080", "record.proxy_port": "7090",
    "mock.proxy_port": "7090", "replay.mock": "true",
    "replay.baseline_port": "8001", "replay.baseline_runs": "3", "load.workers": "2",
}  # fmt: skip
"""Examples for keys that are unset by default."""


def project_file(guess: Guess) -> str:
    """A commented `wiretape.toml`."""
    values: dict[str, Any] = {}
    if guess.command:
        values["app.command"] = list(guess.command)
    if guess.port:
        values["app.port"] = guess.port
    tables: dict[str, list[str]] = {"": []}
    for key, description in known_keys().items():
        if key in ("services", "noise"):
            tables[key] = _services(guess, description) if key == "services" else _noise(description)
            continue
        section, _, leaf = key.rpartition(".")
        lines = tables.setdefault(section, [])
        lines += [*_comment(description), _line(key, leaf, values), ""]
    return HEADER + "".join(_table(name, lines) for name, lines in tables.items())


def _table(name: str, lines: list[str]) -> str:
    header = "" if name in ("", "noise") else f"[{name}]\n"
    return f"\n{header}" + "\n".join(lines).rstrip("\n") + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 98, initial_indent="# ", subsequent_indent="# ")


def _line(key: str, leaf: str, values: dict[str, Any]) -> str:
    if key in values:
        return f"{leaf} = {json.dumps(values[key])}"
    return f"# {leaf} = {WITHOUT_DEFAULT.get(key) or _toml(_default(key))}"


def _default(key: str) -> Any:
    value: Any = Config()
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _toml(value: Any) -> str:
    """TOML spells strings, numbers, booleans and lists of strings as JSON does; tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }" if value else "{}"
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _services(guess: Guess, description: str) -> list[str]:
    found = [f"{name} = {json.dumps(url)}  # {guess.sources.get(name, '')}" for name, url in guess.services.items()]
    return [*_comment(description), *(found or ['# payments = "https://api.example.com"'])]


def _noise(description: str) -> list[str]:
    example = ["[[noise]]", 'route = "GET /orders/{id}"', 'pointer = "/served_by"', 'reason = "host name"']
    return [*_comment(description), *(f"# {line}" for line in example)]


def guessed_lines(guess: Guess) -> Iterator[tuple[str, str, str]]:
    """What was guessed: key, value, and where it was read."""
    if guess.command:
        yield "app.command", " ".join(guess.command), guess.sources.get("command", "")
    if guess.port:
        yield "app.port", str(guess.port), guess.sources.get("port", "")
    for name, url in guess.services.items():
        yield f"services.{name}", url, guess.sources.get(name, "")
