"""The client whose traffic is recorded. It notes where each value that it sends came from: the true bindings."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

STEP_HEADER = "X-Bench-Step"
"""Names a request in the recording and in every replay of it; nothing in wiretape looks at it."""


class Taken(str):
    """Text that came from an answer."""

    step: int


class TakenNumber(int):
    """A number that came from an answer."""

    step: int


@dataclass(frozen=True, slots=True)
class TrueEdge:
    """One value on its way from an answer to a request."""

    producer: int
    consumer: int
    part: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    step: int
    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.data)

    def take(self, pointer: str) -> Any:
        """A value of the body, which remembers that it came from here."""
        value = self.json
        for key in pointer.split("/")[1:]:
            value = value[int(key)] if isinstance(value, list) else value[key]
        return taken(value, self.step)

    def between(self, before: str, after: str) -> Any:
        """Text of the body, which remembers that it came from here."""
        return taken(self.data.decode().partition(before)[2].partition(after)[0], self.step)


def taken(value: Any, step: int) -> Any:
    """The value with its origin; null stays null."""
    if value is None:
        return None
    marked = TakenNumber(value) if isinstance(value, int) else Taken(value)
    marked.step = step
    return marked


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """All scalars of a JSON value with their pointers."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from leaves(member, f"{pointer}/{index}")
    else:
        yield pointer, value


@dataclass
class Journey:
    """One recording's client: its users share the numbering of steps."""

    port: int
    random: random.Random
    edges: list[TrueEdge] = field(default_factory=list)
    steps: int = 0
    users: list[User] = field(default_factory=list)

    def user(self, **headers: str) -> User:
        """A user with a connection of their own."""
        user = User(self, headers)
        self.users.append(user)
        return user

    def close(self) -> None:
        """Close every connection."""
        for user in self.users:
            user.connection.close()


class User:
    """One user: headers for every request, and cookies."""

    def __init__(self, journey: Journey, headers: dict[str, str]) -> None:
        self.journey = journey
        self.headers: dict[str, Any] = dict(headers)
        self.cookies: dict[str, Any] = {}
        self.connection = http.client.HTTPConnection("127.0.0.1", journey.port, timeout=20)

    def get(self, template: str, *values: Any, **headers: Any) -> Reply:
        """GET; each `{}` of the template is a path segment or a query value."""
        return self.send("GET", template, *values, **headers)

    def post(self, template: str, *values: Any, body: Any = None, **headers: Any) -> Reply:
        """POST JSON."""
        return self.send("POST", template, *values, body=body, **headers)

    def send(
        self, method: str, template: str, *values: Any, body: Any = None, form: Any = None, **headers: Any
    ) -> Reply:
        """Send one request. A header may be a pair: its constant beginning and a value that was taken."""
        self.journey.steps += 1
        step = self.journey.steps
        target = self._target(step, template, values)
        fields = {"Accept": "application/json", STEP_HEADER: str(step), **self._fields(step, headers)}
        data = None
        if body is not None or form is not None:
            for pointer, value in leaves(form if form is not None else body):
                self._edge(step, "body", pointer, value)
            data = urlencode(form).encode() if form is not None else json.dumps(body).encode()
            fields["Content-Type"] = "application/x-www-form-urlencoded" if form is not None else "application/json"
        self.connection.request(method, target, data, fields)
        answer = self.connection.getresponse()
        reply = Reply(step, answer.status, dict(answer.getheaders()), answer.read())
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, rest = value.partition("=")
                self.cookies[cookie] = taken(rest.partition(";")[0], step)
        return reply

    def _target(self, step: int, template: str, values: tuple[Any, ...]) -> str:
        path, _, query = template.partition("?")
        left = iter(values)
        segments = []
        for index, segment in enumerate(path.split("/")):
            value = next(left) if segment == "{}" else segment
            self._edge(step, "path", str(index), value)
            segments.append(quote(str(value), safe=""))
        pairs = [pair.split("=") for pair in query.split("&") if pair]
        filled = [(name, next(left) if value == "{}" else value) for name, value in pairs]
        for name, value in filled:
            self._edge(step, "query", name, value)
        return "/".join(segments) + (f"?{urlencode(filled)}" if filled else "")

    def _fields(self, step: int, more: Mapping[str, Any]) -> dict[str, str]:
        fields = {}
        for name, value in {**self.headers, **more}.items():
            beginning, rest = value if isinstance(value, tuple) else ("", value)
            self._edge(step, "header", name.replace("_", "-").lower(), rest)
            fields[name.replace("_", "-")] = f"{beginning}{rest}"
        for name, value in self.cookies.items():
            self._edge(step, "cookie", name, value)
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return fields

    def _edge(self, step: int, part: str, name: str, value: Any) -> None:
        if isinstance(value, Taken | TakenNumber):
            self.journey.edges.append(TrueEdge(value.step, step, part, name, str(value)))
