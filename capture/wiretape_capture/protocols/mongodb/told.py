"""What a connection to MongoDB did, as it is kept: commands and greetings. Pure.

Bodies are canonical Extended JSON: the command's document, and the reply's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape_capture.protocols.mongodb.commands import Command, name_of, without_secrets
from wiretape_capture.protocols.mongodb.template import scalar, taken_apart
from wiretape_capture.protocols.observed import Observed

if TYPE_CHECKING:  # the forwarding process is to start fast
    from pydantic import JsonValue


OK, UNACKNOWLEDGED = "ok", "unacknowledged"
"""The status of a command that did what it should, and of one to which no answer was wanted."""
CONNECT = "CONNECT"
"""Stands for a greeting: what the server said of itself."""
_SERVICE_FAILED = frozenset({6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 317, 133, 134})
"""Codes in which the server is at fault and not the command: network, shutdown, elections (what drivers retry)."""

type Reply = dict[str, JsonValue]


def status_of(reply: Reply) -> tuple[str, int, str]:
    """Status, whose fault (`Observed.failed`) and the reason, of a reply."""
    if not plain(reply.get("ok")):
        code = plain(reply.get("code"))
        name = str(reply.get("codeName") or code or "error")
        return name, 2 if code in _SERVICE_FAILED else 1, str(reply.get("errmsg", ""))
    for member in ("writeErrors", "writeConcernError"):
        found = reply.get(member)
        first = found[0] if isinstance(found, list) and found else found
        if isinstance(first, dict):
            return str(first.get("codeName") or plain(first.get("code"))), 1, str(first.get("errmsg", ""))
    count = reply.get("n")
    return OK, 0, "" if count is None else f"n={plain(count)}"


def plain(value: JsonValue) -> JsonValue:
    """A number of Extended JSON as a number."""
    found = scalar(value) if isinstance(value, dict) else None
    return found[1] if found is not None else value


def executed(command: Command, reply: Reply, started: int, at: int, *, wanted: bool = True) -> Observed:
    """A command with its reply; without one where none was wanted."""
    status, failed, reason = status_of(reply) if wanted else (UNACKNOWLEDGED, 0, "")
    return Observed(name_of(command), taken_apart(command).template, status, failed, reason, started, at,
                    without_secrets(command), reply)  # fmt: skip


def unanswered(command: Command, started: int, at: int, why: str) -> Observed:
    """A command without its reply."""
    return Observed(name_of(command), taken_apart(command).template, "", 2, "", started, at, without_secrets(command),
                    None, complete=False, error=why)  # fmt: skip


def connected(place: str, reply: Reply, started: int, at: int) -> Observed:
    """A connection that was greeted."""
    return Observed(CONNECT, place, OK, 0, "", started, at, {}, reply)


def refused(place: str, code: str, problem: str, started: int, at: int, *, service: bool) -> Observed:
    """A connection that could not be made, or a login of ours that was refused."""
    return Observed(CONNECT, place, code, 2 if service else 1, problem, started, at, {},
                    {"ok": {"$numberDouble": "0.0"}, "errmsg": problem, "codeName": code})  # fmt: skip
