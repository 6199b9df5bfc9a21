"""What a connection did, as it is kept: commands, transactions, messages. Pure.

`question` and `answer` become the JSON bodies of an exchange; docs/snapshot-format.md lists their members.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wiretape_capture.protocols.observed import Observed
from wiretape_capture.protocols.redis.cells import Cell, error_of, to_text, without_attributes
from wiretape_capture.protocols.redis.commands import meaning_of
from wiretape_capture.protocols.redis.requests import Arguments
from wiretape_capture.protocols.redis.secrets import without_secrets
from wiretape_capture.protocols.redis.template import key_shape, template_of

OK, NIL = "OK", "NIL"
"""How a command ended that failed in no way: with an answer, or, of a transaction, with none because of WATCH."""
CONNECT, TRANSACTION, MESSAGE, PUSH = "CONNECT", "MULTI", "MESSAGE", "PUSH"
"""Commands of exchanges that are no single command."""
UNREACHABLE = "ERR could not connect to "
"""Begins the error of a connection that came to nothing without a word from the server."""
TURNED_AWAY = ("ERR max number of clients", "DENIED Redis is running in protected mode")
"""Begin the errors that a server says to a connection and not to a command, before it hangs up."""
SERVICE_FAILED = frozenset({"LOADING", "MASTERDOWN", "BUSY", "CLUSTERDOWN", "OOM", "MISCONF", "TRYAGAIN", "READONLY",
                            "NOREPLICAS", "UNKILLABLE", "NOMASTERLINK"})  # fmt: skip
"""First words of errors in which the server is at fault and not the command."""
SHOWN = 200


def to_document(arguments: Arguments) -> list[Cell]:
    """A command as it is kept."""
    return [to_text(raw) if isinstance(raw, bytes) else {"omitted": raw} for raw in without_secrets(arguments)]


def status_of(cell: Cell) -> str:
    """`OK`, or the first word of an error."""
    error = error_of(cell)
    return OK if error is None else (error.split(" ", 1)[0] or "ERR")[:32]


def failure_of(status: str) -> int:
    """1 for an error of the command, 2 for one of the server, 0 for none."""
    if status in (OK, NIL):
        return 0
    return 2 if status in SERVICE_FAILED else 1


def executed(question: dict[str, Any], arguments: Arguments, cell: Cell, started: int, ended: int,
             dropped: int = 0) -> Observed:  # fmt: skip
    """A command with its answer."""
    status = status_of(cell)
    return Observed(meaning_of(arguments).name, template_of(arguments), status, failure_of(status), said(cell), started,
                    ended, question, {"reply": cell}, complete=not dropped, error=_kept(dropped))  # fmt: skip


def transaction(question: dict[str, Any], commands: Sequence[Arguments], cell: Cell, started: int, ended: int,
                dropped: int = 0) -> Observed:  # fmt: skip
    """A transaction with what EXEC answered."""
    cut_off = cell is None or (isinstance(cell, dict) and "null" in cell)
    status = NIL if cut_off else status_of(cell)
    return Observed(TRANSACTION, transaction_template(commands), status, failure_of(status), said(cell), started, ended,
                    question, {"reply": cell}, complete=not dropped, error=_kept(dropped))  # fmt: skip


def transaction_template(commands: Sequence[Arguments]) -> str:
    """The templates of a transaction's commands, those that come again in a row once."""
    templates: list[str] = []
    for each in commands:
        template = template_of(each)
        if templates[-1:] != [template]:
            templates.append(template)
    return f"MULTI {'; '.join(templates)}"


def unanswered(question: dict[str, Any], arguments: Arguments, started: int, ended: int, why: str) -> Observed:
    """A command without an answer."""
    return Observed(meaning_of(arguments).name, template_of(arguments), "", 2, "", started, ended, question, None,
                    complete=False, error=why)  # fmt: skip


def unreplied(question: dict[str, Any], arguments: Arguments, at: int) -> Observed:
    """A command that the client wanted no answer to (CLIENT REPLY)."""
    return Observed(
        meaning_of(arguments).name, template_of(arguments), OK, 0, "", at, at, question, {"unreplied": True}
    )


def message(kind: str, parts: list[Cell], at: int) -> Observed:
    """A message of a subscription: `message`, `smessage` or `pmessage`."""
    pattern, (channel, payload) = (parts[0], parts[1:3]) if kind == "pmessage" else (None, parts[:2])
    question = {"channel": channel} | ({"pattern": pattern} if pattern is not None else {})
    location = f"MESSAGE {key_shape(channel.encode()) if isinstance(channel, str) else '{binary}'}"
    return Observed(MESSAGE, location, OK, 0, "", at, at, question, {"message": payload})


def pushed(parts: list[Cell], at: int) -> Observed:
    """Something else that the server sent of itself, such as an invalidation of CLIENT TRACKING."""
    kind = parts[0] if parts and isinstance(parts[0], str) else "push"
    return Observed(PUSH, f"PUSH {kind}", OK, 0, "", at, at, {"kind": kind}, {"push": parts})


def turned_away(cell: Cell) -> str:
    """The error with which a server refuses a connection, whatever it is asked; empty for any other reply."""
    error = error_of(cell) or ""
    return error if error.startswith(TURNED_AWAY) else ""


def refused(error: str, started: int, ended: int) -> Observed:
    """A connection that came to nothing."""
    status = status_of({"error": error})
    return Observed(CONNECT, CONNECT, status, 2, error, started, ended, {}, {"reply": {"error": error}})


def said(cell: Cell) -> str:
    """An answer in a few words."""
    cell = without_attributes(cell)
    if isinstance(cell, list):
        return f"{len(cell)} values"
    if not isinstance(cell, dict):
        return "nil" if cell is None else str(cell)[:SHOWN]
    kind, value = next(iter(cell.items()))
    if isinstance(value, list):
        return f"{len(value)} {'pairs' if kind == 'map' else 'values'}"
    return "nil" if kind == "null" else str(value)[:SHOWN]


def _kept(dropped: int) -> str:
    return f"{dropped} values beyond the limit of one answer were not kept" if dropped else ""
