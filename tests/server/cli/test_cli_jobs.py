"""Recording and mocking as a user does it: on a terminal with Ctrl-C, in a pipe, and when something is wrong."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

WIRETAPE = Path(sys.executable).parent / "wiretape"

type Run = Callable[..., subprocess.CompletedProcess[str]]

SHOP = """
import http.server, json, os, signal, sys
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"path": self.path, "pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, form, *parts):
        print("served", self.path, flush=True)

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
"""

CLIENT = """
import sys, urllib.request
for path in sys.argv[2:]:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{path}").read()
print("the client is done", end="")
"""


@pytest.fixture
def programs(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "client.py").write_text(CLIENT)


@pytest.fixture
def service(tmp_path: Path, free_port: Callable[[], int], programs: None) -> Iterator[tuple[int, Callable[[], None]]]:  # noqa: ARG001
    """A running dependency: its port and how to stop it."""
    port = free_port()
    process = subprocess.Popen([sys.executable, tmp_path / "shop.py", str(port)], stdout=subprocess.DEVNULL)

    def stop() -> None:
        process.kill()
        process.wait(10)

    wait_until(lambda: get(port, "/") is not None)
    yield port, stop
    stop()


def get(port: int, path: str) -> dict[str, Any] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        document: dict[str, Any] = json.loads(connection.getresponse().read())
        return document
    except OSError:
        return None
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        select_nothing()


def select_nothing() -> None:
    import select

    select.select([], [], [], 0.02)


def is_gone(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    return True


def normalised(text: str, port: int) -> str:
    text = re.sub(r"(?<![\d.])\d+\.\d(?![\d.])", "N.N", text.replace(str(port), "PORT"))
    return re.sub(r" +", " ", text)


@pytest.mark.usefixtures("programs")
def test_ctrl_c_ends_a_recording_with_its_summary(terminal: Any, wiretape: Run, free_port: Callable[[], int]) -> None:
    app, listen = free_port(), free_port()
    screen = terminal("record", "--name", "one", "--app-port", str(app), "--listen", str(listen), "--",
                      sys.executable, "shop.py", str(app))  # fmt: skip
    screen.wait_for("Ctrl-C ends the recording")
    assert get(listen, "/a") is not None
    assert get(listen, "/b") is not None
    screen.wait_for("served /b")
    screen.interrupt()
    assert screen.finish() == 0
    assert [normalised(line, app) for line in screen.lines[-5:]] == [
        "direction service command count errors p50 ms p95 ms",
        "inbound 127.0.0.1:PORT GET 2 0 N.N N.N",
        "snapshot one: 2 exchanges (2 inbound, 0 outbound)",
        "next: wiretape show one",
        "then: wiretape init, and wiretape noise learn while the code is unchanged",
    ]
    assert f"  send requests to  http://127.0.0.1:{listen}  instead of http://127.0.0.1:{app}" in screen.lines
    assert max(len(line) for line in screen.lines) <= 80
    (info,) = json.loads(wiretape("snapshots", "--json").stdout)["snapshots"]
    assert (info["closed"], info["exchanges"]) == (True, 2)


@pytest.mark.usefixtures("programs")
def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(
    terminal: Any, wiretape: Run, free_port: Callable[[], int]
) -> None:
    app, listen = free_port(), free_port()
    screen = terminal("record", "--name", "one", "--app-port", str(app), "--listen", str(listen), "--",
                      sys.executable, "shop.py", str(app), "--stubborn")  # fmt: skip
    screen.wait_for("Ctrl-C ends the recording")
    answer = get(listen, "/a")
    assert answer is not None
    wait_until(lambda: len(json.loads(wiretape("show", "one", "--json").stdout or "[]")) == 1)
    screen.interrupt()
    screen.wait_for("finishing; Ctrl-C again ends at once")
    screen.interrupt()
    assert screen.finish() == 130
    wait_until(lambda: is_gone(answer["pid"]))
    assert [each["location"] for each in json.loads(wiretape("show", "one", "--json").stdout)] == ["/a"]


@pytest.mark.usefixtures("programs")
def test_a_terminate_signal_ends_like_ctrl_c_and_colours_can_be_off(
    terminal: Any, free_port: Callable[[], int]
) -> None:
    app = free_port()
    screen = terminal("record", "--app-port", str(app), "--", sys.executable, "shop.py", str(app), NO_COLOR="1")
    screen.wait_for("Ctrl-C ends the recording")
    screen.process.send_signal(signal.SIGTERM)
    assert screen.finish() == 0
    assert "no snapshot was kept, for nothing was recorded" in screen.lines
    assert not re.search(r"\x1b\[[0-9;]*m", screen.output)


def test_a_program_that_ends_by_itself_ends_the_recording(
    wiretape: Run, service: tuple[int, Callable[[], None]]
) -> None:
    port, _ = service
    ran = wiretape("record", "--name", "calls", "--proxy-port", "0", "--", sys.executable, "client.py", str(port), "/a",
                   "/b")  # fmt: skip
    assert (normalised(ran.stdout, port), ran.returncode) == (
        "direction service command count errors p50 ms p95 ms\n"
        "outbound 127.0.0.1:PORT GET 2 0 N.N N.N\n"
        "\n"
        "snapshot calls: 2 exchanges (0 inbound, 2 outbound)\n"
        "next: wiretape show calls\n",
        0,
    )
    assert re.sub(r"127\.0\.0\.1:\d+", "PROXY", ran.stderr) == (
        "note: no --app-port, so only outbound traffic is recorded\n"
        "recording calls\n"
        "  outbound proxy  http://PROXY  records what the app sends\n"
        "Ctrl-C ends the recording\n"
        "note: the app exited with status 0; the recording ends with it\n"
        "the client is done\n"
    )


def test_a_mock_answers_after_the_service_is_gone_and_a_miss_fails(
    wiretape: Run, service: tuple[int, Callable[[], None]], tmp_path: Path
) -> None:
    port, stop = service
    client = ("--", sys.executable, "client.py", str(port))
    recorded = wiretape("record", "--name", "calls", "--json", *client, "/a", "/b")
    assert json.loads(recorded.stdout)["outbound"] == 2
    stop()
    again = wiretape("mock", "--json", *client, "/a", "/b")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["tally"] == {"exact": 2, "normalized": 0, "nearest": 0, "miss": 0,
                                                 "passthrough": 0, "simulated": 0}  # fmt: skip
    missed = wiretape("mock", "calls", *client, "/c")
    assert missed.returncode == 3
    assert missed.stderr.endswith("wiretape: the app ended by itself with status 1; its last output says why\n")
    lines = re.sub(r"\b(127\.0\.0\.1|localhost):\d+", "SERVICE", missed.stdout).splitlines()
    assert lines[:6] == [
        "mock calls: 1 call, 1 missed",
        "missed: GET SERVICE/c",
        "  closest: exchange 1, GET /a",
        "    path: recorded /a, came /c",
        "  closest: exchange 2, GET /b",
        "    path: recorded /b, came /c",
    ]
    assert list((tmp_path / ".wiretape" / "jobs").glob("*.journal"))


def test_variables_for_an_app_started_by_hand_are_in_a_file(
    terminal: Any, wiretape: Run, service: tuple[int, Callable[[], None]], tmp_path: Path
) -> None:
    port, _ = service
    wiretape("record", "--name", "calls", "--", sys.executable, "client.py", str(port), "/a")
    screen = terminal("mock", "calls")
    screen.wait_for("Ctrl-C ends the mock")
    (file,) = (tmp_path / ".wiretape" / "jobs").glob("mock-*.env")
    shell = subprocess.run(["sh", "-c", f". {file}; {sys.executable} client.py {port} /a"], cwd=tmp_path, text=True,
                           capture_output=True, timeout=90, check=False)  # fmt: skip
    assert shell.stdout == "the client is done"
    screen.interrupt()
    assert screen.finish() == 0
    assert "mock calls: 1 call, 1 exact" in screen.lines


def test_what_the_environment_refuses_is_one_sentence_and_leaves_no_snapshot(
    in_process: Run, service: tuple[int, Callable[[], None]], tmp_path: Path
) -> None:
    taken, _ = service
    refused = {
        ("--", "no-such-command"): "wiretape: command not found: no-such-command; ",
        ("--", "./client.py"): "wiretape: permission denied: ./client.py is not executable; run `chmod +x ./client.py`",
        ("--app-port", str(taken), "--", sys.executable, "shop.py", str(taken)): f"wiretape: port {taken} is already ",
        ("--app-port", "1", "--listen", str(taken), "--", "true"): f"wiretape: port {taken} is taken; stop what ",
        ("--app-port", "1", "--", sys.executable, "-c", "exit(7)"): "wiretape: the app exited with status 7 before ",
    }
    for arguments, sentence in refused.items():
        ran = in_process("record", *arguments)
        assert ran.returncode == 3
        assert sentence in ran.stderr
        assert "Traceback" not in ran.stderr
    assert list((tmp_path / ".wiretape" / "snapshots").iterdir()) == []


def test_two_recordings_never_share_a_name(wiretape: Run, service: tuple[int, Callable[[], None]]) -> None:
    port, _ = service
    client = ("--", sys.executable, "client.py", str(port), "/a")
    assert wiretape("record", "--name", "one", *client).returncode == 0
    ran = wiretape("record", "--name", "one", *client)
    assert (ran.stdout, ran.returncode) == ("", 2)
    assert ran.stderr.endswith(
        'wiretape: there is a snapshot called "one" already; take another name, or delete that one first\n'
    )


@pytest.mark.usefixtures("programs")
def test_a_recording_of_nothing_names_no_tape_and_leaves_none_however_it_ends(
    terminal: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    app, listen = free_port(), free_port()
    shop = ("--app-port", str(app), "--listen", str(listen), "--", sys.executable, "shop.py", str(app), "--stubborn")
    screen = terminal("record", "--name", "one", *shop)
    screen.wait_for("Ctrl-C ends the recording")
    screen.interrupt()
    screen.wait_for("finishing; Ctrl-C again ends at once")
    screen.interrupt()
    assert screen.finish() == 130
    app, listen = free_port(), free_port()
    process = subprocess.Popen(
        [WIRETAPE, "record", "--json", "--app-port", str(app), "--listen", str(listen), "--",
         sys.executable, "shop.py", str(app)],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "Ctrl-C ends the recording\n" in process.stderr
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert json.loads(said)["tape"] is None
    assert f"nothing was recorded: send requests to http://127.0.0.1:{listen}, not to" in said
    assert list((tmp_path / ".wiretape" / "snapshots").iterdir()) == []


def test_names_and_files_that_cannot_be_are_refused_before_anything_starts(in_process: Run, tmp_path: Path) -> None:
    for name, said in (("", "'' cannot name a snapshot; use letters, "), ("a/b", "'a/b' cannot name a snapshot; "),
                       ("n" * 300, "of 300 characters cannot name a snapshot; use at most 100")):  # fmt: skip
        ran = in_process("record", "--name", name, "--", "true")
        assert (ran.returncode, said in ran.stderr) == (2, True), ran.stderr
    (tmp_path / "wiretape.toml").mkdir()
    ran = in_process("verify")
    assert (ran.returncode, "wiretape.toml is a directory; " in ran.stderr) == (2, True), ran.stderr
