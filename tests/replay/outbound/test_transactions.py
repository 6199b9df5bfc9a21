"""What becomes of statements, by the rules of each server. Statements that begin with `!` fail."""

from __future__ import annotations

import pytest

from wiretape_capture.protocols.mysql import sql as mysql_sql
from wiretape_capture.protocols.postgres import sql as postgres_sql
from wiretape_capture.snapshot.exchange import Protocol
from wiretape_replay.match.statements import spoken
from wiretape_replay.outbound.transactions import Step, fates

KEPT, UNDONE, OPEN = "committed", "rolled back", "not committed"


def told(protocol: Protocol, *texts: str, failing: str = "42601") -> list[str]:
    """How each statement that is part of a transaction ended."""
    statement_of = mysql_sql.statement_of if protocol is Protocol.MYSQL else postgres_sql.statement_of
    steps = []
    for at, text in enumerate(texts):
        statement = statement_of(text.removeprefix("!"))
        status = failing if text.startswith("!") else "00000"
        steps.append(Step(at, protocol, "c1", statement.command, spoken(statement), status))
    return [fate.end.value for fate in fates(steps) if fate is not None]


W = "insert into a values (1)"


@pytest.mark.parametrize(
    ("texts", "ends"),
    [
        ((W,), [KEPT]),
        (("begin", W, "commit"), [KEPT]),
        (("BEGIN", W, "END"), [KEPT]),
        (("start transaction isolation level serializable", W, "COMMIT"), [KEPT]),
        (("begin", W, "rollback", W), [UNDONE, KEPT]),
        (("begin", W), [OPEN]),
        (("begin", W, "commit", "rollback"), [KEPT]),
        (("begin", "begin", W, "commit"), [KEPT]),
        (("begin", W, "!selec", "commit", W), [UNDONE, UNDONE, KEPT]),
        (("begin", W, "!commit", W), [UNDONE, KEPT]),
        (("!insert into b values (1)", W), [UNDONE, KEPT]),
        (("begin", W, "savepoint s", W, "rollback to s", W, "commit"), [KEPT, UNDONE, KEPT]),
        (("begin", W, "savepoint s", "!selec", "rollback to savepoint s", W, "commit"), [KEPT, UNDONE, KEPT]),
        (("begin", "savepoint s", W, "release savepoint s", W, "commit"), [KEPT, KEPT]),
        (("begin", "savepoint a", W, "savepoint b", W, "rollback to a", "commit"), [UNDONE, UNDONE]),
        (("begin", 'savepoint "S 1"', W, 'rollback to "S 1"; release "S 1"', W, "commit"), [UNDONE, KEPT]),
        (("begin", W, "commit and chain", W, "rollback"), [KEPT, UNDONE]),
        (("begin", W, "commit and no chain", W), [KEPT, KEPT]),
        (("begin; " + W + "; commit",), [KEPT]),
        (("begin; " + W + "; rollback", W), [UNDONE, KEPT]),
        (("begin", W, "prepare transaction 'x'", W), [KEPT, KEPT]),
        (("begin", W, "rollback prepared 'y'", "commit"), [KEPT, KEPT]),
    ],
)
def test_postgres(texts: tuple[str, ...], ends: list[str]) -> None:
    assert told(Protocol.POSTGRES, *texts) == ends


@pytest.mark.parametrize(
    ("texts", "ends"),
    [
        ((W,), [KEPT]),
        (("begin", W, "rollback"), [UNDONE]),
        (("start transaction", W, "start transaction", W, "rollback"), [KEPT, UNDONE]),
        (("set autocommit = 0", W), [OPEN]),
        (("set autocommit=0", W, "commit", W, "rollback"), [KEPT, UNDONE]),
        (("SET AUTOCOMMIT = OFF", W, "set autocommit = 1", W), [KEPT, KEPT]),
        (("set sql_mode = 'ANSI', @@session.autocommit = 0", W, "rollback"), [UNDONE]),
        (("begin", W, "create table b (n int)", W), [KEPT, KEPT, KEPT]),
        (("begin", W, "create temporary table b (n int)", "rollback"), [UNDONE, UNDONE]),
        (("begin", W, "!selec", "commit"), [KEPT, UNDONE]),
        (("begin", W, "savepoint `here`", W, "rollback to savepoint here", "commit"), [KEPT, UNDONE]),
        (("begin", W, "lock tables a write"), [KEPT]),
        (("xa start 'x'", W, "xa end 'x'", "xa prepare 'x'", "xa commit 'x'"), [KEPT]),
        (("xa start 'x'", W, "xa end 'x'", "xa rollback 'x'"), [UNDONE]),
    ],
)
def test_mysql(texts: tuple[str, ...], ends: list[str]) -> None:
    assert told(Protocol.MYSQL, *texts) == ends


def test_a_deadlock_undoes_the_whole_transaction_of_mysql() -> None:
    assert told(Protocol.MYSQL, "begin", W, "!update a set n = 1", W, failing="40001") == [UNDONE, UNDONE, KEPT]


def test_a_connection_of_mysql_that_is_reset_loses_what_is_open() -> None:
    steps = [Step(at, Protocol.MYSQL, "c1", text.split()[0].upper(), text, "00000")
             for at, text in enumerate(("set autocommit = 0", W))]  # fmt: skip
    steps += [Step(2, Protocol.MYSQL, "c1", "RESET CONNECTION", "reset connection", ""),
              Step(3, Protocol.MYSQL, "c1", "INSERT", W, "00000")]  # fmt: skip
    assert [fate.end.value for fate in fates(steps) if fate] == [UNDONE, KEPT]


def test_connections_do_not_mix() -> None:
    texts = [("c1", "BEGIN"), ("c2", "BEGIN"), ("c1", "INSERT"), ("c2", "INSERT"), ("c1", "COMMIT"), ("c2", "ROLLBACK")]
    steps = [
        Step(at, Protocol.POSTGRES, thread, word, word.lower(), "00000") for at, (thread, word) in enumerate(texts)
    ]
    assert [fate.end.value for fate in fates(steps) if fate] == [KEPT, UNDONE]


def test_transactions_of_mongodb_are_known_by_their_name() -> None:
    told = [("a", "insert", "ok"), ("b", "insert", "ok"), ("", "insert", "ok"), ("a", "commitTransaction", "ok"),
            ("b", "update", "WriteConflict"), ("b", "abortTransaction", "ok"), ("c", "delete", "ok")]  # fmt: skip
    steps = [Step(at, Protocol.MONGODB, *one[:2], "", one[2]) for at, one in enumerate(told)]
    assert [fate.end.value for fate in fates(steps) if fate] == [KEPT, UNDONE, KEPT, UNDONE, OPEN]


def test_redis_and_http_take_no_part() -> None:
    steps = [Step(0, Protocol.REDIS, "c1", "SET", "SET a", "OK"), Step(1, Protocol.HTTP, "", "POST", "/", "201")]
    assert fates(steps) == [None, None]
