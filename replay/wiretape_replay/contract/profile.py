"""The contract that recordings imply: for each route what was sent to it and, by status, what it answered, with counts.

Contracts merge in any order, so recordings can be profiled in parts and several snapshots put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from pydantic import JsonValue

from wiretape_capture.protocols.http import media_type
from wiretape_capture.snapshot.exchange import Body, Exchange, Headers, Protocol
from wiretape_replay.content import read_content
from wiretape_replay.contract.answers import STRUCTURED, Answers, Requests
from wiretape_replay.contract.check import ENOUGH, Violation, check
from wiretape_replay.contract.fold import folded
from wiretape_replay.contract.leaf import Profile
from wiretape_replay.routes import RouteTable
from wiretape_replay.verdict.model import Part

type Place = tuple[str, int]
"""Route and status."""


@dataclass(slots=True)
class Contract:
    """The contract of all routes."""

    requests: dict[str, Requests] = field(default_factory=dict)
    answers: dict[Place, Answers] = field(default_factory=dict)
    _read: dict[Place, Profile] = field(default_factory=dict, compare=False, repr=False)
    """Bodies with objects keyed by data folded, as far as they were asked for."""

    @classmethod
    def infer(cls, exchanges: Iterable[Exchange], routes: RouteTable) -> Self:
        """From recorded exchanges; requests that were refused say nothing about what may be sent."""
        contract = cls()
        for each in exchanges:
            if each.response is None or each.protocol is not Protocol.HTTP:
                continue
            route = routes.route(each.command, each.request.target)
            status = each.response.status
            contract.answers.setdefault((route, status), Answers()).add(each.response.headers, each.response.body)
            if status < 400:
                contract.requests.setdefault(route, Requests()).add(each.request, route)
        return contract

    def merge(self, other: Contract) -> None:
        """Add what another recording implies."""
        self._read.clear()
        for place, answers in other.answers.items():
            self.answers.setdefault(place, Answers()).merge(answers)
        for route, requests in other.requests.items():
            self.requests.setdefault(route, Requests()).merge(requests)

    @property
    def routes(self) -> list[str]:
        """Every route, by path and method."""
        return sorted({route for route, _ in self.answers}, key=lambda route: route.partition(" ")[::-1])

    def statuses(self, route: str) -> Counter[int]:
        """How often a route answered with each status."""
        return Counter({status: answers.count for (name, status), answers in self.answers.items() if name == route})

    def body(self, route: str, status: int) -> Profile:
        """What was seen of structured bodies, objects keyed by data folded."""
        place = route, status
        if place not in self._read:
            self._read[place] = folded(self.answers[place].body) if place in self.answers else Profile()
        return self._read[place]

    def check(self, route: str, status: int, body: JsonValue) -> list[Violation]:
        """How a live answer breaks the contract; nothing is known of a route that was not recorded."""
        if (route, status) not in self.answers:
            return list(self._new_status(route, status))
        profile = self.body(route, status)
        return check(profile, body) if profile.seen else []

    def check_response(self, route: str, status: int, headers: Headers, body: Body) -> list[Violation]:
        """The same for a response as it came, with its headers; a body without structure has no leaves to check."""
        answers = self.answers.get((route, status))
        if answers is None:
            return list(self._new_status(route, status))
        found = [*_media(answers, media_type(headers), body), *_headers(answers, headers)]
        content = read_content(headers, body)
        return [*found, *(self.check(route, status, content.tree) if content.kind in STRUCTURED else ())]

    def _new_status(self, route: str, status: int) -> Iterator[Violation]:
        if statuses := self.statuses(route):
            seen = ", ".join(f"{each} in {count}" for each, count in sorted(statuses.items()))
            evidence = f"status {seen} of {statuses.total()} recorded answers"
            yield Violation("", "", "status-new", " or ".join(map(str, sorted(statuses))), str(status), evidence,
                            part=Part.STATUS, breaking=status >= 400 > min(statuses))  # fmt: skip


def _media(answers: Answers, media: str, body: Body) -> Iterator[Violation]:
    if body.size and answers.media and media not in answers.media:
        known = sorted(answers.media)
        evidence = ", ".join(f"{name or 'none'} in {answers.media[name]}" for name in known)
        yield Violation("content-type", "content-type", "content-type-changed", " or ".join(known) or "none",
                        media or "none", f"{evidence} of {answers.media.total()} recorded answers with a body",
                        part=Part.HEADER)  # fmt: skip


def _headers(answers: Answers, headers: Headers) -> Iterator[Violation]:
    present = {name.lower() for name, _ in headers}
    for name, profile in answers.headers.members.items():
        if profile.seen == answers.count >= ENOUGH and name not in present and name != "*":
            evidence = f"present in {profile.seen} of {answers.count} recorded answers"
            yield Violation(name, name, "header-missing", "present", "missing", evidence, part=Part.HEADER)
