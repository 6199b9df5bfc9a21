"""A Redis command, or a transaction of several, taken apart for matching: name, keys, other arguments. Pure.

Case of names and options does not count, nor whether a script is named by its text or its hash, nor how JSON is
spelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

import orjson
from pydantic import JsonValue

from wiretape_capture.protocols.redis.cells import Cell, from_text
from wiretape_capture.protocols.redis.commands import SCRIPTED, meaning_of
from wiretape_capture.protocols.redis.requests import Arguments
from wiretape_capture.protocols.redis.template import OPTIONS, script_sha, template_of
from wiretape_capture.protocols.redis.told import CONNECT, MESSAGE, PUSH, TRANSACTION, transaction_template
from wiretape_capture.snapshot.exchange import Exchange, Protocol, Request
from wiretape_replay.leaves import walk
from wiretape_replay.match.content import Content
from wiretape_replay.match.database import DatabaseParts
from wiretape_replay.match.parts import Leaf, Parts

LONGEST = 64 << 10
"""Characters of an argument that are compared as they are; of more the hash is."""
JSON_LEAVES = 500
"""A JSON argument with more leaves is compared as a text."""
NO_COMMANDS = frozenset({CONNECT, MESSAGE, PUSH})
CHANNEL = "\0channel"
"""Stands for the place of a channel: no key is there."""

_CLOCK = re.compile(r"\d{10}\.\d{1,9}")
"""A number of seconds with a fraction, which is a reading of a clock as a number alone."""

type Home = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommandParts(DatabaseParts):
    """One command or transaction. What is matched are its arguments, its template is for people."""

    homes: tuple[Home, ...] = ((),)
    """Where its data lies: database and key; a whole database, or all of them, for a command without keys."""

    word: ClassVar[str] = "command"

    @property
    def exact(self) -> tuple[object, ...]:
        """The key of tier `exact`."""
        return (self.method, self.service, self.content.digest)

    @property
    def collection(self) -> str:
        """`GET price:` of `GET price:ink`."""
        keys = [value for where, value in self.content.leaves if where.startswith("key/") and isinstance(value, str)]
        return f"{self.method} {keys[0].rpartition(':')[0]}:" if len(keys) == 1 and ":" in keys[0] else ""

    def commands(self) -> Iterator[tuple[str, tuple[Leaf, ...]]]:
        """Name and arguments of each command: of the one, or of those of the transaction."""
        if self.method != TRANSACTION:
            yield self.method, tuple(leaf for leaf in self.content.leaves if leaf[0] != "db")
            return
        found: dict[str, list[Leaf]] = {}
        names: dict[str, str] = {}
        for where, value in self.content.leaves:
            number, _, rest = where.partition("/")
            if rest:
                found.setdefault(number, []).append((rest, value))
            elif number != "db":
                names[number] = str(value).replace("EVALSHA", "EVAL")
        for number, name in names.items():
            yield name, tuple(found.get(number, ()))

    def within(self, other: Parts) -> bool:
        """Whether a transaction holds this command, its arguments and all."""
        if self.method == TRANSACTION or not isinstance(other, CommandParts) or other.method != TRANSACTION:
            return False
        return other.service == self.service and next(self.commands()) in other.commands()

    def leaves(self) -> Iterator[Leaf]:
        """Every argument."""
        yield from self.content.leaves

    def told(self) -> Iterator[Leaf]:
        """Every argument but the number of the database."""
        return (leaf for leaf in self.content.leaves if leaf[0] != "db")

    def about(self) -> Iterator[str]:
        """Arguments, and the parts of keys: `user:17` is about 17, too."""
        for where, value in self.told():
            text = value if isinstance(value, str) else str(value)
            yield text
            if "key/" in where:
                yield from text.replace("/", ":").split(":")


def is_command(exchange: Exchange) -> bool:
    """Whether an exchange is a command for data: none of the connection, no message, no question about the server."""
    if exchange.protocol is not Protocol.REDIS or exchange.command in NO_COMMANDS or exchange.status == "NOSCRIPT":
        return False
    if exchange.command == TRANSACTION:
        return exchange.status != "EXECABORT"
    document = document_of(exchange.request)
    if not document.get("command") or document.get("queued"):
        return False
    meaning = meaning_of(arguments_of(document["command"]))
    return not (meaning.connection or meaning.probes)


def parts_of_stored(service: str, request: Request) -> CommandParts:
    """The normalised form of a stored command."""
    return parts_of_command(service, document_of(request))


def document_of(request: Request) -> dict[str, Any]:
    """The document of a recorded or journaled command; empty where its body was too large to keep."""
    if not request.body.data:
        return {"command": [request.method]}
    found = orjson.loads(request.body.data)
    return found if isinstance(found, dict) else {}


def arguments_of(told: Sequence[Cell]) -> Arguments:
    """A stored command as it was sent."""
    return [cell["omitted"] if isinstance(cell, dict) and "omitted" in cell else from_text(cell) for cell in told]


def parts_of_command(service: str, document: Mapping[str, Any]) -> CommandParts:
    """The normalised form of a command's document (docs/snapshot-format.md)."""
    db = int(document.get("db") or 0)
    leaves: list[Leaf] = [("db", db)] if db else []
    if "transaction" in document:
        commands = [arguments_of(each) for each in document["transaction"]]
        for number, each in enumerate(commands, 1):
            leaves.append((f"{number}", meaning_of(each).name))
            leaves += ((f"{number}/{where}", value) for where, value in _leaves(each))
        template, method = transaction_template(commands), TRANSACTION
    else:
        commands = [arguments_of(document.get("command") or ["?"])]
        leaves += _leaves(commands[0])
        template, method = template_of(commands[0]), _name(commands[0])
    homes = tuple(dict.fromkeys(home for each in commands for home in _homes(each, db)))
    writes = any(meaning_of(each).writes for each in commands)
    digest = blake2b(orjson.dumps(leaves), digest_size=16).digest()
    return CommandParts(method, service, (template,), (), (), Content(digest, tuple(leaves)), writes, homes or ((),))


def _name(arguments: Arguments) -> str:
    """A command's name; EVALSHA asks for the same as EVAL."""
    name = meaning_of(arguments).name
    return name.replace("EVALSHA", "EVAL") if name.startswith("EVALSHA") else name


def _leaves(arguments: Arguments) -> Iterator[Leaf]:
    meaning = meaning_of(arguments)
    from_option, options = OPTIONS.get(meaning.first, (0, frozenset[str]()))
    keys = frozenset(meaning.keys)
    for at in range(2 if " " in meaning.name else 1, len(arguments)):
        raw = arguments[at]
        if at == 1 and meaning.first in SCRIPTED:
            yield "script", script_sha(arguments)
            continue
        value = _value(raw)
        if at in keys:
            yield f"key/{at}", value
        elif at >= from_option and isinstance(value, str) and value.upper() in options:
            yield f"arg/{at}", value.upper()
        elif isinstance(value, str) and value[:1] in ("{", "[") and (inside := _json(value)) is not None:
            yield from ((f"arg/{at}{pointer}", leaf) for pointer, leaf in inside)
        else:
            yield f"arg/{at}", float(value) if _CLOCK.fullmatch(value) and repr(float(value)) == value else value


def _value(raw: bytes | int) -> str:
    if isinstance(raw, int):
        return f"({raw} bytes)"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "hex " + raw.hex() if len(raw) <= LONGEST else "blake2b " + blake2b(raw, digest_size=16).hexdigest()
    return text if len(text) <= LONGEST else "blake2b " + blake2b(raw, digest_size=16).hexdigest()


def _json(text: str) -> list[tuple[str, JsonValue]] | None:
    try:
        document: JsonValue = orjson.loads(text)
    except ValueError:
        return None
    found = sorted(walk(document), key=lambda leaf: leaf[0])  # the order of members says nothing
    return found if len(found) <= JSON_LEAVES else None


def _homes(arguments: Arguments, db: int) -> Iterator[Home]:
    meaning = meaning_of(arguments)
    number = f"{db}"
    if meaning.keys:
        yield from ((number, _value(arguments[at])) for at in meaning.keys)
    elif meaning.first in ("PUBLISH", "SPUBLISH") and len(arguments) > 1:
        yield (CHANNEL, _value(arguments[1]))
    elif meaning.first in ("FLUSHALL", "SWAPDB"):
        yield ()
    else:
        yield (number,)
