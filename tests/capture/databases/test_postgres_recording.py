"""A real client and a real server with a recorder between them: what is on the tape, and that nothing else changed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from database_kit import answer, exchanges, question, recording, recording_of, service_map
from postgres_server import Server

from wiretape_capture.snapshot.exchange import Direction, Protocol

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all


def shop(dsn: str) -> list[Any]:
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        connection.execute("drop table if exists shelf")
        connection.execute("create table shelf (sku text primary key, qty int, tags text[], at timestamptz)")
        connection.execute(
            "insert into shelf values (%s, %s, %s, %s)", ("a", 3, ["x", "y z"], "2024-02-03 04:05:06+01")
        )
        with connection.cursor(binary=True) as cursor:
            seen += cursor.execute("select qty, tags, at from shelf where sku = %s", ("a",)).fetchall()
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("insert into shelf values ('a', 1)")
        with connection.cursor() as cursor:
            with cursor.copy("copy shelf (sku, qty) from stdin") as copy:
                copy.write_row(("b", 5))
            with cursor.copy("copy shelf (sku, qty) to stdout") as copy:
                seen += list(copy.rows())
        connection.execute("drop table shelf")
    return seen


async def test_statements_are_recorded_with_values_and_rows(postgres: Server, tmp_path: Path) -> None:
    direct = await asyncio.to_thread(shop, postgres.dsn)
    async with recording(tmp_path, postgres.dsn) as job:
        recorded = await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"])
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    tape = await exchanges(tmp_path / "tape.tape")
    assert [each.started_ns for each in tape] == sorted(each.started_ns for each in tape)
    assert {(each.service, each.protocol, each.direction) for each in tape} == {
        ("db", Protocol.POSTGRES, Direction.OUTBOUND)
    }
    by_command = {each.command: each for each in tape}
    assert [each.command for each in tape][:3] == ["CONNECT", "BEGIN", "DROP"]
    select = by_command["SELECT"]
    assert select.location == "select qty, tags, at from shelf where sku = ?"
    assert select.status == "00000"
    assert question(select)["params"] == ["a"]
    (result,) = answer(select)["results"]
    assert result["rows"] == [["3", '{x,"y z"}', "2024-02-03 03:05:06+00"]]
    assert [each["name"] for each in result["columns"]] == ["qty", "tags", "at"]
    errors = {row.command: row.errors for row in job.result.summary}
    assert (errors["INSERT"], errors["SELECT"]) == (1, 0)
    failed = next(each for each in tape if each.status == "23505")
    assert failed.response is not None
    assert failed.response.status == 400
    into, out = (each for each in tape if each.command == "COPY")
    assert question(into)["copy"] == "b\t5\n"
    assert answer(out)["results"][0]["copy"] == "a\t3\nb\t5\n"


async def test_no_secret_is_on_the_tape(postgres: Server, tmp_path: Path) -> None:
    async with recording(tmp_path, postgres.dsn) as job:
        await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"])
        assert "s3cr" not in job.environment["WIRETAPE_DB_URL"]
    for each in await exchanges(tmp_path / "tape.tape"):
        assert b"s3cr" not in (each.request.body.data or b"")
        assert "SCRAM" not in each.model_dump_json()


@pytest.mark.parametrize("user", ["shop", "old"])
async def test_a_login_that_wiretape_does_not_know_passes(postgres: Server, tmp_path: Path, user: str) -> None:
    password = {"shop": "s3cr=t/p@ss", "old": "old"}[user]
    async with recording(tmp_path, f"postgres://127.0.0.1:{postgres.port}") as job:
        login = f"host=127.0.0.1 port={job.port} user={user} dbname=shop"

        def ask(password: str) -> Any:
            with psycopg.connect(login, password=password) as connection:
                return connection.execute("select current_user").fetchone()

        assert await asyncio.to_thread(ask, password) == (user,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await asyncio.to_thread(ask, "wrong")
    tape = await exchanges(tmp_path / "tape.tape")
    assert [each.status for each in tape if each.command == "CONNECT"] == ["00000", "28P01"]


async def test_a_server_that_is_not_there_is_told_in_its_own_form(tmp_path: Path, free_port: Any) -> None:
    async with recording(tmp_path, f"postgres://u@127.0.0.1:{free_port()}/x") as job:
        with pytest.raises(psycopg.OperationalError, match="could not connect to db"):
            await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"])
    (refused,) = await exchanges(tmp_path / "tape.tape")
    assert (refused.command, refused.status) == ("CONNECT", "08001")


@pytest.mark.parametrize("text", ['{"db": "URL"}', "Db=URL;Pool=5", "--db=URL --pool 5"])
async def test_a_password_inside_of_a_longer_text_lets_the_app_in(postgres: Server, tmp_path: Path, text: str) -> None:
    """The map has no password; the text is pointed at the listener, so wiretape must know the one that was in it."""
    plain = service_map(f"postgres://127.0.0.1:{postgres.port}/shop")
    async with recording_of(tmp_path, plain, env={"SETTINGS": text.replace("URL", postgres.dsn)}) as job:
        settings = job.environment["SETTINGS"]
        assert "s3cr" not in settings
        pointed = settings[settings.index("postgres://") : settings.index("sslmode=disable") + len("sslmode=disable")]
        assert await asyncio.to_thread(shop, pointed)
    assert job.result is not None
    assert job.result.notes == ()


async def test_a_wrong_password_in_a_text_does_not_keep_the_app_out(postgres: Server, tmp_path: Path) -> None:
    plain = service_map(f"postgres://127.0.0.1:{postgres.port}/shop")
    help_text = {"HELP": f"such as postgres://shop:example@127.0.0.1:{postgres.port}/shop"}
    async with recording_of(tmp_path, plain, env=help_text) as job:
        assert await asyncio.to_thread(shop, f"host=127.0.0.1 port={job.port} user=shop password=s3cr=t/p@ss")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await asyncio.to_thread(shop, f"host=127.0.0.1 port={job.port} user=shop password=wrong")
