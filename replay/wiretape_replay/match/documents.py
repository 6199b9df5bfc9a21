"""A MongoDB command taken apart for matching: its template, and its values by their path in the command. Pure.

Sessions, transactions, concerns, batch sizes and time limits do not count; how a command is spelled by one driver or
another does not either (`wiretape_capture.protocols.mongodb.template`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

import orjson
from pydantic import JsonValue

from wiretape_capture.protocols.mongodb.commands import (
    GET_MORE,
    SESSION,
    Command,
    collection_of,
    name_of,
    writes,
)
from wiretape_capture.protocols.mongodb.template import spelled, taken_apart
from wiretape_capture.protocols.mongodb.told import CONNECT
from wiretape_capture.snapshot.exchange import Exchange, Protocol, Request
from wiretape_replay.match.content import LEAF_LIMIT, Content
from wiretape_replay.match.parts import Leaf
from wiretape_replay.match.statements import StatementParts

ABOUT_NO_DATA = frozenset({"limit", "skip"})
"""Values that say how many are wanted, and so name none."""
_SOURCES = ("$lookup", "$graphLookup", "$unionWith")


@dataclass(frozen=True, slots=True)
class DocumentParts(StatementParts):
    """One command. Its tables are collections, with their database."""

    word: ClassVar[str] = "command"


def is_document_command(exchange: Exchange) -> bool:
    """Whether an exchange is a command for data: nothing of the connection, no further batch of a cursor."""
    if exchange.protocol is not Protocol.MONGODB:
        return False
    return exchange.command not in SESSION and exchange.command not in (CONNECT, GET_MORE)


def parts_of_document_request(service: str, request: Request) -> DocumentParts:
    """The normalised form of a stored command."""
    return parts_of_document(service, command_of(request))


def command_of(request: Request) -> dict[str, JsonValue]:
    """The document of a recorded or journaled command; only its name where its body was too large to keep."""
    if not request.body.data:
        return {request.method: request.target}
    found = orjson.loads(request.body.data)
    return found if isinstance(found, dict) else {}


def parts_of_document(service: str, command: Command) -> DocumentParts:
    """The normalised form of a command's document (docs/snapshot-format.md)."""
    template, values = taken_apart(command)
    leaves: list[Leaf] = [(where if where in ABOUT_NO_DATA else f"bind/{where}", value)
                          for where, value in spelled(values)]  # fmt: skip
    digest = blake2b(orjson.dumps(leaves), digest_size=16).digest() if leaves else b""
    content = Content(digest, tuple(leaves) if len(leaves) <= LEAF_LIMIT else ())
    return DocumentParts(name_of(command), service, (template,), (), (), content, writes(command),
                         tuple(_collections(command)))  # fmt: skip


def _collections(command: Command) -> Iterator[str]:
    """What a command is about: of a write what it writes to, of a read everything; nothing stands for all there is."""
    own = collection_of(command)
    database = str(command.get("$db", ""))
    pipeline = command.get("pipeline")
    if name_of(command) == "aggregate" and isinstance(pipeline, list):
        if writes(command):
            yield _target(pipeline[-1], database)
            return
        yield own
        yield from (f"{database}.{each}" for each in _joined(pipeline))
    elif own != database:
        yield own


def _target(stage: JsonValue, database: str) -> str:
    """The collection to which `$out` or `$merge` writes."""
    found = next(iter(stage.values()), "") if isinstance(stage, dict) else ""
    if isinstance(found, dict):
        found = found.get("into", found)
    if isinstance(found, dict):
        return f"{found.get('db', database)}.{found.get('coll', '')}"
    return f"{database}.{found}"


def _joined(value: JsonValue) -> Iterator[str]:
    """Other collections that a pipeline reads."""
    if isinstance(value, list):
        for item in value:
            yield from _joined(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _SOURCES:
                source = (item.get("from") or item.get("coll")) if isinstance(item, dict) else item
                if isinstance(source, str):
                    yield source
            yield from _joined(item)
