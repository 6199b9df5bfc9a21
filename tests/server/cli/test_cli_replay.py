"""Replaying and verifying as a user does it: whole output, the exit code of each verdict, and what refuses to start."""

from __future__ import annotations

import http.client
import json
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.launch.free_port import free_port

type Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.xdist_group("cli_replay")  # one recording and one port for all

APP = """
import http.server, json, sys

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/slow":
            import time
            time.sleep(60)
        body = json.dumps({"id": int(self.path.rpartition("/")[2]), "name": "tea"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A workspace with the snapshot `items` of two requests to app.py, and the app's port."""
    folder = tmp_path_factory.mktemp("recording")
    port, listen = free_port(), free_port()
    (folder / "app.py").write_text(APP)
    (folder / "wiretape.toml").write_text(f'[app]\ncommand = ["{sys.executable}", "app.py", "{port}"]\nport = {port}\n')
    command = [str(Path(sys.executable).parent / "wiretape"), "record", "--name", "items", "--listen", str(listen)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "Ctrl-C ends the recording\n" in process.stderr
    for item in (7, 8):
        connection = http.client.HTTPConnection("127.0.0.1", listen, timeout=90)
        connection.request("GET", f"/items/{item}")
        assert json.load(connection.getresponse())["id"] == item
        connection.close()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    return folder, port


@pytest.fixture
def recorded(recording: tuple[Path, int], tmp_path: Path) -> int:
    """A copy of the recording in the test's own directory; gives the app's port."""
    shutil.copytree(recording[0], tmp_path, dirs_exist_ok=True)
    return recording[1]


def wait_until_open(port: int, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            assert time.monotonic() < end
            select.select([], [], [], 0.02)
        else:
            return


def normalised(text: str, port: int) -> str:
    text = re.sub(r"observed (\S+) was 0\.00", r"observed \1 was zero", text)
    text = re.sub(r"(?<![\d.])\d+\.\d\d(?= |$)", "N.NN", text, flags=re.MULTILINE)
    text = re.sub(r"\b20\d{6}-\d{6}\b", "RUN", text.replace(str(port), "PORT"))
    return re.sub(r" +", " ", text)


def test_unchanged_code_passes_without_a_flag(wiretape: Run, recorded: int) -> None:
    ran = wiretape("verify")
    assert ran.returncode == 0, ran.stderr
    assert normalised(ran.stdout, recorded) == (
        "2 exchanges replayed: 2 equal byte for byte, 0 equal in meaning\n"
        "\n"
        "route sent failed n p50 ms p95 ms was p50\n"
        "GET /items/{id} 2 0 2 N.NN N.NN N.NN\n"
        "all routes 2 0 2 N.NN N.NN\n"
        "\n"
        "mock answered 0 calls\n"
        "\n"
        "2 EVALS PASSED\n"
        ' ✔ passed eval "requests.failed > 0.00" - observed requests.failed was zero\n'
        ' ✔ passed eval "mock.misses > 0.00" - observed mock.misses was zero\n'
        "\n"
        "VERDICT pass: all 2 exchanges came out equal\n"
    )
    assert normalised(ran.stderr, recorded) == (
        "replaying items, its services mocked\n"
        "the app's output goes to .wiretape/jobs/verify-RUN.app.log\n"
        "sending to http://127.0.0.1:PORT\n"
    )


def test_changed_code_fails_and_diff_says_where(wiretape: Run, recorded: int, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace('"name": "tea"', '"name": ["tea"]'))
    ran = wiretape("verify", "--no-mock", "--json")
    assert ran.returncode == 1, ran.stderr
    run = json.loads(ran.stdout)
    (finding,) = run["verdict"]["findings"]
    assert (finding["kind"], finding["pointer"], finding["count"]) == ("type", "/name", 2)

    listed = wiretape("diff")
    assert listed.returncode == 0
    assert f" ✖ {finding['id']}  GET /items/{{id}}  body /name" in listed.stdout
    one = wiretape("diff", finding["id"])
    assert one.stdout.count("\n-") == 2  # the header of the diff and the changed line
    assert json.loads(wiretape("diff", run["id"], finding["id"][:6], "--json").stdout)["finding"] == finding
    assert wiretape("diff", run["id"], "F-nothing").returncode == 2
    table = wiretape("runs").stdout.splitlines()
    assert [re.split(r" {2,}", line)[1] for line in table] == ["verdict", "fail"]
    assert normalised(finding["curl"], recorded).endswith("http://127.0.0.1:PORT/items/7")


def test_a_running_app_is_replayed_by_its_address(wiretape: Run, recorded: int, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "app.py", str(recorded)], cwd=tmp_path)
    try:
        wait_until_open(recorded)
        ran = wiretape(
            "replay", "--target", f"http://127.0.0.1:{recorded}", "--only", "1", "--fail-if", "requests.total != 1"
        )
    finally:
        process.kill()
        process.wait(10)
    assert ran.returncode == 0, ran.stderr
    assert '✔ passed eval "requests.total != 1.00" - observed requests.total was 1.00' in ran.stdout


def test_what_cannot_be_replayed_has_its_own_sentence_and_code(in_process: Run, recorded: int) -> None:
    refused = {
        ("--target", "http://127.0.0.1:1"): (3, "wiretape: the target http://127.0.0.1:1 cannot be reached"),
        ("--target", "somewhere"): (2, 'wiretape: "somewhere" is not an http or https URL; write it as '),
        ("--fail-if", "latency.p59 > 1"): (2, "did you mean latency.p99"),
        ("--only", "items"): (2, 'wiretape: "items" is neither a sequence number nor a route; write 3, 3-7, '),
        ("--baseline", "never"): (2, "wiretape: there are no runs yet; "),
        ("itmes",): (2, "wiretape: there is no snapshot 'itmes'; did you mean 'items'?\n"),
        ("--", sys.executable, "-c", "exit(7)"): (3, "wiretape: the app exited with status 7 before it was ready"),
    }
    for arguments, (code, sentence) in refused.items():
        ran = in_process("replay", *arguments)
        assert (ran.stdout, ran.returncode) == ("", code), ran.stderr
        assert sentence in ran.stderr
        assert "Traceback" not in ran.stderr
    assert recorded


def test_ctrl_c_makes_a_run_inconclusive(terminal: Any, recorded: int, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace('self.path == "/slow"', "True"))
    screen = terminal("verify")
    screen.wait_for(f"sending to http://127.0.0.1:{recorded}")
    screen.process.send_signal(signal.SIGINT)
    assert screen.finish() == 4
    assert "VERDICT inconclusive: stopped after 0 of 2 exchanges" in screen.lines
    assert max(len(line) for line in screen.lines) <= 80


def test_verify_without_an_app_says_what_is_missing(wiretape: Run, checkout: Path) -> None:
    ran = wiretape("verify")
    assert (ran.stdout, ran.stderr, ran.returncode) == (
        "", "wiretape: nothing to replay against; give --target URL, or write down the app with: wiretape init\n", 2,
    )  # fmt: skip
    assert checkout.exists()
