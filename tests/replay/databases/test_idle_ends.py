"""A Postgres connection that the server ended while it was idle ends at that place again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from database_kit import exchanges
from database_story import Story
from postgres_server import Server

from wiretape_replay.mock.postgres.leave import Leave
from wiretape_replay.mock.postgres.recording import Farewell

PROGRAM = Path(__file__).parents[2] / "support" / "idle_app.py"
PATHS = ("/first/1", "/second/2", "/third/3")


def _story(server: Server, folder: Path, free_port: Callable[[], int], driver: str) -> tuple[Story, Callable[[], None]]:
    """The app, and how its connections are ended."""
    role = f"idle_{driver}"

    def run(*texts: str) -> None:
        with psycopg.connect(server.dsn, autocommit=True) as admin:
            for each in texts:
                admin.execute(each.encode())

    def end() -> None:
        run(f"select pg_terminate_backend(pid, 20000) from pg_stat_activity where usename = '{role}'")

    run(f"drop role if exists {role}", f"create role {role} login password 'x'")
    url = f"postgres://{role}:x@127.0.0.1:{server.port}/shop"
    return Story(folder, url, free_port, PROGRAM, {"DRIVER": driver}), end


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize(("driver", "second"), [("psycopg", "57P01"), ("asyncpg", 1002)])
async def test_between_two_requests(postgres: Server, tmp_path: Path, free_port: Callable[[], int], driver: str,
                                    second: str | int) -> None:  # fmt: skip
    story, end = _story(postgres, tmp_path, free_port, driver)
    came = [each.json()["value"] for each in await story.record(PATHS[0], end, *PATHS[1:])]
    assert came == [1001, second, 1003]
    assert [each.status for each in await exchanges(story.tape) if each.command == "DISCONNECT"] == ["57P01"]
    run = await story.replay("same.run")
    assert [(each.pointer, each.message) for each in run.verdict.findings] == []
    assert run.mock is not None
    assert run.mock.miss == 0
    if driver == "psycopg":
        assert [each.json()["value"] for each in await story.mocked(*PATHS)] == came
        changed = await story.replay("changed.run", ANEW="1")
        assert {each.route for each in changed.verdict.findings} == {"GET /second/{id}"}


def test_a_connection_ends_after_all_that_it_had_run() -> None:
    leave, farewell = Leave(), Farewell(7, "57P05", {}, simulated=1)
    leave.ready()
    assert leave.instead_of(b"Q") is None
    leave.answered(farewell)
    leave.ready()
    assert (leave.instead_of(b"Q"), leave.before(9)) == (None, None)
    leave.simulated()
    assert leave.instead_of(b"P") is None  # the same group of messages goes on
    leave.ready()
    assert [leave.instead_of(kind) for kind in (b"Q", b"P", b"S", b"X")] == [farewell, farewell, None, None]
    assert (leave.before(6), leave.before(9)) == (None, farewell)


def test_another_answer_takes_the_end_away() -> None:
    leave = Leave()
    leave.answered(Farewell(7, "57P05", {}, simulated=1))
    leave.answered(None)
    leave.simulated()
    leave.ready()
    assert leave.instead_of(b"Q") is None
