"""Follows one connection from the end of its login on: which reply belongs to which command, and what was executed.

Pure. Commands wait in a queue, because some clients send several before the first is answered. The reply to each is
read by a generator, which takes the server's packets one by one until it has the last of them. What a command means is
read when its turn comes: only then it is known what was prepared before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.mysql import packets, statements, told
from wiretape_capture.protocols.mysql.cells import of_text
from wiretape_capture.protocols.mysql.packets import Column, Done, Failure, Terms
from wiretape_capture.protocols.mysql.sql import quotes_after
from wiretape_capture.protocols.mysql.statements import LAST_PREPARED, Execute, Types
from wiretape_capture.protocols.mysql.told import Execution, Result
from wiretape_capture.protocols.mysql.values import Kind
from wiretape_capture.protocols.mysql.wire import (
    EOF,
    ERR,
    KEPT,
    LOCAL_INFILE,
    OK,
    Capability,
    Command,
    Framer,
    Malformed,
    Packet,
    Reader,
    Status,
    decoded,
    read_row,
)
from wiretape_capture.protocols.observed import Book, Emit

WAITING_LIMIT = 64 * 1024 * 1024
"""Bytes of commands without a reply, and of values sent ahead, that are kept of one connection."""
MOST_COLUMNS = 4096
"""The servers' limit."""
CLOSED = "the connection ended first"

type Reply = Generator[None, Packet]
"""Takes the packets of one reply."""


@dataclass(slots=True)
class Prepared:
    """A prepared statement."""

    sql: str
    ansi: bool
    params: int
    columns: tuple[Column, ...]
    at: int
    types: Types = ()
    long: dict[int, bytes] = field(default_factory=dict)
    executed: bool = False
    open: Execution | None = None
    """An execution whose rows are fetched through a cursor."""


@dataclass(slots=True)
class Step:
    """A command that waits for its reply."""

    command: int
    payload: bytes
    at: int
    place: Emit | None = None
    reply: Reply | None = None
    execution: Execution | None = None


class MysqlFollower:
    """One connection. `opening` says what the login came to: `capabilities`, `extended`, `user`, `database`, `server`,
    and when it was `started` and `ready` (monotonic ns)."""

    def __init__(self, book: Book, opening: Mapping[str, Any]) -> None:
        self._book = book
        self._terms = Terms(int(opening["capabilities"]), int(opening.get("extended", 0)))
        self._server = opening.get("server", {})
        self._from_client, self._from_server = Framer(), Framer()
        self._waiting: deque[Step] = deque()
        self._waiting_bytes = 0
        self._prepared: dict[int, Prepared] = {}
        self._last_prepared = 0
        self._ansi = False
        self._taking: Execution | None = None
        """The execution that the client sends a file for."""
        started = int(opening["started"])
        self._now = int(opening["ready"])
        user, database = str(opening.get("user", "")), str(opening.get("database", ""))
        book(started)(told.connected(user, database, self._server, started, self._now))

    # The client's side

    def client(self, data: bytes, at: int) -> None:
        """Bytes from the client. Raises Malformed."""
        for one in self._from_client.feed(data):
            if self._taking is not None:
                self._take(self._taking, one)
            elif one.number == 0:
                self._add(one, at)

    def _take(self, execution: Execution, one: Packet) -> None:
        """A part of the file of LOAD DATA LOCAL INFILE; an empty one ends it."""
        if not one.size:
            self._taking = None
        elif one.payload is not None and execution.infile is not None and execution.admits(one.size):
            execution.infile.append(one.payload)

    def _add(self, one: Packet, at: int) -> None:
        if one.first == Command.QUIT:
            return
        if one.first not in _REPLIES and one.first not in _SILENT:
            raise Malformed(f"the client sent the command {one.first:#04x}, which is not read")
        if one.payload is None:
            raise Malformed(f"a command is larger than {KEPT} bytes")
        place = self._book(at) if one.first in _PLACED else None
        self._waiting.append(Step(one.first, one.payload, at, place))
        self._waiting_bytes += one.size + 64
        if self._waiting_bytes > WAITING_LIMIT:
            raise Malformed("too many commands wait for their replies")
        self._silent()

    def _silent(self) -> None:
        """Carry out commands that get no reply, once it is their turn."""
        while self._waiting and self._waiting[0].command in _SILENT:
            step = self._pop()
            _SILENT[step.command](self, step)

    def _pop(self) -> Step:
        step = self._waiting.popleft()
        self._waiting_bytes -= len(step.payload) + 64
        return step

    def _close(self, step: Step) -> None:
        self._forget(statements.statement_in(step.payload))

    def _long_data(self, step: Step) -> None:
        number, at, data = statements.read_long_data(step.payload)
        if (prepared := self._prepared.get(number)) is not None:
            prepared.long[at] = prepared.long.get(at, b"") + data
            if sum(map(len, prepared.long.values())) > WAITING_LIMIT:
                raise Malformed("a value that is sent in parts is too long")

    # The server's side

    def server(self, data: bytes, at: int) -> None:
        """Bytes from the server. Raises Malformed."""
        for one in self._from_server.feed(data):
            if not self._waiting:
                if one.first == ERR:
                    continue  # a farewell: the server shuts down, or the connection was idle for too long
                raise Malformed("the server sent a packet that nothing waits for")
            step = self._waiting[0]
            if step.reply is None:
                step.reply = _REPLIES[step.command](self, step)
                next(step.reply)
            try:
                self._now = at
                step.reply.send(one)
            except StopIteration:
                self._pop()
                self._silent()

    # Replies

    def _simple(self, _step: Step) -> Reply:
        """One packet of any kind."""
        yield

    def _fields(self, _step: Step) -> Reply:
        """Columns up to their end."""
        while True:
            one = yield
            if one.first in (ERR, EOF):
                return

    def _reset_connection(self, _step: Step) -> Reply:
        one = yield
        if one.first == OK:
            self._forget_all()

    def _reset(self, step: Step) -> Reply:
        yield
        if (prepared := self._prepared.get(statements.statement_in(step.payload))) is not None:
            prepared.long.clear()
            self._end_cursor(prepared)

    def _change_user(self, step: Step) -> Reply:
        """A login of its own; what belongs to its password is not looked at."""
        user, database = self._changed(step.payload)
        while True:
            one = yield
            if one.first == OK:
                self._forget_all()
                self._place(step)(told.connected(user, database, self._server, step.at, self._now))
                return
            if one.first == ERR:
                failure = packets.read_error(_whole(one))
                self._place(step)(told.refused(user, database, failure, step.at, self._now))
                return

    def _changed(self, payload: bytes) -> tuple[str, str]:
        """User and database of COM_CHANGE_USER."""
        reader = Reader(payload, 1)
        user = reader.terminated()
        if self._terms.capabilities & Capability.SECURE_CONNECTION:
            reader.take(reader.number(1))
        else:
            reader.terminated()
        return decoded(user), decoded(reader.terminated())

    def _init_db(self, step: Step) -> Reply:
        name = decoded(step.payload[1:]).replace("`", "``")
        step.execution = Execution(f"use `{name}`", step.at, self._place(step), self._ansi)
        failure = yield from self._results(step.execution, binary=False)
        self._tell(step.execution, failure)

    def _process_info(self, step: Step) -> Reply:
        step.execution = Execution("show processlist", step.at, self._place(step), self._ansi)
        failure = yield from self._results(step.execution, binary=False)
        self._tell(step.execution, failure)

    def _query(self, step: Step) -> Reply:
        query = statements.read_query(step.payload, self._terms)
        step.execution = Execution(query.sql, step.at, self._place(step), self._ansi, attributes=query.attributes)
        failure = yield from self._results(step.execution, binary=False)
        self._tell(step.execution, failure)
        if failure is None:
            self._ansi = quotes_after(query.sql, self._ansi)

    def _prepare(self, step: Step) -> Reply:
        sql = decoded(step.payload[1:])
        one = yield
        payload = _whole(one)
        if one.first == ERR:
            self._tell(Execution(sql, step.at, self._place(step), self._ansi), packets.read_error(payload))
            return
        told_of = packets.read_prepared(payload)
        yield from self._columns(told_of.params)
        columns = yield from self._columns(told_of.columns)
        self._last_prepared = told_of.statement
        self._prepared[told_of.statement] = Prepared(sql, self._ansi, told_of.params, columns[0], step.at)

    def _execute(self, step: Step) -> Reply:
        number = statements.statement_in(step.payload)
        prepared = self._prepared.get(self._last_prepared if number == LAST_PREPARED else number)
        if prepared is None:
            one = yield
            if one.first == ERR:
                return  # the server does not know it either
            raise Malformed("a statement is executed that was not seen when it was prepared")
        self._end_cursor(prepared)
        execution = step.execution = self._begun(step, prepared)
        failure = yield from self._results(execution, binary=True)
        if failure is None and execution.results and execution.last().done is None:
            prepared.open = execution
        else:
            self._tell(execution, failure)

    def _begun(self, step: Step, prepared: Prepared) -> Execution:
        """The execution of a prepared statement."""
        execution = Execution(prepared.sql, step.at, self._place(step), prepared.ansi)
        if step.command == Command.BULK_EXECUTE:
            _, prepared.types, execution.bulk = statements.read_bulk(step.payload, prepared.params, prepared.types)
        else:
            sent = self._sent(step, prepared)
            prepared.types = sent.types
            execution.params, execution.attributes = sent.params, sent.attributes
        execution.types = list(prepared.types)
        prepared.executed = True
        prepared.long.clear()
        return execution

    def _sent(self, step: Step, prepared: Prepared) -> Execute:
        return statements.read_execute(step.payload, self._terms, prepared.params, prepared.types, prepared.long)

    def _fetch(self, step: Step) -> Reply:
        prepared = self._prepared.get(statements.statement_in(step.payload))
        execution = prepared.open if prepared is not None else None
        if prepared is None or execution is None:
            yield from self._results(Execution("", step.at, self._place(step)), binary=True)
            return
        end = yield from self._rows(execution, binary=True)
        if isinstance(end, Failure):
            prepared.open = None
            self._tell(execution, end)
        elif end.status & Status.LAST_ROW_SENT:
            prepared.open = None
            execution.last().done = end
            self._tell(execution, None)

    def _results(self, execution: Execution, *, binary: bool) -> Generator[None, Packet, Failure | None]:
        """Results up to the last one, or up to an error. A cursor's result has no end yet."""
        while True:
            one = yield
            payload = _whole(one)
            if one.first == ERR:
                return packets.read_error(payload)
            if one.first == LOCAL_INFILE:
                execution.file, execution.infile = decoded(payload[1:]), []
                self._taking = execution
                continue
            if one.first == OK:
                end = packets.read_ok(payload, self._terms)
                execution.results.append(Result(done=end))
            else:
                columns, status = yield from self._columns(Reader(payload).lenenc())
                execution.results.append(Result(columns))
                if status & Status.CURSOR_EXISTS:
                    return None
                ended = yield from self._rows(execution, binary=binary)
                if isinstance(ended, Failure):
                    return ended
                end = ended
                if end.status & Status.CURSOR_EXISTS and not end.status & Status.LAST_ROW_SENT:
                    return None
                execution.last().done = end
            if not end.status & Status.MORE_RESULTS:
                return None

    def _columns(self, count: int) -> Generator[None, Packet, tuple[tuple[Column, ...], int]]:
        """So many columns, and the status that came at their end where there is one."""
        if count > MOST_COLUMNS * 16:
            raise Malformed(f"a result of {count} columns")
        columns: list[Column] = []
        while len(columns) < count:
            one = yield
            columns.append(packets.read_column(_whole(one), self._terms))
        status = 0
        if count and not self._terms.short_end:
            one = yield
            status = packets.read_end(_whole(one), self._terms).status
        return tuple(columns), status

    def _rows(self, execution: Execution, *, binary: bool) -> Generator[None, Packet, Done | Failure]:
        result = execution.last()
        columns = result.columns or ()
        kinds = [Kind(each.type, each.flags, each.decimals, each.length) for each in columns]
        while True:
            one = yield
            if one.first == ERR:
                return packets.read_error(_whole(one))
            if packets.is_end(one, self._terms):
                return packets.read_end(_whole(one), self._terms)
            if one.payload is None:
                execution.dropped += 1
            elif execution.admits(one.size):
                if binary:
                    result.rows.append(statements.read_binary_row(one.payload, kinds))
                else:
                    result.rows.append([of_text(raw) for raw in read_row(one.payload, len(columns))])

    # What is told

    def _place(self, step: Step) -> Emit:
        return step.place or self._book(step.at)

    def _tell(self, execution: Execution, failure: Failure | None) -> None:
        if execution.sql:
            execution.place(told.executed(execution, self._now, failure))

    def _end_cursor(self, prepared: Prepared) -> None:
        """A cursor goes; it gave only a part of its rows."""
        execution, prepared.open = prepared.open, None
        if execution is not None:
            execution.place(told.executed(execution, execution.started, None))

    def _forget(self, number: int) -> None:
        """A statement goes; one that was never executed is told as that."""
        prepared = self._prepared.pop(number, None)
        if prepared is None:
            return
        self._end_cursor(prepared)
        if not prepared.executed:
            self._book(prepared.at)(
                told.described(prepared.sql, prepared.ansi, prepared.params, prepared.columns, prepared.at, prepared.at)
            )

    def _forget_all(self) -> None:
        for number in list(self._prepared):
            self._forget(number)
        self._ansi = False

    def end(self, at: int) -> None:
        """The connection is over."""
        for step in self._waiting:
            execution = step.execution or self._unbegun(step)
            if execution is not None and execution.sql:
                execution.place(told.unanswered(execution, at, CLOSED))
        self._waiting.clear()
        self._forget_all()

    def _unbegun(self, step: Step) -> Execution | None:
        """The execution of a command to which no reply has begun."""
        if step.command == Command.QUERY:
            sql = statements.read_query(step.payload, self._terms).sql
            return Execution(sql, step.at, self._place(step), self._ansi)
        if step.command in (Command.EXECUTE, Command.BULK_EXECUTE):
            prepared = self._prepared.get(statements.statement_in(step.payload))
            return self._begun(step, prepared) if prepared is not None else None
        return None


def _whole(one: Packet) -> bytes:
    if one.payload is None:
        raise Malformed(f"the server's packet is larger than {KEPT} bytes")
    return one.payload


_REPLIES: dict[int, Callable[[MysqlFollower, Step], Reply]] = {
    Command.QUERY: MysqlFollower._query,
    Command.PREPARE: MysqlFollower._prepare,
    Command.EXECUTE: MysqlFollower._execute,
    Command.BULK_EXECUTE: MysqlFollower._execute,
    Command.FETCH: MysqlFollower._fetch,
    Command.RESET: MysqlFollower._reset,
    Command.INIT_DB: MysqlFollower._init_db,
    Command.PROCESS_INFO: MysqlFollower._process_info,
    Command.FIELD_LIST: MysqlFollower._fields,
    Command.CHANGE_USER: MysqlFollower._change_user,
    Command.RESET_CONNECTION: MysqlFollower._reset_connection,
    Command.PING: MysqlFollower._simple,
    Command.STATISTICS: MysqlFollower._simple,
    Command.SET_OPTION: MysqlFollower._simple,
    Command.KILL: MysqlFollower._simple,
    Command.DEBUG: MysqlFollower._simple,
}
_SILENT: dict[int, Callable[[MysqlFollower, Step], None]] = {
    Command.CLOSE: MysqlFollower._close,
    Command.LONG_DATA: MysqlFollower._long_data,
}
_PLACED = frozenset({
    Command.QUERY, Command.EXECUTE, Command.BULK_EXECUTE, Command.INIT_DB, Command.PROCESS_INFO, Command.CHANGE_USER,
})  # fmt: skip
