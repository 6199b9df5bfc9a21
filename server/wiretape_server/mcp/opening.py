"""The first words between a client and this server, answered before the protocol's SDK is loaded.

The SDK takes well over a second to import, and clients give up on a server that is silent. So what a client opens with
is answered without it: `initialize` of the 2025 protocol, the probe `server/discover` of 2026-07-28, and pings before
them. Only requests that the SDK is sure to accept are answered here, with what the SDK would answer; all else is passed
to it as it came. Pure: lines in, lines out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from wiretape_server.mcp.about import INSTRUCTIONS, NAME, TITLE

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Revisions with a handshake; no more will come. A client that asks for another one is offered the last."""
ENVELOPE_VERSION = "2026-07-28"
"""The revision without handshake whose probes are answered here."""
ANSWERED = "wiretape-opening"
"""Id under which the SDK is told of an `initialize` that has its answer already; what it says to it is dropped."""

LONGEST = 64 * 1024
"""Bytes of a line that may be an opening."""
DEEPEST = 30
"""Levels of a line that may be one: the SDK reads some 200."""
LARGEST_ID = 2**53 - 1
_META = "io.modelcontextprotocol/"
_ENVELOPE = {f"{_META}protocolVersion", f"{_META}clientInfo", f"{_META}clientCapabilities"}

type Json = dict[str, Any]


@dataclass
class Opening:
    """How far the two have come."""

    version: str
    """Of wiretape."""
    over: bool = field(default=False, init=False)
    """Whether a request has settled which revision is spoken."""

    def take(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Lines that came together: those to send back, and those to hand to the SDK."""
        said = [None if self.over else _request(line) for line in lines]
        answers: list[bytes] = []
        passed: list[bytes] = []
        for number, (line, request) in enumerate(zip(lines, said, strict=True)):
            if self.over or request is None:
                passed.append(line)
            elif (answer := self._answer(request)) is None:
                self.over = True
                passed.append(line)
            elif request["method"] == "initialize":
                self.over = True
                answers.append(_line(answer))
                passed.append(_line(request | {"id": ANSWERED}))
            elif not _overtaken(request, said[number + 1 :]):
                answers.append(_line(answer))
        return answers, passed

    def _answer(self, request: Json) -> Json | None:
        """What the SDK would answer; None unless that is certain."""
        result = None
        if not _is_message(request):
            return None
        match request["method"]:
            case "initialize" if _is_handshake(request.get("params")):
                result = self._handshake(request["params"]["protocolVersion"])
            case "server/discover" if _is_envelope(request.get("params")):
                result = self._discovered()
            case "ping" if request.get("params", {}) == {}:
                result = {}
        return None if result is None else {"jsonrpc": "2.0", "id": request["id"], "result": result}

    def _handshake(self, asked: str) -> Json:
        return {
            "protocolVersion": asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1],
            "capabilities": _capabilities(lists_change=False), "serverInfo": self._myself(),
            "instructions": INSTRUCTIONS,
        }  # fmt: skip

    def _discovered(self) -> Json:
        return {
            "supportedVersions": [ENVELOPE_VERSION], "capabilities": _capabilities(lists_change=True),
            "instructions": INSTRUCTIONS, "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            "_meta": {f"{_META}serverInfo": self._myself()},
        }  # fmt: skip

    def _myself(self) -> Json:
        return {"name": NAME, "title": TITLE, "version": self.version}


def _capabilities(*, lists_change: bool) -> Json:
    """What is served; to clients that listen on streams of their own the SDK promises news of every list."""
    return {"completions": {}, "prompts": {"listChanged": lists_change}, "tools": {"listChanged": lists_change},
            "resources": {"listChanged": True, "subscribe": True}}  # fmt: skip


def _overtaken(request: Json, following: list[Json | None]) -> bool:
    """Whether a probe came together with a handshake: its sender waited, gave up and will not read an answer to it."""
    return request["method"] == "server/discover" and any(
        each is not None and each["method"] == "initialize" for each in following
    )


def _request(line: bytes) -> Json | None:
    """The line's request; None for a notification, an answer, or what only the SDK should judge."""
    if len(line) > LONGEST:
        return None
    try:
        message = json.loads(line.decode(), parse_constant=_refuse)
        json.dumps(message, ensure_ascii=False).encode()  # Python reads lone surrogates, the SDK does not
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or "id" not in message or "method" not in message:
        return None
    return message if isinstance(message["method"], str) else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _is_message(message: Json) -> bool:
    number = message["id"]
    sendable = isinstance(number, str) or (type(number) is int and abs(number) <= LARGEST_ID)
    return message.get("jsonrpc") == "2.0" and message.keys() <= {"jsonrpc", "id", "method", "params"} and sendable


def _is_handshake(params: Any) -> bool:
    return (
        _has(params, {"protocolVersion", "capabilities", "clientInfo"}) and isinstance(params["protocolVersion"], str)
        and _is_client(params["clientInfo"]) and _are_capabilities(params["capabilities"])
    )  # fmt: skip


def _is_envelope(params: Any) -> bool:
    return (
        _has(params, {"_meta"}) and _has(params["_meta"], _ENVELOPE)
        and params["_meta"][f"{_META}protocolVersion"] == ENVELOPE_VERSION
        and _is_client(params["_meta"][f"{_META}clientInfo"])
        and _are_capabilities(params["_meta"][f"{_META}clientCapabilities"])
    )  # fmt: skip


def _has(value: Any, keys: set[str]) -> bool:
    """Whether it is an object of just these keys."""
    return isinstance(value, dict) and value.keys() == keys


def _is_client(told: Any) -> bool:
    """A name and a version, and further words; icons have a form that only the SDK knows."""
    return (
        isinstance(told, dict) and {"name", "version"} <= told.keys() and "icons" not in told
        and all(isinstance(value, str) for value in told.values())
    )  # fmt: skip


def _are_capabilities(told: Any, deep: int = 0) -> bool:
    """Objects all the way down, their only plain values `listChanged`, as in every capability that is defined."""
    if not isinstance(told, dict) or deep > DEEPEST:
        return False
    return all(isinstance(value, bool) if key == "listChanged" and deep else _are_capabilities(value, deep + 1)
               for key, value in told.items())  # fmt: skip


def _line(message: Json) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
