"""One client of a mocked Postgres: bytes in, bytes out, with the state that the real server would have. No socket.

Logins are accepted, never checked. Statements are asked for at the desk; what concerns only the connection is
simulated. After an error of the extended protocol everything up to the next Sync is skipped (§55.2.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.cells import codec_of, to_block
from wiretape_capture.protocols.postgres.sql import cursor_of, statement_of, statements_in
from wiretape_capture.protocols.postgres.told import is_last
from wiretape_capture.protocols.postgres.wire import Framer, Malformed, Message
from wiretape_capture.protocols.sql import Statement
from wiretape_replay.match.statements import parts_of_statement
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.journal import Journal, Pen
from wiretape_replay.mock.postgres import replies
from wiretape_replay.mock.postgres.desk import PostgresDesk
from wiretape_replay.mock.postgres.leave import Leave
from wiretape_replay.mock.postgres.login import Login
from wiretape_replay.mock.postgres.mailbox import Mailbox
from wiretape_replay.mock.postgres.prepared import Copying, Held, Portal, Prepared, bound, with_cursor
from wiretape_replay.mock.postgres.recording import UNSAID_TYPE, Farewell
from wiretape_replay.mock.postgres.replies import columns_in
from wiretape_replay.mock.postgres.settings import REPORTED, Reports
from wiretape_replay.mock.postgres.shortcut import Given, Shortcut, is_plain
from wiretape_replay.mock.postgres.transaction import Failed, Transaction, error_of, probe
from wiretape_replay.mock.sql.desk import Found
from wiretape_replay.mock.sql.recording import failure_key

NOT_UNDERSTOOD = ("42", "3D", "3F", "0A")
"""Classes of SQLSTATE that come before a statement can be described: syntax, unknown names."""
RESETS = frozenset({"CLOSE", "UNLISTEN", "RESET"})
"""Commands that, where they find nothing to do, find nothing again while what is remembered is not forgotten."""
COPY_LIMIT = 256 * 1024 * 1024
"""Bytes of one COPY that are taken."""

type Tell = Callable[[list[tuple[str, str]]], None]
"""Brings notifications to every session."""


class Session:
    """One connection, from its first byte on. `take` gives what is to be sent."""

    def __init__(self, desk: PostgresDesk, tell: Tell, *, offers_tls: bool = False) -> None:
        self._login = Login(desk, offers_tls=offers_tls)
        self.secures = False
        """The client was just told to go on in TLS."""
        self._desk = desk
        self._thread = str(next(desk.threads))
        self._tell = tell
        self._framer = Framer(kinds=wire.FRONTEND)
        self._shortcut = Shortcut(desk.room)
        self._out: list[bytes] = []
        self._transaction = Transaction()
        self._held = Held()
        self._prepared, self._portals, self._cursors = self._held.statements, self._held.portals, self._held.cursors
        self._skipping = False
        self._copying: Copying | None = None
        self._last = 0
        """The exchange that answered last."""
        self._mail = Mailbox()
        self._leave = Leave()
        self.closing = False
        self.fault: Fault = ""
        """How the connection is to end, where the recorded one broke off."""
        self.delay = 0.0

    def feed(self, data: bytes) -> None:
        """Bytes from the client. Raises Malformed."""
        login = self._login
        if login.parameters is None:
            data = login.feed(data)
            self._out += login.out
            login.out.clear()
            self.closing, self.secures, login.secures = login.ends, login.secures, False
        if login.parameters is not None and data:
            self._read(data)

    def _read(self, data: bytes) -> None:
        answer = self.again(data, self._desk.journal)
        if answer is not None:
            self._out.append(answer)
            return
        state, rests = self._transaction.state, self._at_rest
        before, done = len(self._out), self._desk.journal.recorded
        lines = self._desk.settled = list[bytes]()
        messages = []
        for message in self._framer.feed(data):
            if self.closing:
                return
            messages.append(message)
            self._message(message)
        kept = lines and rests and self._at_rest and self._transaction.state == state and is_plain(messages)
        if kept and self._desk.journal.recorded - done == len(lines):
            answered = Given.of(b"".join(self._out[before:]), lines, self._last, self._prepared.get(b""),
                                self._portals.get(b""))  # fmt: skip
            self._shortcut.keep(state, data, answered)

    @property
    def _at_rest(self) -> bool:
        """Whether nothing is under way and nothing waits to be told."""
        under_way = self._skipping or self._copying is not None or self.closing or self.delay or self._framer.rest
        ends = self._leave.farewell is not None
        return not (under_way or ends or self._mail.waits or self._cursors or self._transaction.state == "E")

    @property
    def alone(self) -> bool:
        """Whether nothing can come to the client but answers to what it sends."""
        return self._at_rest and not self._transaction.channels

    def again(self, data: bytes, pen: Journal | Pen) -> bytes | None:
        """The answer to a group of messages that is settled, and came before; None for anything else."""
        if self._login.parameters is None or not self._at_rest:
            return None
        given = self._shortcut.answer(self._transaction.state, data, pen)
        if given is None:
            return None
        self._last = given.last or self._last
        if given.prepared is not None:
            self._prepared[b""] = given.prepared
        if given.portal is not None:
            self._portals[b""] = given.portal
        return given.data

    def close(self) -> None:
        """The client is gone."""
        self._shortcut.forget()

    def take(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def within(self) -> bool:
        """Whether the client has begun something that it did not finish."""
        return bool(self._login.within or self._framer.rest)

    @property
    def rests(self) -> bool:
        """Whether no transaction is open."""
        return self._transaction.state == "I"

    def notify(self, told: list[tuple[str, str]]) -> None:
        """Notifications came from a session; they wait while a transaction is open."""
        self._mail.arrive(told, self._transaction.channels)
        if self._transaction.state == "I" and not self._skipping and self._copying is None:
            self._out += self._mail.delivered()

    @property
    def _encoding(self) -> str:
        return codec_of((self._login.parameters or {}).get("client_encoding", "UTF8"))

    def take_leave(self, sequence: int) -> None:
        """The connection ends if the recorded one had before an exchange."""
        if not self.closing and (farewell := self._leave.before(sequence)) is not None:
            self._end(farewell)

    def _end(self, farewell: Farewell) -> None:
        self._desk.ended(farewell, self._thread)
        self._out.append(replies.fields(b"E", farewell.fields, self._encoding))
        self.closing = True

    # Messages

    def _message(self, message: Message) -> None:
        kind, payload = message.kind, message.payload
        if (farewell := self._leave.instead_of(kind)) is not None:
            self._end(farewell)
            return
        if self._copying is not None and kind in b"dcfHS":
            self._copy_in(kind, payload)
            return
        if payload is None:
            raise Malformed(
                f"invalid message length: a message {kind.decode('latin-1')!r} is larger than {wire.KEPT} bytes"
            )
        if kind == b"X":
            self.closing = True
        elif kind == b"S":
            self._skipping = False
            self._ready()
        elif kind in b"dcfHp" or self._skipping:
            return  # left over from a COPY that failed, a Flush, a password that nobody asked for, or to be skipped
        elif kind == b"Q":
            self._query(payload.rstrip(b"\0").decode(self._encoding, "replace"))
        else:
            self._extended(kind, payload)

    def _extended(self, kind: bytes, payload: bytes) -> None:
        try:
            match kind:
                case b"P":
                    self._parse(wire.read_parse(payload))
                case b"B":
                    self._bind(wire.read_bind(payload))
                case b"D":
                    self._describe(*wire.read_target(payload))
                case b"E":
                    self._execute(*wire.read_execute(payload))
                case b"C":
                    self._close(*wire.read_target(payload))
                case _:
                    raise Malformed(f"invalid frontend message type {kind[0]}")
        except Failed as failure:
            self._fail(failure)
            self._skipping = True

    def _fail(self, failure: Failed) -> None:
        self.closing |= is_last(failure.fields)
        self._out.append(replies.fields(b"E", failure.fields, self._encoding))
        self._report(self._transaction.fail())

    def _ready(self) -> None:
        if self.closing:
            return
        self._leave.ready()
        if self._transaction.state == "I":
            self._portals.clear()
            if mine := self._mail.posted():
                self._tell(mine)
            self._out += self._mail.delivered()
        self._out.append(replies.ready(self._transaction.state))

    # The simple protocol

    def _query(self, sql: str) -> None:
        statement = statement_of(sql)
        whole = not statement.several or self._desk.knows_whole(statement, self._last)
        self._go_on([sql] if whole else statements_in(sql))

    def _go_on(self, texts: list[str]) -> None:
        """Answer statements in turn, up to one that wants data."""
        try:
            while texts:
                sql = texts.pop(0)
                if self._begins_copy(statement_of(sql), {"sql": sql}, texts):
                    return
                self._answer_simply(sql)
                if self.closing:
                    return
        except Failed as failure:
            self._fail(failure)
        self._ready()

    def _answer_simply(self, sql: str) -> None:
        statement = statement_of(sql)
        if not statement.template:
            self._out.append(replies.complete(""))
            return
        found = self._run(statement, sql, with_cursor({"sql": sql}, self._cursors))
        for result in found.results:
            self._result(result, found)
        if found.error is not None:
            raise Failed(found.error)
        if statement.several:
            self._transaction.follow(sql)

    def _result(self, result: dict[str, Any], found: Found) -> None:
        """One result of the simple protocol: everything as text."""
        columns = columns_in(result)
        if "copy" in result:
            self._out.append(replies.copied_out(result))
        elif columns is not None:
            self._out.append(wire.write_columns(columns, (), self._encoding))
            self._out += self._rows(result, columns, (), found)
        if result.get("tag"):
            self._out.append(replies.complete(result["tag"]))

    def _rows(self, result: dict[str, Any], columns: Any, formats: tuple[int, ...], found: Found) -> list[bytes]:
        try:
            return replies.rows_of(result, columns, formats, self._encoding, found.spell)
        except ValueError as error:
            problem = f"wiretape: exchange {found.sequence} cannot be given in the format that is asked for: {error}"
            raise Failed(error_of("0A000", problem, H="record again with this driver")) from None

    # Running

    def _run(self, statement: Statement, sql: str, document: dict[str, Any]) -> Found:
        """The answer to a statement, simulated or recorded. Raises Failed."""
        refused = self._transaction.refusal(statement)
        if refused is not None:
            raise Failed(refused)
        if statement.session:
            return self._simulate(statement, sql)
        if (told := self._known_here(statement)) is not None:
            self._desk.simulated(statement, self._thread, settled=statement.command != "SHOW")
            return Found([replies.single_value(*told, "SHOW" if statement.command == "SHOW" else "SELECT 1")])
        found = self._desk.find(document, self._thread)
        self._last = found.sequence or self._last
        self._leave.answered(self._desk.farewell(found.sequence))
        self._mail.mine += found.notifications
        self.delay += found.delay
        if found.fault:
            self.fault, self.closing = found.fault, True
        self._out += [replies.fields(b"N", notice, self._encoding) for notice in found.notices]
        name = cursor_of(sql) if statement.command == "DECLARE" else ""
        if name and found.error is None:
            self._cursors[name] = sql
        return found

    def _known_here(self, statement: Statement) -> tuple[str, str] | None:
        """Column and value of what the connection itself knows, or a driver's probe that was not recorded."""
        if statement.command == "SHOW":
            name = statement.template.removeprefix("show ")
            if (value := self._transaction.settings.now.get(name)) is not None:
                return REPORTED.get(name, name), value
        if self._desk.knows(statement.template):
            return None
        return probe(statement, self._login.parameters or {}, self._login.user, self._login.database)

    def _simulate(self, statement: Statement, sql: str) -> Found:
        self._leave.simulated()
        recorded = self._desk.recording.failed.get(failure_key(statement, self._last))
        if recorded is not None:
            self._desk.simulated(statement, self._thread, str(recorded.get("C", "XX000")))
            if statement.command in ("COMMIT", "END"):
                self._report(self._transaction.end(committed=False))
            raise Failed(recorded)
        before = dict(self._transaction.settings.now), set(self._transaction.channels)
        effect = self._transaction.simulate(statement, sql)
        gone = effect.error is None and self._held.let_go(statement.command, sql, self._encoding)
        same = not gone and before == (self._transaction.settings.now, self._transaction.channels)
        if not same:
            self._shortcut.forget()
        undone = statement.command in ("COMMIT", "END") and effect.tag == "ROLLBACK"
        self._desk.simulated(statement, self._thread, effect.error["C"] if effect.error else "",
                             command="ROLLBACK" if undone else "",
                             settled=same and self.rests and statement.command in RESETS)  # fmt: skip
        if effect.warning is not None:
            self._out.append(replies.fields(b"N", effect.warning))
        if effect.error is not None:
            raise Failed(effect.error)
        self._report(effect.reported)
        if statement.command in ("ROLLBACK", "ABORT"):
            self._mail.mine.clear()
        return Found([{"tag": effect.tag}])

    def _report(self, reports: Reports) -> None:
        self._out += [replies.reported(name, self._login.changed(name, value)) for name, value in reports]

    # The extended protocol

    def _parse(self, parse: wire.Parse) -> None:
        sql = parse.sql.decode(self._encoding, "replace")
        statement = statement_of(sql)
        template = parts_of_statement("", with_cursor({"sql": sql}, self._cursors)).path
        count = max((each for each in statement.constants if isinstance(each, int)), default=0)
        count = max(count, len(parse.types))
        recorded = self._desk.types(template, count)
        declared = [*parse.types, *[0] * (count - len(parse.types))]
        types = tuple(one or other or UNSAID_TYPE for one, other in zip(declared, recorded, strict=True))
        if parse.name and parse.name in self._prepared:
            self._shortcut.forget()
        self._prepared[parse.name] = Prepared(sql, statement, template, types)
        self._out.append(wire.message(b"1"))

    def _bind(self, bind: wire.Bind) -> None:
        prepared = self._prepared.get(bind.statement)
        if prepared is None:
            raise Failed(error_of("26000", f'prepared statement "{bind.statement.decode("latin-1")}" does not exist'))
        self._portals[bind.portal] = bound(prepared, bind, self._encoding)
        self._out.append(wire.message(b"2"))

    def _close(self, kind: bytes, name: bytes) -> None:
        self._shortcut.forget()
        if kind == b"S":
            self._prepared.pop(name, None)
        else:
            self._portals.pop(name, None)
        self._out.append(wire.message(b"3"))

    def _describe(self, kind: bytes, name: bytes) -> None:
        portal = self._portals.get(name) if kind == b"P" else None
        prepared = portal.prepared if portal is not None else self._prepared.get(name) if kind == b"S" else None
        if prepared is None:
            self._describe_cursor(name)
            return
        columns = self._columns(prepared, portal)
        if kind == b"S":
            self._out.append(wire.write_types(prepared.types))
        elif portal is not None:
            portal.columns = columns
        formats = portal.formats if portal is not None else ()
        self._out.append(replies.described(columns, formats, self._encoding))

    def _columns(self, prepared: Prepared, portal: Portal | None) -> tuple[wire.Column, ...] | None:
        """The columns of a statement; raises Failed where it is a miss, or was an error before they were known."""
        statement = prepared.statement
        refused = self._transaction.refusal(statement)
        if refused is not None:
            raise Failed(refused)
        if statement.session or not statement.template:
            return None
        told = self._known_here(statement)
        if told is not None:
            return columns_in(replies.single_value(*told))
        params = portal.params if portal is not None else None
        shape = self._desk.shape(prepared.template)
        if shape is None:
            raise Failed(self._desk.undescribed(prepared.document(self._cursors, params), self._thread).error)
        if not shape.described and shape.error is not None and shape.error.get("C", "").startswith(NOT_UNDERSTOOD):
            self._desk.simulated(statement, self._thread, shape.error["C"])
            raise Failed(shape.error)
        return shape.columns

    def _describe_cursor(self, name: bytes) -> None:
        declared = self._cursors.get(name.decode(self._encoding, "replace"))
        shape = self._desk.cursor(declared) if declared is not None else None
        if shape is None:
            raise Failed(error_of("34000", f'portal "{name.decode("latin-1")}" does not exist'))
        self._out.append(replies.described(shape.columns, (), self._encoding))

    def _execute(self, name: bytes, wanted: int) -> None:
        portal = self._portals.get(name)
        if portal is None:
            raise Failed(error_of("34000", f'portal "{name.decode("latin-1")}" does not exist'))
        if portal.rows is None:
            document = portal.prepared.document(self._cursors, portal.params)
            if self._begins_copy(portal.prepared.statement, document, None) or not self._open(portal, document):
                return
        self._give(portal, wanted)

    def _open(self, portal: Portal, document: dict[str, Any]) -> bool:
        """Run a portal; False when its answer is complete with that."""
        statement = portal.prepared.statement
        if not statement.template:
            self._out.append(replies.complete(""))
            return False
        found = self._run(statement, portal.prepared.sql, document)
        if found.error is not None:
            raise Failed(found.error)
        result = found.results[0] if found.results else {}
        columns = columns_in(result)
        if "copy" in result:
            self._out.append(replies.copied_out(result))
        portal.tag, portal.suspended = result.get("tag", ""), bool(result.get("suspended"))
        portal.rows = self._rows(result, columns, portal.formats, found) if columns is not None else []
        return not self.closing

    def _give(self, portal: Portal, wanted: int) -> None:
        """Rows of an open portal, at most as many as are wanted (0: all)."""
        rows = portal.rows or []
        until = portal.given + wanted if wanted > 0 else len(rows)
        self._out += rows[portal.given : until]
        short = until > len(rows) or wanted <= 0
        portal.given = min(until, len(rows))
        if not short:
            self._out.append(wire.message(b"s"))
        elif portal.suspended:
            raise Failed(error_of("WT001", "wiretape: the app fetches more rows than were recorded", H="record again"))
        else:
            self._out.append(replies.complete(portal.tag))

    # COPY FROM

    def _begins_copy(self, statement: Statement, document: dict[str, Any], rest: list[str] | None) -> bool:
        """Ask for the data of a COPY FROM that the recording knows; `rest` are statements to be answered after it."""
        if statement.command != "COPY" or self._transaction.state == "E":
            return False
        template = parts_of_statement("", document).path
        form = self._desk.copy_format(template)
        if not form:
            return False
        self._copying = Copying(statement, document, rest)
        self._out.append(replies.copy_in(form))
        return True

    def _copy_in(self, kind: bytes, payload: bytes | None) -> None:
        copying = self._copying
        assert copying is not None
        if kind == b"d" and payload is not None and copying.size + len(payload) <= COPY_LIMIT:
            copying.chunks.append(payload)
            copying.size += len(payload)
        if kind not in b"cf":
            return
        self._copying = None
        try:
            if kind == b"f":
                raise Failed(error_of("57014", "COPY from stdin failed: the client ended it"))
            found = self._run(copying.statement, str(copying.document["sql"]),
                              copying.document | {"copy": to_block(copying.chunks)})  # fmt: skip
            if found.error is not None:
                raise Failed(found.error)
            self._out.append(replies.complete(found.results[0].get("tag", "COPY") if found.results else "COPY"))
        except Failed as failure:
            self._fail(failure)
            self._skipping = copying.rest is None
            copying.rest = copying.rest and []
        if copying.rest is not None and not self.closing:
            self._go_on(copying.rest)
