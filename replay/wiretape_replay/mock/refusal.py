"""What a client is told when it gets no recorded answer: misses and bad requests, as HTTP bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson

from wiretape_replay.mock.spec import Candidate

NO_RECORDING = "nothing recorded answers this request"
USED_UP = "every recorded answer to this request was given"
WEBSOCKET = "WebSocket upgrades are not mocked"


def miss(method: str, service: str, target: str, problem: str, closest: Sequence[Candidate], hint: str) -> bytes:
    """The 502 of a request that matched nothing, with the nearest recordings."""
    body: dict[str, Any] = {
        "error": f"wiretape: {problem}",
        "request": {"command": method, "service": service, "location": target[:2000]},
        "closest": [candidate.model_dump(mode="json") for candidate in closest],
        "hint": hint,
    }
    return _response(502, orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n", head_only=method == "HEAD")


def refusal(status: int, problem: str) -> bytes:
    """The last answer on a connection whose bytes make no request."""
    return _response(status, orjson.dumps({"error": f"wiretape: {problem}"}) + b"\n", closes=True)


def hint_for(service: str, services: Sequence[str], closest: Sequence[Candidate], used_up: bool) -> str:
    """What to do about a miss."""
    if used_up:
        return "record more traffic, or let the last answer repeat with at_end = repeat"
    if service not in services:
        known = ", ".join(services[:5]) or "none"
        return f"{service} is not in the snapshot (it has: {known}); record it, or reach it for real with --allow"
    if closest and closest[0].differences:
        first = closest[0]
        return (f"exchange {first.sequence} is nearest and differs at {first.differences[0].where}; "
                "if the app's request changed on purpose, record again")  # fmt: skip
    return "record again with this request in the traffic"


def _response(status: int, body: bytes, *, head_only: bool = False, closes: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nx-wiretape-tier: miss\r\n" + ("Connection: close\r\n" if closes else "")
    )
    return head.encode() + b"\r\n" + (b"" if head_only else body)
