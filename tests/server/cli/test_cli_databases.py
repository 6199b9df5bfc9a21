"""Databases recorded under names of a user's choice, and verified by what the app's variables say."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from postgres_server import Server
from redis_server import RedisServer

pytestmark = pytest.mark.xdist_group("postgres_cli")  # servers of its own

type Run = Callable[..., subprocess.CompletedProcess[str]]

WIRETAPE = Path(sys.executable).parent / "wiretape"
SHOP = Path(__file__).parents[2] / "support" / "cached_shop.py"


class Recorded:
    """A workspace whose snapshot calls the shop's database `db` and its cache `cache`."""

    def __init__(self, folder: Path, postgres: Server, redis_server: RedisServer, ports: tuple[int, int]) -> None:
        self.folder = folder
        self.app_port, self.listen = ports
        self.variables = {"DATABASE_URL": postgres.dsn, "REDIS_URL": redis_server.url}

    def record(self) -> None:
        """Record it under names that its variables do not give."""
        urls = self.variables
        command = [str(WIRETAPE), "record", "--name", "shop", "--listen", str(self.listen),
                   "--app-port", str(self.app_port), "--map", f"db={urls['DATABASE_URL']}",
                   "--map", f"cache={urls['REDIS_URL']}",
                   "--", sys.executable, str(SHOP), str(self.app_port)]  # fmt: skip
        process = subprocess.Popen(command, cwd=self.folder, env=os.environ | urls, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        assert process.stderr is not None
        assert any("Ctrl-C ends the recording" in line for line in process.stderr)
        with httpx.Client(base_url=f"http://127.0.0.1:{self.listen}", trust_env=False) as client:
            for number in (1, 2, 1):
                client.get(f"/items/{number}").raise_for_status()
            client.post("/orders", json={"item": 3, "qty": 2}).raise_for_status()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0

    @property
    def start(self) -> list[str]:
        return ["--app-port", str(self.app_port), "--", sys.executable, str(SHOP), str(self.app_port)]


@pytest.fixture(scope="module")
def recorded(
    postgres: Server, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Recorded:
    made = Recorded(tmp_path_factory.mktemp("shop"), postgres, redis_server, (free_port(), free_port()))
    made.record()
    return made


def test_unchanged_code_passes_whatever_its_databases_were_called(wiretape: Run, recorded: Recorded) -> None:
    services = json.loads(wiretape("snapshots", "--json", cwd=recorded.folder).stdout)["snapshots"][0]["services"]
    assert {"db", "cache"} < set(services)
    ran = wiretape("verify", "--json", *recorded.start, cwd=recorded.folder, **recorded.variables)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    run = json.loads(ran.stdout)
    assert (run["verdict"]["verdict"], run["verdict"]["findings"], run["mock"]["miss"]) == ("pass", [], 0)
    elsewhere = {"DATABASE_URL": "postgres://u:w@127.0.0.1:9/shop", "REDIS_URL": "redis://127.0.0.1:8/0"}
    again = wiretape("verify", *recorded.start, cwd=recorded.folder, **elsewhere)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_variable_that_may_be_several_databases_is_asked_for(wiretape: Run, recorded: Recorded) -> None:
    several = {"ONE_URL": "postgres://127.0.0.1:9/a", "TWO_URL": "postgres://127.0.0.1:8/b"}
    ran = wiretape("verify", *recorded.start, cwd=recorded.folder, **several)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == (
        "wiretape: the snapshot knows the postgres service db, ONE_URL and TWO_URL may each be it; "
        "give --map NAME=postgres://HOST:PORT/DATABASE with the name that is meant"
    )


def test_what_was_told_while_recording_is_not_told_again(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    command = [str(WIRETAPE), "record", "--map", f"db=postgres://127.0.0.1:9/x@{port}"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("Ctrl-C ends the recording" in line for line in process.stderr)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: db\r\n\r\n")
        assert b"this is HTTP, and the port speaks Postgres" in client.recv(1000)
    assert any("this is HTTP, and the port speaks Postgres" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert "no call to db" in rest
    assert "this is HTTP" not in rest


def test_the_summary_holds_every_note_with_its_number(
    wiretape: Run, redis_server: RedisServer, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """What was told once, when it happened, may be pages ago."""
    cache, queue = free_port(), free_port()
    (tmp_path / "app.py").write_text(
        "import socket, sys\n"
        "for port, words in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    with socket.create_connection(('127.0.0.1', int(port))) as there:\n"
        "        there.sendall(words.encode() + b'\\r\\n\\r\\n')\n"
        "        there.recv(1000)\n"
    )
    calls = ((cache, "PING"), (cache, "GET / HTTP/1.1"), (queue, "GET / HTTP/1.1"), (queue, "GET / HTTP/1.1"))
    words = ("--map", f"cache=redis://127.0.0.1:{redis_server.port}@{cache}",
             "--map", f"queue=redis://127.0.0.1:{redis_server.port}@{queue}",
             "--", sys.executable, "app.py", *(str(each) for call in calls for each in call))  # fmt: skip
    ran = wiretape("record", "--name", "notes", *words, cwd=tmp_path)
    again = json.loads(wiretape("record", "--name", "more", "--json", *words, cwd=tmp_path).stdout)
    once, twice = (f"connections to {name} that did not begin as Redis: this is HTTP, and the port speaks Redis{number}"
                   for name, number in (("cache", ""), ("queue", " (2 times)")))  # fmt: skip
    assert again["notes"] == [once, twice]
    assert f"note: {once}" in ran.stderr
    assert f"\n\nnotes:\n  {once}\n  {twice}\n\nsnapshot notes: 1 exchange " in ran.stdout
