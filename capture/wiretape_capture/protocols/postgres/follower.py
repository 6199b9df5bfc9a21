"""Follows one connection from its AuthenticationOk on: which reply belongs to which message, and what was executed.

Pure. Messages of the client wait in a queue; replies come in its order. What the client prepares counts from the
server's reply on, because after an error the server skips everything up to the next Sync (§55.2.3).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from wiretape_capture.protocols.observed import Book, Emit
from wiretape_capture.protocols.postgres import told, wire
from wiretape_capture.protocols.postgres.cells import codec_of, to_cell
from wiretape_capture.protocols.postgres.sql import cursor_of, statement_of
from wiretape_capture.protocols.postgres.steps import Execution, Portal, Prepared, Result, Step
from wiretape_capture.protocols.postgres.wire import Framer, Malformed, Message

WAITING_LIMIT = 64 * 1024 * 1024
"""Bytes of messages without a reply that are kept of one connection."""
CLOSED = "the connection ended first"


class PostgresFollower:
    """One connection. `startup` are the parameters of its StartupMessage."""

    def __init__(self, book: Book, startup: dict[str, str], at: int) -> None:
        self._book = book
        self._startup = startup
        self._from_client, self._from_server = Framer(), Framer()
        self._waiting: deque[Step] = deque([Step(b"0", at, place=book(at))])
        self._waiting_bytes = 0
        self._skipping = False
        """An error came and the Sync that ends it is not here yet."""
        self._copying = False
        self._prepared: dict[bytes, Prepared] = {}
        self._portals: dict[bytes, Portal] = {}
        self._cursors: dict[str, str] = {}
        self._parameters: dict[str, str] = {}
        self._finished: tuple[Execution, int] | None = None
        """The last execution that ended; an error may still come with its Sync."""

    @property
    def _encoding(self) -> str:
        return codec_of(self._parameters.get("client_encoding", "UTF8"))

    # The client's side

    def client(self, data: bytes, at: int) -> None:
        """Bytes from the client. Raises Malformed."""
        for message in self._from_client.feed(data):
            step = self._step(message, at)
            if step is None or (self._skipping and step.kind != b"S"):
                continue
            self._skipping = False
            self._waiting.append(step)
            self._waiting_bytes += step.size
            if self._waiting_bytes > WAITING_LIMIT:
                raise Malformed("too many messages wait for their replies")

    def _step(self, message: Message, at: int) -> Step | None:
        kind, payload = message.kind, message.payload
        if kind in b"dcf":
            self._copy_in(kind, payload)
            return None
        if kind == b"S" and self._copying:
            return None  # the server ignores it while it takes data (§55.2.6)
        if kind in b"HXp":
            return None
        if payload is None:
            raise Malformed(f"a message {kind!r} is larger than {wire.KEPT} bytes")
        step = Step(kind, at, len(payload) + 64)
        match kind:
            case b"Q":
                step.place = self._book(at)
                sql = payload.rstrip(b"\0").decode(self._encoding, "replace")
                step.execution = Execution(sql, at, step.place)
            case b"P":
                step.parse = wire.read_parse(payload)
            case b"B":
                step.bind = wire.read_bind(payload)
            case b"D" | b"C":
                step.target = wire.read_target(payload)
            case b"E":
                step.target = (b"P", wire.read_execute(payload)[0])
                step.place = self._book(at)
            case b"S" | b"F":
                pass
            case _:
                raise Malformed(f"the client sent an unknown message {kind!r}")
        return step

    def _copy_in(self, kind: bytes, payload: bytes | None) -> None:
        """Data of a COPY FROM: of the one that runs, else of the last that was asked for, before it runs."""
        running = self._running() if self._copying else None
        if running is not None:
            self._copying = kind == b"d"
            if kind == b"d" and payload is not None and running.copied_in is not None and running.admits(len(payload)):
                running.copied_in.append(payload)
            return
        last = self._waiting[-1] if self._waiting else None
        if last is None or last.kind not in b"EQ" or last.ended:
            return  # left over from one that failed
        last.ended = kind != b"d"
        if kind == b"d" and payload is not None:
            last.ahead.append(payload)
            last.size += len(payload)
            self._waiting_bytes += len(payload)

    # The server's side

    def server(self, data: bytes, at: int) -> None:
        """Bytes from the server. Raises Malformed."""
        for message in self._from_server.feed(data):
            self._reply(message, at)

    def _reply(self, message: Message, at: int) -> None:
        kind, payload = message.kind, message.payload
        if kind == b"D":
            self._row(payload)
            return
        if kind == b"d":
            self._copy_out(payload)
            return
        if payload is None:
            raise Malformed(f"the server's message {kind!r} is larger than {wire.KEPT} bytes")
        if kind == b"E":
            self._error(payload, at)
            return
        if kind in b"NAS":
            self._aside(kind, payload, at)
            return
        self._settle()
        reply = _REPLIES.get(kind)
        if reply is not None:
            reply(self, payload, at)
        elif kind not in b"KRvcV":
            raise Malformed(f"the server sent an unknown message {kind!r}")

    def _head(self, *kinds: bytes) -> Step:
        if not self._waiting or self._waiting[0].kind not in kinds:
            waits = self._waiting[0].kind if self._waiting else None
            raise Malformed(f"a reply to {kinds[0]!r} came where {waits!r} waits for one")
        return self._waiting[0]

    def _pop(self) -> Step:
        step = self._waiting.popleft()
        self._waiting_bytes -= step.size
        return step

    def _aside(self, kind: bytes, payload: bytes, at: int) -> None:
        """What comes between replies and takes no place in their order."""
        if kind == b"S":
            reader = wire.Reader(payload)
            name = reader.text().decode("utf-8", "replace")
            self._parameters[name] = reader.text().decode("utf-8", "replace")
        elif kind == b"A":
            self._book(at)(told.notification(payload, at, self._encoding))
        elif (execution := self._running()) is not None and execution.admits(len(payload)):
            execution.notices.append(wire.read_fields(payload))

    def _parsed(self, _payload: bytes, _at: int) -> None:
        self._head(b"P")
        parse = self._pop().parse
        assert parse is not None
        self._forget_prepared(parse.name)
        self._prepared[parse.name] = Prepared(parse.sql.decode(self._encoding, "replace"), list(parse.types))

    def _bound(self, _payload: bytes, _at: int) -> None:
        self._head(b"B")
        bind = self._pop().bind
        assert bind is not None
        prepared = self._prepared.get(bind.statement)
        if prepared is None:
            # SQL's own PREPARE makes statements that can be bound, too.
            prepared = Prepared(f"EXECUTE {bind.statement.decode(self._encoding, 'replace')}", [])
        self._end_portal(bind.portal)
        self._portals[bind.portal] = Portal(prepared, bind)

    def _closed(self, _payload: bytes, _at: int) -> None:
        self._head(b"C")
        kind, name = self._pop().target
        if kind == b"S":
            self._forget_prepared(name)
        else:
            self._end_portal(name)

    def _types(self, payload: bytes, at: int) -> None:
        kind, name = self._head(b"D").target
        prepared = self._prepared.get(name)
        if kind == b"S" and prepared is not None:
            prepared.types, prepared.described_at = list(wire.read_types(payload)), at

    def _columns(self, payload: bytes, at: int) -> None:
        step = self._head(b"D", b"Q")
        columns = wire.read_columns(payload)
        if step.kind == b"Q":
            assert step.execution is not None
            step.execution.results.append(Result(columns))
        else:
            self._described(self._pop(), columns, at)

    def _no_columns(self, _payload: bytes, at: int) -> None:
        self._head(b"D")
        self._described(self._pop(), None, at)

    def _described(self, step: Step, columns: tuple[wire.Column, ...] | None, at: int) -> None:
        kind, name = step.target
        if kind == b"S":
            if (prepared := self._prepared.get(name)) is not None:
                prepared.columns = columns
        elif (portal := self._portals.get(name)) is not None:
            # Drivers describe the first portal of a statement and know the columns of the next ones from it.
            portal.columns = portal.prepared.columns = columns
        elif (declared := self._cursors.get(name.decode(self._encoding, "replace"))) is not None:
            self._book(at)(told.described(declared, [], columns, step.at, at, cursor=True))

    def _row(self, payload: bytes | None) -> None:
        step = self._head(b"E", b"Q")
        execution = self._execution(step)
        if payload is None:
            execution.dropped += 1
        elif execution.admits(len(payload)):
            result, row, encoding = execution.last, wire.read_row(payload), self._encoding
            if result.columns is None:
                result.columns = tuple(
                    wire.Column("?column?", 0, 0, 0, -1, -1) for _ in row
                )  # nobody asked what they are
            columns, forms = result.columns, self._result_formats(step)
            result.rows.append([
                to_cell(columns[at].type if at < len(columns) else 0,
                        columns[at].format if forms is None and at < len(columns) else wire.format_at(forms or (), at),
                        raw, encoding)
                for at, raw in enumerate(row)
            ])  # fmt: skip

    def _result_formats(self, step: Step) -> tuple[int, ...] | None:
        """The formats that Bind asked for; None in the simple protocol, where the description says them."""
        portal = self._portals.get(step.target[1]) if step.kind == b"E" else None
        return None if portal is None else portal.bind.results

    def _execution(self, step: Step) -> Execution:
        if step.execution is None:
            step.execution = self._begun(step)
        return step.execution

    def _begun(self, step: Step) -> Execution:
        """The execution of a portal: a new one, or the one that was suspended."""
        portal = self._portals.get(step.target[1])
        if portal is None:
            return Execution("", step.at, self._place(step))
        if portal.execution is None:
            prepared, bind = portal.prepared, portal.bind
            prepared.executed = True
            types = [*prepared.types, *[0] * (len(bind.values) - len(prepared.types))]
            params = [to_cell(types[at], wire.format_at(bind.formats, at), raw, self._encoding)
                      for at, raw in enumerate(bind.values)]  # fmt: skip
            columns = portal.columns or prepared.columns
            portal.execution = Execution(prepared.sql, step.at, self._place(step), params, types[: len(params)],
                                         [Result(columns)])  # fmt: skip
        portal.execution.last.suspended = False
        return portal.execution

    def _complete(self, payload: bytes, at: int) -> None:
        step = self._head(b"E", b"Q")
        execution = self._execution(step)
        result = execution.results[-1] if execution.results and not execution.results[-1].tag else Result()
        if not execution.results or execution.results[-1] is not result:
            execution.results.append(result)
        result.tag = payload.rstrip(b"\0").decode("utf-8", "replace")
        self._copying = False
        if step.kind == b"E":
            self._executed(execution, step, at)

    def _empty(self, _payload: bytes, at: int) -> None:
        step = self._head(b"E", b"Q")
        execution = self._execution(step)
        if step.kind == b"E":
            execution.results.clear()
            self._executed(execution, step, at)

    def _executed(self, execution: Execution, step: Step, at: int) -> None:
        self._pop()
        if (portal := self._portals.get(step.target[1])) is not None:
            portal.execution = None
        self._settle()
        self._finished = (execution, at)

    def _suspended(self, _payload: bytes, _at: int) -> None:
        self._execution(self._head(b"E")).last.suspended = True
        self._pop()

    def _copy_begins(self, payload: bytes, out: bool) -> None:
        step = self._head(b"E", b"Q")
        execution = self._execution(step)
        reader = wire.Reader(payload)
        result = execution.last
        if result.tag:
            execution.results.append(result := Result())
        result.copy_format = [*reader.take(1), *reader.numbers()]
        result.columns = None
        if out:
            result.copied = []
            return
        execution.copied_in = [each for each in step.ahead if execution.admits(len(each))]
        self._copying = not step.ended
        while self._copying and len(self._waiting) > 1 and self._waiting[1].kind == b"S":
            del self._waiting[1]  # sent ahead, and ignored by the server

    def _copy_in_begins(self, payload: bytes, _at: int) -> None:
        self._copy_begins(payload, out=False)

    def _copy_out_begins(self, payload: bytes, _at: int) -> None:
        self._copy_begins(payload, out=True)

    def _copy_out(self, payload: bytes | None) -> None:
        execution = self._running()
        if execution is None or execution.last.copied is None:
            raise Malformed("data of a COPY came where none was begun")
        if payload is None:
            execution.dropped += 1
        elif execution.admits(len(payload)):
            execution.last.copied.append(payload)

    def _running(self) -> Execution | None:
        """What is being answered."""
        if not self._waiting or self._waiting[0].kind not in (b"E", b"Q"):
            return None
        return self._execution(self._waiting[0])

    def _ready(self, payload: bytes, at: int) -> None:
        step = self._head(b"S", b"Q", b"F", b"0")
        self._pop()
        if step.kind == b"0":
            self._place(step)(told.connected(self._startup, self._parameters, step.at, at))
        elif step.execution is not None:
            self._tell(step.execution, at)
        if payload == b"I":
            for name in list(self._portals):
                self._end_portal(name)

    def _error(self, payload: bytes, at: int) -> None:
        fields = wire.read_fields(payload)
        step = self._waiting[0] if self._waiting else None
        self._copying = False
        if step is None:
            if told.is_last(fields):
                self._book(at)(told.ended(fields, at))
            return
        if step.kind == b"0":
            self._place(self._pop())(told.refused(self._startup, fields, step.at, at))
            return
        if step.kind == b"Q":
            assert step.execution is not None
            self._settle()
            self._tell(step.execution, at, fields, done=False)
            step.execution = None
            return
        if step.kind == b"S":
            execution, self._finished = (self._finished or (None, 0))[0], None
            if execution is not None:
                self._tell(execution, at, fields)
            return
        self._settle()
        self._tell(self._failed(step), at, fields)
        while self._waiting and self._waiting[0].kind != b"S":
            self._pop()
        self._skipping = not self._waiting

    def _failed(self, step: Step) -> Execution:
        """The execution that a failed step was meant for: errors come at Parse, Bind, Describe or Execute."""
        if step.kind == b"E":
            execution = self._execution(step)
            if (portal := self._portals.get(step.target[1])) is not None:
                portal.execution = None
            return execution
        if step.parse is not None:
            parse = step.parse
            sql = parse.sql.decode(self._encoding, "replace")
            return Execution(sql, step.at, self._place(step), None, list(parse.types))
        if step.bind is not None:
            return self._failed_bind(step.bind, step)
        prepared = self._prepared.get(step.target[1])
        return Execution(prepared.sql if prepared is not None else "", step.at, self._place(step))

    def _failed_bind(self, bind: wire.Bind, step: Step) -> Execution:
        prepared = self._prepared.get(bind.statement)
        if prepared is None:
            return Execution("", step.at, self._place(step))
        prepared.executed = True
        types = [*prepared.types, *[0] * (len(bind.values) - len(prepared.types))]
        params = [to_cell(types[n], wire.format_at(bind.formats, n), raw, self._encoding)
                  for n, raw in enumerate(bind.values)]  # fmt: skip
        return Execution(prepared.sql, step.at, self._place(step), params, types[: len(params)])

    def _place(self, step: Step) -> Emit:
        return step.place or self._book(step.at)

    # What is told

    def _settle(self) -> None:
        """Tell of the last execution: nothing can change it any more."""
        if self._finished is not None:
            (execution, at), self._finished = self._finished, None
            self._tell(execution, at)

    def _tell(self, execution: Execution, at: int, fields: dict[str, str] | None = None, *, done: bool = True) -> None:
        if not execution.sql and fields is None and done and not execution.results:
            return
        statement = statement_of(execution.sql)
        name = cursor_of(execution.sql)
        if statement.command == "DECLARE" and name and fields is None:
            self._cursors[name] = execution.sql
        elif name:
            execution.cursor = self._cursors.get(name, "")
        execution.place(told.executed(statement, execution, at, fields))

    def _end_portal(self, name: bytes) -> None:
        """A portal goes; one that was suspended gave only a part of its rows."""
        portal = self._portals.pop(name, None)
        if portal is not None and portal.execution is not None:
            self._tell(portal.execution, portal.execution.started)

    def _forget_prepared(self, name: bytes) -> None:
        """A statement goes; one that was described and never executed is told as that."""
        prepared = self._prepared.pop(name, None)
        if prepared is not None and prepared.described_at and not prepared.executed:
            at = prepared.described_at
            self._book(at)(told.described(prepared.sql, prepared.types, prepared.columns, at, at))

    def end(self, at: int) -> None:
        """The connection is over."""
        self._settle()
        for name in list(self._portals):
            self._end_portal(name)
        for name in list(self._prepared):
            self._forget_prepared(name)
        for step in self._waiting:
            if step.kind in b"EQ" and (execution := self._execution(step)).sql:
                execution.place(told.unanswered(statement_of(execution.sql), execution, at, CLOSED))
        self._waiting.clear()


_REPLIES: dict[bytes, Callable[[PostgresFollower, bytes, int], None]] = {
    b"1": PostgresFollower._parsed,
    b"2": PostgresFollower._bound,
    b"3": PostgresFollower._closed,
    b"t": PostgresFollower._types,
    b"T": PostgresFollower._columns,
    b"n": PostgresFollower._no_columns,
    b"C": PostgresFollower._complete,
    b"I": PostgresFollower._empty,
    b"s": PostgresFollower._suspended,
    b"G": PostgresFollower._copy_in_begins,
    b"H": PostgresFollower._copy_out_begins,
    b"Z": PostgresFollower._ready,
}
