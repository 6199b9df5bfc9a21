"""Faults in what the app sends to its dependency, made on the way from the app to the mock."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.verdict.faults import Fault
from benchmarks.verdict.wire import Forward, Message
from wiretape_capture.snapshot.exchange import Exchange


def call_faults(outbound: Sequence[Exchange], source: random.Random, size: int) -> list[Fault]:
    """So many faults, of all kinds in turn."""
    possible = list(_possible(outbound))
    source.shuffle(possible)
    by_kind: dict[str, list[Fault]] = {}
    for fault in possible:
        by_kind.setdefault(fault.kind, []).append(fault)
    chosen: list[Fault] = []
    while len(chosen) < size and any(by_kind.values()):
        for kind in sorted(by_kind):
            if by_kind[kind] and len(chosen) < size:
                chosen.append(by_kind[kind].pop())
    return chosen


def _possible(outbound: Sequence[Exchange]) -> Iterator[Fault]:
    seen = set()
    for one in outbound:
        path = one.request.target.partition("?")[0]
        words = path.split("/")
        place = f"{one.command} {words[3]}"
        if place in seen:
            continue
        seen.add(place)
        yield Fault("call-doubled", "outbound", place, ())
        yield Fault("call-missing", "outbound", place, (), one)
        yield Fault("call-elsewhere", "outbound", place, (), words[3] + "s2")
        yield Fault("call-other-tenant", "outbound", place, (), "other")
        if "?" in one.request.target:
            yield Fault("call-query", "outbound", place, (), "changed")
        body = json.loads(one.request.body.data) if one.request.body.data else {}
        for name, value in body.items():
            if name != "reference":
                yield Fault(
                    "call-number" if isinstance(value, int) else "call-text", "outbound", place, (), name, before=value
                )
                yield Fault("call-field-lost", "outbound", place, (), name, before=value)


class CallFault:
    """One fault, made in the first call that it fits."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.done = False

    async def between(self, message: Message, forward: Forward) -> Message:
        """Send a call on, faulty where its turn has come."""
        method, _, word = self.fault.pointer.partition(" ")
        if self.done or message.method != method or message.target.split("/")[3].partition("?")[0] != word:
            return await forward(message)
        self.done = True
        if self.fault.kind == "call-missing":
            return _recorded(self.fault.value)
        if self.fault.kind == "call-doubled":
            await forward(message)
        return await forward(_faulty(self.fault, message))


def _recorded(one: Exchange) -> Message:
    """What the dependency would have answered."""
    assert one.response is not None
    return Message(f"HTTP/1.1 {one.response.status} OK", one.response.headers, one.response.body.data or b"")


def _faulty(fault: Fault, message: Message) -> Message:
    words = message.target.split("/")
    if fault.kind == "call-elsewhere":
        words[3] = words[3].replace(fault.pointer.partition(" ")[2], fault.value)
    elif fault.kind == "call-other-tenant":
        words[2] = fault.value
    elif fault.kind == "call-query":
        words[-1] += "x"
    elif fault.kind != "call-doubled":
        return message.with_body(json.dumps(_member(fault, json.loads(message.body))).encode())
    return replace(message, start=f"{message.method} {'/'.join(words)} HTTP/1.1")


def _member(fault: Fault, body: dict[str, Any]) -> dict[str, Any]:
    if fault.kind == "call-field-lost":
        return {name: value for name, value in body.items() if name != fault.value}
    old = body[fault.value]
    return {**body, fault.value: old + 1 if isinstance(old, int) else f"{old}-x"}
