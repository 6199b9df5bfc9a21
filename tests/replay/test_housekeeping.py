"""Which commands for databases ask for no data of the app, so that how often they are sent is not judged."""

from __future__ import annotations

import pytest

from wiretape_capture.protocols.redis.commands import meaning_of
from wiretape_replay.match.statements import MYSQL, POSTGRES, of_connection, parts_of_statement, statement_in

RESET = "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;"


def told(version: str, sql: str) -> str:
    """How a statement is taken: as the connection's, housekeeping, a read or a write."""
    if of_connection(statement_in({"sql": sql}, version)):
        return "connection"
    parts = parts_of_statement("db", {"sql": sql}, version)
    return "housekeeping" if parts.housekeeping else "write" if parts.writes else "read"


@pytest.mark.parametrize(
    ("taken", "texts"),
    [
        ("connection", (
            RESET, "rollback; " + RESET, "DISCARD ALL", "discard temp", "DISCARD PLANS", "DISCARD SEQUENCES",
            "CLOSE ALL",
            "UNLISTEN *", "RESET ALL", "reset search_path", "SET SESSION AUTHORIZATION DEFAULT", "DEALLOCATE ALL",
            "RESET SESSION AUTHORIZATION", "ABORT", "ROLLBACK", "/* pool */ reset all -- done", "ABORT; reset all;",
        )),
        ("housekeeping", (
            "SELECT pg_advisory_unlock_all()", "select 1", "SELECT version()", "SHOW transaction_read_only",
            "select 1; RESET ALL", "-- probe\nselect version(); discard temp",
        )),
        ("read", (
            "select pg_advisory_unlock(5)", "select pg_advisory_lock($1)", "select a from b", "select set_up(1)",
        )),
        ("write", (
            "reset all; delete from a", "select pg_advisory_unlock(5); reset all", "discard all; select a from b",
        )),
    ],
)  # fmt: skip
def test_postgres(taken: str, texts: tuple[str, ...]) -> None:
    assert {text: told(POSTGRES, text) for text in texts} == dict.fromkeys(texts, taken)


@pytest.mark.parametrize(
    ("taken", "texts"),
    [
        ("connection", (
            "SET NAMES utf8mb4", "SET autocommit=0", "set names utf8; SET time_zone = '+00:00'", "ROLLBACK",
        )),
        ("housekeeping", (
            "SELECT 1", "select @@version_comment limit 1", "SELECT @@session.tx_isolation, @@sql_mode",
            "SHOW VARIABLES LIKE 'sql_mode'", "SHOW WARNINGS", "set names utf8; select @@sql_mode",
        )),
        ("read", ("select get_lock('a', 5)", "select release_lock('a')", "show columns from a like 'x'")),
        ("write", ("set @a = 1; delete from a",)),
    ],
)  # fmt: skip
def test_mysql(taken: str, texts: tuple[str, ...]) -> None:
    assert {text: told(MYSQL, text) for text in texts} == dict.fromkeys(texts, taken)


@pytest.mark.parametrize(
    "command",
    ["PING", "RESET", "client setinfo LIB-NAME redis-py", "CLIENT NO-EVICT on", "UNWATCH", "DISCARD", "HELLO 3"],
)
def test_redis(command: str) -> None:
    assert meaning_of([word.encode() for word in command.split()]).connection
