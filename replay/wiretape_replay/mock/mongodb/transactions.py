"""Transactions of a mocked MongoDB server, simulated: each is known by its session and number. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.protocols.mongodb.commands import name_of
from wiretape_capture.protocols.mongodb.documents import Document, document_of
from wiretape_replay.mock.mongodb.desk import Command, error_of
from wiretape_replay.mock.mongodb.recording import ENDS, MongoRecording, transaction_of

KEPT = 10_000
"""Transactions that are remembered; the one that began first is forgotten."""
NO_SUCH_TRANSACTION = 251


@dataclass(slots=True)
class _Transaction:
    last: int = 0
    """The exchange that answered its last command."""
    failed: bool = False
    over: bool = False


class Transactions:
    """All transactions of one server."""

    def __init__(self, recording: MongoRecording) -> None:
        self._recording = recording
        self._known: dict[str, _Transaction] = {}

    @property
    def rest(self) -> bool:
        """Whether none is open."""
        return all(each.over or each.failed for each in self._known.values())

    def refusal(self, command: Command) -> Document | None:
        """The error of a command in a transaction that has failed, or that never began."""
        key = transaction_of(command)
        if key is None:
            return None
        if command.get("startTransaction"):
            if len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = _Transaction()
        known = self._known.get(key)
        if known is not None and not known.failed:
            return None
        return error_of(NO_SUCH_TRANSACTION, "NoSuchTransaction", "the transaction has been aborted")

    def answered(self, command: Command, sequence: int, *, failed: bool) -> None:
        """A command was answered; one that failed ends its transaction, as it does on a server."""
        key = transaction_of(command)
        if key is not None and (known := self._known.get(key)) is not None:
            known.last, known.failed = sequence or known.last, known.failed or failed

    def ended(self, command: Command) -> Document:
        """The reply to commitTransaction or abortTransaction: an error where it failed at this place when recorded."""
        name = name_of(command)
        assert name in ENDS
        known = self._known.get(transaction_of(command) or "")
        if known is None or (known.failed and name == "commitTransaction"):
            return error_of(NO_SUCH_TRANSACTION, "NoSuchTransaction", "the transaction has been aborted")
        recorded = self._recording.failed_ends.pop((name, known.last), None)
        known.over = True
        return document_of(recorded) if recorded is not None else {"ok": 1.0}
