"""A script written for a load tool that teams already run: k6, Locust, vegeta. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from wiretape_replay.scripts.script import Script, Step


def k6(script: Script, file: str, _target: str) -> str:
    """A JavaScript file for `k6 run`."""
    return _filled("k6.js.txt", script, file, _in_javascript)


def locust(script: Script, file: str, _target: str) -> str:
    """A Python file for `locust -f`."""
    return _filled("locust.py.txt", script, file, _in_raw_string)


def vegeta(script: Script, _file: str, target: str) -> str:
    """Targets as JSON lines for `vegeta attack -format=json`: nothing is followed, so values are as recorded."""
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in _targets(script, target))


@dataclass(frozen=True, slots=True)
class Format:
    """One load tool's form."""

    ending: str
    write: Callable[[Script, str, str], str]
    """From the script, the file's name, and the base URL where the form has one."""
    follows: bool
    """Whether it can take values from answers."""


FORMATS: Mapping[str, Format] = {
    "k6": Format(".k6.js", k6, follows=True),
    "locust": Format(".locust.py", locust, follows=True),
    "vegeta": Format(".vegeta.jsonl", vegeta, follows=False),
}


def _filled(template: str, script: Script, file: str, written: Callable[[object], str]) -> str:
    text = files(__package__).joinpath(template).read_text()
    spots = {
        "@SNAPSHOT@": script.snapshot, "@FILE@": file,
        "@SESSIONS@": written(script.as_json()), "@FRESH@": written(script.fresh),
    }  # fmt: skip
    for spot, value in spots.items():
        text = text.replace(spot, value)
    return text


def _in_javascript(value: object) -> str:
    """JSON is JavaScript since ES2019; escaped to ASCII, nothing in it ends a line or a script element."""
    return json.dumps(value, indent=1)


def _in_raw_string(value: object) -> str:
    """JSON between the triple quotes of a raw string: it never has three quotes in a row without a backslash."""
    return json.dumps(value, indent=1)


def _targets(script: Script, target: str) -> Iterator[dict[str, object]]:
    for step in script.in_order:
        yield _target(step, target)


def _target(step: Step, target: str) -> dict[str, object]:
    headers: dict[str, list[str]] = {}
    for name, value in step.headers:
        headers.setdefault(name, []).append(value)
    body = step.body if step.encoding == "base64" else base64.b64encode(step.body.encode()).decode()
    line: dict[str, object] = {"method": step.method, "url": target + step.target}
    return line | ({"header": headers} if headers else {}) | ({"body": body} if body else {})
