"""What became of each statement that an app ran: kept, or undone with the transaction that it was part of. Pure.

Statements of a recording and of a run are followed by the same rules, those of their server: an error fails a
transaction of Postgres, whose COMMIT then is a ROLLBACK; MySQL's ends with what changes the schema, and goes on after
an error that is no deadlock; one of MongoDB is known by its session and number, and an error ends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from wiretape_capture.protocols.mongodb.told import OK, UNACKNOWLEDGED
from wiretape_capture.protocols.mysql import sql as mysql_sql
from wiretape_capture.protocols.postgres import sql as postgres_sql
from wiretape_capture.snapshot.exchange import Protocol

MISS = "WT001"
"""Status of a statement that no recording answers."""
DEADLOCK = "40001"
"""SQLSTATE of what undoes a whole transaction of MySQL."""
IMPLICIT = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT", "REVOKE"})
"""MySQL's commands that commit what is open, and themselves."""
FINE = frozenset({"", "00000", OK, UNACKNOWLEDGED})
_AUTOCOMMIT = re.compile(r"\bautocommit`? ?(?:=|:=) ?'?(\w+)")


class End(StrEnum):
    """How a transaction ended."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    OPEN = "not committed"
    """It did not end as far as is known."""


@dataclass(slots=True, eq=False)
class Transaction:
    """Statements that are kept or undone together; one outside of any transaction is one of its own."""

    end: End = End.OPEN
    ended_ns: int = 0
    missed: bool = False
    """The recording has no answer to a statement in it: its end follows from that."""


@dataclass(slots=True, eq=False)
class Fate:
    """What became of one statement."""

    transaction: Transaction
    undone: bool = False
    """It failed, or was undone by itself: ROLLBACK TO a savepoint before it."""

    @property
    def end(self) -> End:
        """How it ended."""
        return End.ROLLED_BACK if self.undone else self.transaction.end


class Step(NamedTuple):
    """One statement of an app, in the order of its connection."""

    at_ns: int
    protocol: Protocol
    thread: str
    """What transactions follow: a connection, for MongoDB the transaction itself, empty outside of one."""
    command: str
    text: str
    """The statement's template, with the values of settings in it."""
    status: str
    """As the exchange has it; empty for what was simulated and did not fail."""

    @property
    def failed(self) -> bool:
        """Whether it did nothing."""
        return self.status not in FINE


def fates(steps: Iterable[Step]) -> list[Fate | None]:
    """What became of each step; None for what takes part in no transaction, such as a command for Redis."""
    threads: dict[tuple[Protocol, str], _Thread] = {}
    found: list[Fate | None] = []
    for step in steps:
        kind = KINDS.get(step.protocol)
        if kind is None:
            found.append(None)
            continue
        thread = threads.setdefault((step.protocol, step.thread), _Thread())
        found.append(kind(thread, step))
    return found


@dataclass(slots=True)
class _Thread:
    """What follows each other on one connection."""

    open: Transaction | None = None
    autocommit: bool = True
    broken: bool = False
    """Postgres: an error came, and all but ROLLBACK is refused."""
    inside: list[Fate] = field(default_factory=list)
    savepoints: list[tuple[str, int]] = field(default_factory=list)

    def begin(self) -> None:
        """A transaction begins."""
        self.open, self.broken = Transaction(), False
        self.inside.clear()
        self.savepoints.clear()

    def end(self, how: End, at_ns: int) -> None:
        """What is open ends, if anything is."""
        if self.open is not None:
            self.open.end, self.open.ended_ns = how, at_ns
        self.open, self.broken = None, False
        self.inside.clear()
        self.savepoints.clear()

    def run(self, step: Step) -> Fate:
        """A statement that is part of what is open, or of nothing."""
        if self.open is None:
            return Fate(Transaction(End.COMMITTED, step.at_ns), undone=step.failed)
        self.open.missed |= step.status == MISS
        fate = Fate(self.open, undone=step.failed)
        self.inside.append(fate)
        return fate

    def scope(self, step: Step) -> bool:
        """SAVEPOINT, RELEASE and ROLLBACK TO, which are alike everywhere; False for anything else."""
        words = step.text.split()
        if step.command == "SAVEPOINT":
            self.savepoints.append((words[-1], len(self.inside)))
        elif step.command == "RELEASE":
            self._release(words[-1])
        elif step.command == "ROLLBACK" and "to" in words:
            self._back_to(words[-1])
        else:
            return False
        return True

    def _release(self, name: str) -> None:
        at = self._at(name)
        if at is not None:
            del self.savepoints[at:]

    def _back_to(self, name: str) -> None:
        at = self._at(name)
        if at is not None:
            since = self.savepoints[at][1]
            for fate in self.inside[since:]:
                fate.undone = True
            del self.inside[since:]
            del self.savepoints[at + 1 :]
            self.broken = False

    def _at(self, name: str) -> int | None:
        return next((at for at in reversed(range(len(self.savepoints))) if self.savepoints[at][0] == name), None)


def _postgres(thread: _Thread, step: Step) -> Fate | None:
    ends = step.command in ("COMMIT", "END", "ROLLBACK", "ABORT") and "prepared" not in step.text
    if step.failed and not ends:
        thread.broken |= thread.open is not None
        return thread.run(step)
    if ";" in step.text:
        return _several(thread, step, postgres_sql.statements_in, lambda text: postgres_sql.statement_of(text).command,
                        _postgres)  # fmt: skip
    if thread.scope(step):
        return None
    match step.command:
        case "BEGIN" | "START":
            if thread.open is None:
                thread.begin()
        case "COMMIT" | "END" if ends:
            thread.end(End.ROLLED_BACK if thread.broken or step.failed else End.COMMITTED, step.at_ns)
            _chain(thread, step)
        case "ROLLBACK" | "ABORT" if ends:
            thread.end(End.ROLLED_BACK, step.at_ns)
            _chain(thread, step)
        case "PREPARE" if step.text.startswith("prepare transaction"):
            thread.end(End.COMMITTED, step.at_ns)  # its second phase decides, on whichever connection
        case _:
            return thread.run(step)
    return None


def _mysql(thread: _Thread, step: Step) -> Fate | None:
    if step.failed:
        fate = _run_mysql(thread, step)
        if step.status == DEADLOCK:
            thread.end(End.ROLLED_BACK, step.at_ns)
        return fate
    if ";" in step.text:
        return _several(thread, step, mysql_sql.statements_in, lambda text: mysql_sql.statement_of(text).command,
                        _mysql)  # fmt: skip
    if thread.scope(step):
        return None
    match step.command:
        case "BEGIN" | "START":
            thread.end(End.COMMITTED, step.at_ns)
            thread.begin()
        case "COMMIT" | "LOCK" | "UNLOCK":
            thread.end(End.COMMITTED, step.at_ns)
            _chain(thread, step)
        case "ROLLBACK" | "CONNECT" | "RESET CONNECTION":
            thread.end(End.ROLLED_BACK, step.at_ns)
            thread.autocommit |= step.command != "ROLLBACK"
            _chain(thread, step)
        case "SET":
            _set(thread, step)
        case "XA":
            _two_phases(thread, step)
        case _ if step.command in IMPLICIT and " temporary " not in step.text:
            thread.end(End.COMMITTED, step.at_ns)
            return thread.run(step)
        case _:
            return _run_mysql(thread, step)
    return None


def _run_mysql(thread: _Thread, step: Step) -> Fate:
    if thread.open is None and not thread.autocommit:
        thread.begin()
    return thread.run(step)


def _set(thread: _Thread, step: Step) -> None:
    found = _AUTOCOMMIT.search(step.text.lower())
    if found is None:
        return
    wanted = found[1] in ("1", "on", "true")
    if wanted and not thread.autocommit:
        thread.end(End.COMMITTED, step.at_ns)
    thread.autocommit = wanted


def _two_phases(thread: _Thread, step: Step) -> None:
    """XA of MySQL: what is prepared counts as committed, for its second phase may come from anywhere."""
    words = step.text.split()[1:2]
    if words in (["start"], ["begin"]):
        thread.begin()
    elif words in (["prepare"], ["commit"], ["rollback"]) and thread.open is not None:
        thread.end(End.ROLLED_BACK if words == ["rollback"] else End.COMMITTED, step.at_ns)


def _mongodb(thread: _Thread, step: Step) -> Fate | None:
    if not step.thread:
        return Fate(Transaction(End.COMMITTED, step.at_ns), undone=step.failed)
    match step.command:
        case "commitTransaction":
            if not step.failed:
                thread.end(End.COMMITTED, step.at_ns)
            return None
        case "abortTransaction":
            thread.end(End.ROLLED_BACK, step.at_ns)
            return None
    if thread.open is None:
        thread.begin()
    fate = thread.run(step)
    if step.failed:
        thread.end(End.ROLLED_BACK, step.at_ns)
    return fate


def _chain(thread: _Thread, step: Step) -> None:
    """AND CHAIN begins the next transaction at once."""
    if step.text.endswith("chain") and "no chain" not in step.text:
        thread.begin()


def _several(thread: _Thread, step: Step, taken_apart: Callable[[str], list[str]], command_of: Callable[[str], str],
             run: Callable[[_Thread, Step], Fate | None]) -> Fate | None:  # fmt: skip
    """A text with several statements; what became of it is what became of the last that is part of a transaction."""
    found = [run(thread, step._replace(command=command_of(text), text=text)) for text in taken_apart(step.text)]
    return next((fate for fate in reversed(found) if fate is not None), None)


KINDS: Mapping[Protocol, Callable[[_Thread, Step], Fate | None]] = {
    Protocol.POSTGRES: _postgres, Protocol.MYSQL: _mysql, Protocol.MONGODB: _mongodb,
}  # fmt: skip
