"""Nobody reads what the command line writes, or a stream is closed: the work and its exit code stay the same."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WIRETAPE = Path(sys.executable).parent / "wiretape"

type Run = Callable[..., subprocess.CompletedProcess[str]]

APP = """
import http.server, os, sys

class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("served", self.path, flush=True)
        body = os.environ.get("ANSWER", "tea").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


@pytest.fixture
def recording(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    """A workspace whose one recording was ended by Ctrl-C after the reader of both streams had gone."""
    (tmp_path / "app.py").write_text(APP)
    app, listen = free_port(), free_port()
    (tmp_path / "wiretape.toml").write_text(
        f'[app]\ncommand = ["{sys.executable}", "app.py", "{app}"]\nport = {app}\n[replay]\nlatency_seconds = 0\n'
    )
    process = subprocess.Popen([WIRETAPE, "record", "--name", "one", "--listen", str(listen)], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert process.stdout is not None
    assert "Ctrl-C ends the recording\n" in process.stdout
    process.stdout.close()
    for path in ("/a", "/b"):
        urllib.request.urlopen(f"http://127.0.0.1:{listen}{path}", timeout=90).read()
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()
    return tmp_path


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    wiretape = shlex.quote(str(WIRETAPE))
    return subprocess.run(["sh", "-c", line.replace("wiretape", wiretape, 1)], cwd=folder, capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip


def test_a_recording_ends_whole_and_a_verdict_stands_with_nobody_there(recording: Path, wiretape: Run) -> None:
    (info,) = json.loads(wiretape("snapshots", "--json").stdout)["snapshots"]
    assert (info["closed"], info["exchanges"]) == (True, 2)
    same = "wiretape verify"
    other = "wiretape verify --env ANSWER=coffee"
    for line, code in (
        (f"{same} >&- 2>&-", 0),
        (f"{other} >&- 2>&- <&-", 1),
        (f"({other}; echo $? >code) | exec 0<&-", 1),
        (f"({other} --json; echo $? >code) | exec 0<&-", 1),
    ):
        ran = shell(f"{line}; code=$?; test -f code && code=$(cat code); rm -f code; exit $code", recording)
        assert (ran.returncode, "Traceback" in ran.stderr) == (code, False), (line, ran.stderr)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_changes_no_exit_code(closed: str, tmp_path: Path) -> None:
    for arguments, code in (("snapshots", 0), ("snapshots --json", 0), ("--help", 0), ("show", 2), ("nonsense", 2)):
        ran = shell(f"wiretape {arguments} {closed}", tmp_path)
        assert (ran.returncode, "Traceback" in ran.stderr + ran.stdout) == (code, False), arguments


def test_a_full_disk_under_the_result_is_told(tmp_path: Path) -> None:
    ran = shell("wiretape snapshots >/dev/full", tmp_path)
    assert (ran.returncode, ran.stderr) == (3, "wiretape: no space left on device; free some space and try again\n")
    assert shell("wiretape show 2>/dev/full", tmp_path).returncode == 2


@pytest.mark.usefixtures("recording")
def test_a_terminal_that_is_closed_ends_the_recording_whole(terminal: Any, wiretape: Run) -> None:
    screen = terminal("record", "--name", "two", "--listen", "0")
    screen.wait_for("Ctrl-C ends the recording")
    url = next(word for line in screen.lines if "send requests to" in line for word in line.split() if "http" in word)
    urllib.request.urlopen(f"{url}/c", timeout=90).read()
    screen.hang_up()
    assert screen.process.wait(30) == 0
    info = next(
        each for each in json.loads(wiretape("snapshots", "--json").stdout)["snapshots"] if each["name"] == "two"
    )
    assert (info["closed"], info["exchanges"]) == (True, 1)
