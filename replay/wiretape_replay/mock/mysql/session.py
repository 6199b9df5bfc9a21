"""One client of a mocked MySQL: bytes in, bytes out, with the state that the real server would have. No socket.

Logins are accepted, never checked. Statements are asked for at the desk; what concerns only the connection is
simulated. Statements are numbered for each client as it prepares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wiretape_capture.protocols.mysql import packets, statements
from wiretape_capture.protocols.mysql.login import CACHING_SHA2, FAST_OK, Greeting
from wiretape_capture.protocols.mysql.packets import Column, Done, PrepareOk, Terms
from wiretape_capture.protocols.mysql.sql import (
    asks_insert_id,
    params_in,
    quotes_after,
    statement_of,
    statements_in,
)
from wiretape_capture.protocols.mysql.statements import LAST_PREPARED
from wiretape_capture.protocols.mysql.told import infile_told
from wiretape_capture.protocols.mysql.values import Type
from wiretape_capture.protocols.mysql.wire import (
    LOCAL_INFILE,
    WHOLE,
    Capability,
    Command,
    Framer,
    Malformed,
    OutOfOrder,
    Packet,
    Reader,
    Status,
    TooLarge,
    decoded,
    encoded,
    packet,
    packets_of,
)
from wiretape_capture.protocols.sql import Statement
from wiretape_replay.match.statements import parts_of_statement
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.mysql import replies
from wiretape_replay.mock.mysql.desk import MysqlDesk
from wiretape_replay.mock.mysql.login import Login
from wiretape_replay.mock.mysql.prepared import LONG_LIMIT, Cursor, Prepared
from wiretape_replay.mock.mysql.transaction import Transaction, error_of
from wiretape_replay.mock.mysql.variables import Known, answer_of, label_of, result, variables_of
from wiretape_replay.mock.sql.desk import MISS, Found
from wiretape_replay.mock.sql.recording import Error, failure_key

FILE_LIMIT = 256 * 1024 * 1024
"""Bytes of one file that are taken for LOAD DATA LOCAL INFILE."""
RESET = Statement("RESET CONNECTION", "reset connection", (), ())
"""Stands in the journal for what undoes all that is open on a connection."""
BEFORE_EXECUTION = "42"
"""Class of SQLSTATE of errors that come when a statement is prepared: syntax, unknown names."""


class Failed(Exception):
    """A statement's error, on its way to the client."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__(str(told.get("message", "")))
        self.told = told


class _Taking:
    """A LOAD DATA LOCAL INFILE that takes its file, and statements to be answered after it."""

    def __init__(self, statement: Statement, sql: str, rest: list[str]) -> None:
        self.statement = statement
        self.sql = sql
        self.rest = rest
        self.parts: list[bytes] = []
        self.size = 0


class Session:
    """One connection, from its first byte on. `take` gives what is to be sent, to begin with the greeting."""

    def __init__(self, desk: MysqlDesk, greeting: Greeting, refused: Error | None = None) -> None:
        self._desk = desk
        self._thread = str(next(desk.threads))
        self._greeting = greeting
        self._login = Login(desk, greeting, refused)
        self._terms = Terms(0)
        self._framer = Framer()
        self._number = 0
        self._out: list[bytes] = list(self._login.out)
        self._login.out.clear()
        self._transaction = Transaction()
        self._ansi = False
        self._prepared: dict[int, Prepared] = {}
        self._last_prepared = 0
        self._numbered = 0
        self._insert_id = 0
        self._last = 0
        """The exchange that answered last."""
        self._taking: _Taking | None = None
        self._several = True
        """Whether a text may have several statements."""
        self.secures = False
        self.ahead = b""
        """Bytes of TLS that came with the request for it."""
        self.closing = self._login.ends
        self.fault: Fault = ""
        self.delay = 0.0

    def feed(self, data: bytes) -> None:
        """Bytes from the client. Raises Malformed."""
        login = self._login
        if login.terms is None:
            data = login.feed(data)
            self._out += login.out
            login.out.clear()
            self.closing = login.ends
            if login.secures:
                self.secures, login.secures, self.ahead = True, False, data
                return
            if login.terms is None:
                return
            self._terms = login.terms
            self._several = bool(self._terms.capabilities & Capability.MULTI_STATEMENTS)
            self._transaction.database = login.database
        for one in self._framer.feed(data):
            if self.closing:
                return
            self._number = (one.number + 1 + one.size // WHOLE) & 0xFF
            self._packet(one)

    def take(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def take_ahead(self) -> bytes:
        """Bytes of TLS that came with the request for it; once."""
        ahead, self.ahead = self.ahead, b""
        return ahead

    @property
    def within(self) -> bool:
        """Whether the client has begun something that it did not finish."""
        return self._login.within or bool(self._framer.rest)

    @property
    def rests(self) -> bool:
        """Whether no transaction is open."""
        return not self._transaction.status & Status.IN_TRANSACTION

    @property
    def entered(self) -> bool:
        """Whether the client is in."""
        return self._login.terms is not None

    @property
    def next_number(self) -> int:
        """Of an answer to what the client sent last."""
        return self._number if self.entered else self._login.number + 1

    def _say(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            self._out.append(packet(self._number, payload))
            self._number = (self._number + packets_of(payload)) & 0xFF

    def _ok(self, done: Done | None = None) -> None:
        self._say([packets.write_ok(done or Done(status=self._transaction.status), self._terms)])

    # Commands

    def _packet(self, one: Packet) -> None:
        if self._taking is not None:
            self._take_file(self._taking, one)
            return
        if one.number:
            raise OutOfOrder(f"a command's has the number {one.number}, not 0")
        if one.payload is None:
            raise TooLarge("the mock keeps no more of one")
        try:
            self._command(one.first, one.payload)
        except Failed as failure:
            self._say([replies.error(failure.told)])

    def _command(self, command: int, payload: bytes) -> None:
        known = _COMMANDS.get(command)
        if known is None:
            raise Failed(error_of(1047, "08S01", f"wiretape: the command {command:#04x} is not answered by the mock"))
        known(self, payload)

    def _quit(self, _payload: bytes) -> None:
        self.closing = True

    def _ping(self, _payload: bytes) -> None:
        self._ok()

    def _end_of_nothing(self, _payload: bytes) -> None:
        self._say([packets.write_end(Done(status=self._transaction.status), self._terms)])

    def _statistics(self, _payload: bytes) -> None:
        self._say([b"Uptime: 1  Threads: 1  Questions: 1  Slow queries: 0"])

    def _set_option(self, payload: bytes) -> None:
        self._several = Reader(payload, 1).number(2) == 0
        self._end_of_nothing(payload)

    def _init_db(self, payload: bytes) -> None:
        self._query_text("use `" + decoded(payload[1:]).replace("`", "``") + "`")

    def _process_info(self, _payload: bytes) -> None:
        self._query_text("show processlist")

    def _reset_connection(self, _payload: bytes) -> None:
        self._forget()
        self._ok()

    def _change_user(self, payload: bytes) -> None:
        """A login of its own: any password is accepted."""
        reader = Reader(payload, 1)
        user = decoded(reader.terminated())
        secure = self._terms.capabilities & Capability.SECURE_CONNECTION
        proof = reader.take(reader.number(1)) if secure else reader.terminated()
        database = decoded(reader.terminated())
        reader.take(min(2, reader.left))
        plugin = decoded(reader.rest().partition(b"\0")[0])
        if (refused := self._desk.refusal(user, database)) is not None:
            raise Failed(refused)
        self._forget()
        self._login.user, self._transaction.database = user, database
        if plugin == CACHING_SHA2 and proof:
            self._say([bytes((1, FAST_OK))])
        self._ok()

    def _forget(self) -> None:
        self._desk.simulated(RESET, self._thread)
        database = self._transaction.database
        self._transaction = Transaction(database=database)
        self._prepared.clear()
        self._ansi, self._insert_id = False, 0

    # The text protocol

    def _query(self, payload: bytes) -> None:
        self._query_text(statements.read_query(payload, self._terms).sql)

    def _query_text(self, sql: str) -> None:
        statement = statement_of(sql, ansi=self._ansi)
        apart = statement.several and self._several and not self._desk.knows_whole(statement, self._last)
        self._go_on(statements_in(sql) if apart else [sql])

    def _go_on(self, texts: list[str]) -> None:
        """Answer statements in turn, up to one that wants a file. Raises Failed."""
        while texts:
            sql = texts.pop(0)
            statement = statement_of(sql, ansi=self._ansi)
            if self._wants_file(statement):
                self._taking = _Taking(statement, sql, texts)
                self._say([bytes((LOCAL_INFILE,)) + encoded(str(statement.constants[0]))])
                return
            self._answer(self._run(statement, sql, self._document(sql)), binary=False, more=bool(texts))

    def _document(self, sql: str) -> dict[str, Any]:
        return {"sql": sql} | ({"ansi": True} if self._ansi else {})

    def _wants_file(self, statement: Statement) -> bool:
        local = statement.command == "LOAD" and " local infile ?" in statement.template
        return local and bool(self._terms.capabilities & Capability.LOCAL_FILES)

    def _take_file(self, taking: _Taking, one: Packet) -> None:
        """A part of a file; an empty one ends it."""
        if one.size:
            if one.payload is not None and taking.size + one.size <= FILE_LIMIT:
                taking.parts.append(one.payload)
                taking.size += one.size
            return
        self._taking = None
        document = self._document(taking.sql) | {"infile": infile_told(b"".join(taking.parts))}
        try:
            found = self._run(taking.statement, taking.sql, document)
            self._answer(found, binary=False, more=bool(taking.rest))
            self._go_on(taking.rest)
        except Failed as failure:
            self._say([replies.error(failure.told)])

    def _answer(self, found: Found, *, binary: bool, more: bool = False) -> None:
        """All results of a statement. Raises Failed where they end in an error."""
        if self.closing:
            return
        for at, one in enumerate(found.results):
            last = at + 1 == len(found.results) and found.error is None and not more
            status = self._transaction.status | (0 if last else Status.MORE_RESULTS)
            breaks = found.error is not None and at + 1 == len(found.results) and bool(one.get("suspended"))
            try:
                told = replies.whole(one, self._terms, status, found.spell, binary=binary)
                self._say(told[:-1] if breaks else told)  # the error comes in place of the end
            except ValueError as error:
                raise Failed(_unfit(found, error)) from None
        if found.error is not None:
            raise Failed(found.error)
        if not found.results:
            self._ok()

    # Running

    def _run(self, statement: Statement, sql: str, document: dict[str, Any]) -> Found:
        """The answer to a statement, simulated or recorded; an error is part of it."""
        if not statement.template:
            return Found(error=error_of(1065, "42000", "Query was empty"))
        if statement.session:
            return self._simulate(statement, sql)
        if asks_insert_id(statement):
            self._desk.simulated(statement, self._thread)
            return Found([result([label_of(sql)], [[str(self._insert_id)]])])
        if (probed := self._probed(statement, sql)) is not None:
            self._desk.simulated(statement, self._thread)
            return Found([probed])
        found = self._desk.find(document, self._thread)
        self._last = found.sequence or self._last
        self.delay += found.delay
        if found.fault:
            self.fault, self.closing = found.fault, True
        code = int(found.error.get("code", 0)) if found.error is not None else 0
        self._transaction.ran(statement, sql, code)
        for one in found.results:
            self._insert_id = replies.done_of(one, 0, found.spell).insert_id or self._insert_id
        if statement.several:
            self._follow(sql)
        return found

    def _follow(self, sql: str) -> None:
        """What a text of several statements, answered as a whole, did to the connection."""
        for each in statements_in(sql):
            statement = statement_of(each, ansi=self._ansi)
            if statement.session:
                self._transaction.simulate(statement, each)

    def _simulate(self, statement: Statement, sql: str) -> Found:
        recorded = self._desk.recording.failed.get(failure_key(statement, self._last))
        error = recorded if recorded is not None else self._transaction.simulate(statement, sql)
        self._desk.simulated(statement, self._thread, str(error.get("state", "HY000")) if error is not None else "")
        if recorded is not None:
            return Found(error=recorded)
        self._ansi = quotes_after(sql, self._ansi)
        return Found([{}] if error is None else [], error=error)

    def _probed(self, statement: Statement, sql: str) -> dict[str, Any] | None:
        """The result of a driver's probe that was not recorded."""
        if self._desk.knows(statement.template):
            return None
        version = self._greeting.version.removeprefix("5.5.5-")
        variables = variables_of(version, self._desk.recording.variables, self._transaction.settings)
        known = Known(version, self._login.user, self._transaction.database, self._greeting.connection, variables)
        return answer_of(statement, sql, known)

    # The binary protocol

    def _prepare(self, payload: bytes) -> None:
        sql = decoded(payload[1:])
        statement = statement_of(sql, ansi=self._ansi)
        self._numbered += 1  # also for one that fails, as the servers do
        columns = self._columns(statement, sql)
        count, number = params_in(statement), self._numbered
        self._prepared[number] = Prepared(sql, statement, count, columns, self._ansi)
        self._last_prepared = number
        status = self._transaction.status
        told = [packets.write_prepared(PrepareOk(number, len(columns), count, 0))]
        if count:
            told += packets.write_columns([Column("?", Type.VAR_STRING)] * count, self._terms, status)
        if columns:
            told += packets.write_columns(columns, self._terms, status)
        self._say(told)

    def _columns(self, statement: Statement, sql: str) -> tuple[Column, ...]:
        """What a prepared statement gives. Raises Failed for one that cannot be prepared."""
        if not statement.template:
            raise Failed(error_of(1065, "42000", "Query was empty"))
        if statement.session:
            return ()
        if asks_insert_id(statement):
            return replies.columns_in(result([label_of(sql)], [["0"]])) or ()
        if (probed := self._probed(statement, sql)) is not None:
            return replies.columns_in(probed) or ()
        document = self._document(sql)
        shape = self._desk.shape(parts_of_statement("", document, self._desk.recording.protocol).path)
        if shape is None:
            raise Failed(self._desk.undescribed(document, self._thread).error or {})
        early = shape.error is not None and str(shape.error.get("state", "")).startswith(BEFORE_EXECUTION)
        if early and not shape.described:
            raise Failed(self._desk.find(document, self._thread).error or shape.error or {})
        return shape.columns or ()

    def _statement(self, payload: bytes) -> Prepared:
        number = statements.statement_in(payload)
        prepared = self._prepared.get(self._last_prepared if number == LAST_PREPARED else number)
        if prepared is None:
            raise Failed(error_of(1243, "HY000", f"Unknown prepared statement handler ({number}) given to the server"))
        return prepared

    def _execute(self, payload: bytes) -> None:
        prepared = self._statement(payload)
        prepared.cursor = None
        sent = statements.read_execute(payload, self._terms, prepared.params, prepared.types, prepared.long)
        prepared.types = sent.types
        prepared.long.clear()
        document = prepared.document() | {"params": sent.params, "types": list(sent.types)}
        found = self._run(prepared.statement, prepared.sql, document)
        if sent.cursor and found.error is None and len(found.results) == 1 and "columns" in found.results[0]:
            self._open(prepared, found)
        else:
            self._answer(found, binary=True)

    def _bulk(self, payload: bytes) -> None:
        prepared = self._statement(payload)
        _, prepared.types, rows = statements.read_bulk(payload, prepared.params, prepared.types)
        document = prepared.document() | {"bulk": rows, "types": list(prepared.types)}
        self._answer(self._run(prepared.statement, prepared.sql, document), binary=True)

    def _open(self, prepared: Prepared, found: Found) -> None:
        """Answer with a cursor: the rows are fetched later."""
        one = found.results[0]
        columns = replies.columns_in(one) or ()
        try:
            rows = replies.rows_of(one, columns, found.spell, binary=True)
        except ValueError as error:
            raise Failed(_unfit(found, error)) from None
        prepared.cursor = Cursor(rows, whole=not one.get("suspended"))
        status = self._transaction.status | Status.CURSOR_EXISTS
        told = [*replies.described(columns, self._terms, status)]
        if self._terms.short_end:
            told.append(packets.write_end(Done(status=status), self._terms))
        if not self.closing:
            self._say(told)

    def _fetch(self, payload: bytes) -> None:
        cursor = self._statement(payload).cursor
        if cursor is None:
            raise Failed(error_of(1421, "HY000", "The statement has no open cursor."))
        until = cursor.given + statements.read_fetch(payload)
        rows, status = cursor.rows[cursor.given : until], self._transaction.status
        cursor.given = min(until, len(cursor.rows))
        if until <= len(cursor.rows):
            status |= Status.CURSOR_EXISTS
        elif cursor.whole:
            status |= Status.LAST_ROW_SENT
        else:
            raise Failed(error_of(1105, "HY000", f"{MISS} wiretape: the app fetches more rows than were recorded; "
                                  "record again"))  # fmt: skip
        self._say([*rows, packets.write_end(Done(status=status), self._terms)])

    def _reset(self, payload: bytes) -> None:
        prepared = self._statement(payload)
        prepared.cursor = None
        prepared.long.clear()
        self._ok()

    def _close(self, payload: bytes) -> None:
        self._prepared.pop(statements.statement_in(payload), None)

    def _long_data(self, payload: bytes) -> None:
        number, at, data = statements.read_long_data(payload)
        if (prepared := self._prepared.get(number)) is not None:
            prepared.long[at] = prepared.long.get(at, b"") + data
            if sum(map(len, prepared.long.values())) > LONG_LIMIT:
                raise Malformed("a value that is sent in parts is too long")


def _unfit(found: Found, error: ValueError) -> dict[str, Any]:
    problem = f"wiretape: exchange {found.sequence} cannot be given in the protocol that is asked for: {error}"
    return error_of(1105, "HY000", f"{problem}; record again with this driver")


_COMMANDS: dict[int, Callable[[Session, bytes], None]] = {
    Command.QUIT: Session._quit,
    Command.INIT_DB: Session._init_db,
    Command.QUERY: Session._query,
    Command.FIELD_LIST: Session._end_of_nothing,
    Command.STATISTICS: Session._statistics,
    Command.PROCESS_INFO: Session._process_info,
    Command.PING: Session._ping,
    Command.KILL: Session._ping,
    Command.DEBUG: Session._end_of_nothing,
    Command.CHANGE_USER: Session._change_user,
    Command.RESET_CONNECTION: Session._reset_connection,
    Command.SET_OPTION: Session._set_option,
    Command.PREPARE: Session._prepare,
    Command.EXECUTE: Session._execute,
    Command.BULK_EXECUTE: Session._bulk,
    Command.FETCH: Session._fetch,
    Command.RESET: Session._reset,
    Command.CLOSE: Session._close,
    Command.LONG_DATA: Session._long_data,
}
