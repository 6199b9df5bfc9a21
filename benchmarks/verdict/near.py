"""Near-duplicates of recorded outbound requests, sent to the real mock: which answer comes, and under which label.

A request that differs from every recording in an ordinary value must miss. `exact` is right only for an equal one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from benchmarks.verdict.client import leaves
from benchmarks.verdict.recording import Recording, environment
from benchmarks.verdict.unchanged import mock_of
from benchmarks.verdict.wire import Message, ask
from wiretape_capture.jobs.events import Failed, Ready
from wiretape_capture.jobs.parent import Job, failure
from wiretape_capture.protocols.http import header
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.formats import format_of
from wiretape_replay.mock.spec import MockAnswer


@dataclass(frozen=True, slots=True)
class Call:
    """An outbound request."""

    method: str
    target: str
    body: Any = None
    why: str = ""
    tenant: str = ""
    """A header that says for whom."""

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for requests that mean the same: our own canonical form, not the product's."""
        parts = urlsplit(self.target)
        return (
            self.tenant,
            self.method,
            parts.path,
            tuple(sorted(parse_qsl(parts.query, keep_blank_values=True))),
            json.dumps(self.body, sort_keys=True),
        )


@dataclass
class WrongMocks:
    """What the mock answered to near-duplicates."""

    requests: int = 0
    missed: int = 0
    right: int = 0
    labelled: int = 0
    """Answered from another recording, labelled, where only a volatile value differs."""
    unlabelled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Requests that were recorded just so and were not answered."""


async def try_near_duplicates(recording: Recording, result: WrongMocks, limit: int) -> None:
    """Send them all to one mock and read its journal."""
    recorded = {one.sequence: call_of(one) for one in recording.outbound}
    calls = list(near_duplicates(list(recorded.values()), random.Random(f"near:{recording.app}:{recording.seed}")))[
        :limit
    ]
    journal = recording.work / "near.journal"
    spec = mock_of(recording, recording.work.parent).model_copy(update={"journal": journal})
    job = await Job.start("wiretape_replay.mock", spec, log=recording.work / "mock.log", env=environment())
    try:
        async for event in job.events():
            if isinstance(event, Failed):
                raise failure(event)
            if isinstance(event, Ready):
                await _send(int(event.endpoints["proxy"].rpartition(":")[2]), recording.services, calls)
                job.request_stop()
    finally:
        await job.close()
    answers = [MockAnswer.model_validate_json(line) for line in journal.read_bytes().splitlines()]
    assert len(answers) == len(calls), "the journal has a line for every request"
    for call, answer in zip(calls, answers, strict=True):
        _count(result, recording, recorded, call, answer)


async def _send(port: int, services: str, calls: Sequence[Call]) -> None:
    host = services.removeprefix("http://")
    for call in calls:
        body = b"" if call.body is None else json.dumps(call.body).encode()
        tenant = (("X-Tenant", call.tenant),) if call.tenant else ()
        kind = (("Content-Type", "application/json"),) if body else ()
        head = f"{call.method} {services}{call.target} HTTP/1.1"
        await ask(port, Message(head, (("Host", host), *kind, *tenant), body))


def _count(result: WrongMocks, recording: Recording, recorded: dict[int, Call], call: Call, answer: MockAnswer) -> None:
    result.requests += 1
    if answer.sequence is None and any(one.identity == call.identity for one in recorded.values()):
        result.lost.append(f"{recording.app} {recording.seed}: {call.why}: {call.method} {call.target}")
    elif answer.sequence is None:
        result.missed += 1
    elif recorded[answer.sequence].identity == call.identity:
        result.right += 1
    elif answer.tier == "normalized" and only_volatile(recorded[answer.sequence], call, list(recorded.values())):
        result.labelled += 1
    else:
        result.unlabelled.append(
            f"{recording.app} {recording.seed}: {call.why}: {call.method} {call.target} {json.dumps(call.body)} "
            f"was answered {answer.tier} by exchange {answer.sequence} {json.dumps(recorded[answer.sequence].body)}"
        )


def only_volatile(one: Call, other: Call, recorded: Sequence[Call]) -> bool:
    """Whether two requests differ in nothing but values made afresh, which no recording knows."""
    if (one.tenant, one.method, urlsplit(one.target)) != (other.tenant, other.method, urlsplit(other.target)):
        return False
    ours, theirs = dict(leaves(one.body)), dict(leaves(other.body))
    known = {str(value) for call in recorded for _, value in leaves(call.body)}
    return ours.keys() == theirs.keys() and all(
        a == b or (format_of(a) is not None and format_of(a) == format_of(b) and str(b) not in known)
        for a, b in ((ours[name], theirs[name]) for name in ours)
    )


def call_of(one: Exchange) -> Call:
    """A recorded outbound request."""
    body = json.loads(one.request.body.data) if one.request.body.data else None
    return Call(one.command, one.request.target, body, tenant=header(one.request.headers, "x-tenant") or "")


def near_duplicates(recorded: Sequence[Call], source: random.Random) -> Iterator[Call]:
    """Each recorded request with one thing changed, in many ways."""
    for index, call in enumerate(recorded):
        yield replace(call, why="as recorded")
        for target, why in _targets(call.target):
            yield replace(call, target=target, why=why)
        if call.tenant:
            yield replace(call, tenant="other", why="another tenant in a header")
        yield replace(call, method="PUT" if call.method == "POST" else "POST", why="another method")
        if isinstance(call.body, dict):
            others = [one for at, one in enumerate(recorded) if at != index and isinstance(one.body, dict)]
            for body, why in _bodies(call.body, [one.body for one in others], source):
                yield replace(call, body=body, why=why)


def _targets(target: str) -> Iterator[tuple[str, str]]:
    words = target.split("/")
    yield "/".join([*words[:2], "other", *words[3:]]), "another tenant"
    yield f"{target}{'&' if '?' in target else '?'}verbose=1", "a query parameter more"
    yield target.replace(words[3].partition("?")[0], words[3].partition("?")[0] + "x", 1), "another resource"
    if "?" in target:
        yield target.partition("?")[0], "no query"
        yield f"{target}x", "another query value"
    if len(words) > 4 and words[4]:
        head = words[4].partition("?")[0]
        yield target.replace(head, head[:-1] + ("1" if head[-1] != "1" else "2")), "another id in the path"


def _bodies(
    body: dict[str, Any], others: Sequence[dict[str, Any]], source: random.Random
) -> Iterator[tuple[dict[str, Any], str]]:
    for name, value in body.items():
        yield {key: one for key, one in body.items() if key != name}, f"{name} left out"
        yield {**body, name: None}, f"{name} null"
        same = [one[name] for one in others if name in one and one[name] != value]
        if same:
            yield {**body, name: source.choice(same)}, f"{name} of another recording"
        if isinstance(value, bool):
            yield {**body, name: not value}, f"{name} negated"
        elif isinstance(value, int):
            yield {**body, name: value + 1}, f"{name} one more"
            yield {**body, name: value * 100}, f"{name} in another unit"
            yield {**body, name: str(value)}, f"{name} as text"
        elif isinstance(value, str) and format_of(value) is None:
            yield {**body, name: value[::-1]}, f"{name} reversed"
            yield {**body, name: f"{value} "}, f"{name} with a blank"
            yield {**body, name: value.swapcase()}, f"{name} in another case"
        elif isinstance(value, str):
            fresh = "".join(source.choice("0123456789abcdef") if c in "0123456789abcdef" else c for c in value)
            yield (
                {**body, name: fresh[:14] + value[14:15] + fresh[15:19] + value[19:20] + fresh[20:]},
                f"{name} made afresh",
            )
            yield {**body, name: "x" + value}, f"{name} misspelt"
    yield {**body, "extra": True}, "a field more"
