"""What a recording says about one MongoDB server: replies by exchange, batches by cursor, its greeting. Pure.

Built at load, in recorded order. Commands that only concern the connection are left out: they are simulated, but for
ends of transactions that failed and what the server said of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson
from pydantic import JsonValue

from wiretape_capture.protocols.mongodb.commands import GET_MORE, SESSION, name_of
from wiretape_capture.protocols.mongodb.told import CONNECT, OK, plain
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.match.documents import command_of, is_document_command
from wiretape_replay.mock.answer import Fault, fault_of
from wiretape_replay.mock.databases.outages import Outages

type Reply = dict[str, JsonValue]
ENDS = frozenset({"commitTransaction", "abortTransaction"})
NUMBER = "$numberLong"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded reply."""

    sequence: int
    status: str
    document: bytes | None
    """JSON; None when no reply came."""
    duration_us: int
    fault: Fault = ""


@dataclass(slots=True)
class MongoRecording:
    """All that is known of one server."""

    answers: dict[int, Recorded] = field(default_factory=dict)
    batches: dict[str, list[int]] = field(default_factory=dict)
    """Exchanges that brought further batches, by the cursor's recorded id."""
    hello: Reply | None = None
    outages: Outages[None] = field(default_factory=Outages)
    """Connections that came to nothing; they ended without a word."""
    said: dict[str, Reply] = field(default_factory=dict)
    """Replies to commands of the connection, by name."""
    failed_ends: dict[tuple[str, int], Reply] = field(default_factory=dict)
    """Errors of ends of transactions, by command and the last exchange of the transaction."""
    size: int = 0
    _last: dict[str, int] = field(default_factory=dict)

    def add(self, exchange: Exchange) -> bool:
        """One more exchange; True for one that is to be matched."""
        command = command_of(exchange.request)
        name = exchange.command
        matched = is_document_command(exchange)
        if name == CONNECT and exchange.status != OK:
            self.outages.refused(exchange, None)
            return False
        self.outages.served(exchange, matched=matched)
        if name == CONNECT:
            self.hello = _reply_of(exchange)
        elif name in SESSION:
            self._concern_connection(exchange, command)
        else:
            self._keep(exchange)
            if (transaction := transaction_of(command)) is not None:
                self._last[transaction] = exchange.sequence
            if name == GET_MORE:
                self.batches.setdefault(str(plain(command.get(GET_MORE))), []).append(exchange.sequence)
        return matched

    def _concern_connection(self, exchange: Exchange, command: Mapping[str, JsonValue]) -> None:
        reply, transaction = _reply_of(exchange), transaction_of(command)
        if exchange.command in ENDS and transaction is not None:
            if reply and exchange.status != OK:
                self.failed_ends[exchange.command, self._last.get(transaction, 0)] = reply
        elif reply and exchange.status == OK:
            self.said.setdefault(name_of(command).lower(), reply)

    def _keep(self, exchange: Exchange) -> None:
        body = exchange.response.body.data if exchange.response is not None else None
        self.size += len(body or b"")
        self.answers[exchange.sequence] = Recorded(
            exchange.sequence, exchange.status, body, exchange.duration_us,
            fault_of(exchange.error) if exchange.response is None else "",
        )  # fmt: skip

    def document(self, sequence: int) -> bytes | None:
        """The recorded reply to a command."""
        return self.answers[sequence].document


def transaction_of(command: Mapping[str, JsonValue]) -> str | None:
    """What a transaction is known by: its session and number; None for a command outside of one."""
    if command.get("autocommit") is not False:
        return None
    return orjson.dumps([command.get("lsid"), plain(command.get("txnNumber"))]).decode()


def thread_of(command: Mapping[str, JsonValue]) -> str:
    """A short name of a command's transaction; empty outside of one."""
    key = transaction_of(command)
    return "" if key is None else blake2b(key.encode(), digest_size=8).hexdigest()


def _reply_of(exchange: Exchange) -> Reply:
    data = exchange.response.body.data if exchange.response is not None else None
    found = orjson.loads(data) if data else {}
    return found if isinstance(found, dict) else {}
