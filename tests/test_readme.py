"""The README's commands, run in its order on an app like its reader's."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from workbench import BIN, answers, wait_until

ROOT = Path(__file__).parents[1]
COMMANDS = [
    line.removeprefix("$ ").partition("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
ELSEWHERE = {
    "make demo": "test_demo.py runs what it runs",
    "make check": "this very run is a part of it",
    "uv tool install .": "test_packaging.py installs the wheel",
    "wiretape install": "tests/server/agents installs into projects and homes of its own",
}

APP = """
import json, urllib.request
from datetime import datetime, UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Checkout(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        with urllib.request.urlopen("http://127.0.0.1:PRICES/price") as answer:
            price = json.load(answer)["price"]
        body = json.dumps({"total": price * 2, "at": datetime.now(UTC).isoformat()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", APP_PORT), Checkout).serve_forever()
"""

PRICES = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Prices(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"price": 21}')

HTTPServer(("127.0.0.1", int(sys.argv[1])), Prices).serve_forever()
"""


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    words = shlex.split(command)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def record(command: str, folder: Path, prices: int) -> None:
    """Run the README's `record`, send traffic to the address it prints, press Ctrl-C, end the dependency."""
    service = subprocess.Popen([sys.executable, "-c", PRICES, str(prices)], stderr=subprocess.DEVNULL)
    with (folder / "record.out").open("w") as out:
        env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        recorder = subprocess.Popen(shlex.split(command), cwd=folder, env=env, stdout=out, stderr=out)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{prices}/"), "the price service answers")
        wait_until(lambda: "http://127.0.0.1" in (folder / "record.out").read_text(), "the address is printed")
        printed = (folder / "record.out").read_text()
        front = re.findall(r"http://127\.0\.0\.1:\d+", printed)[0]
        for path in ("/checkout", "/checkout?again=1"):
            assert httpx.get(f"{front}{path}", trust_env=False).json()["total"] == 42
    finally:
        recorder.send_signal(signal.SIGINT)
        code = recorder.wait(30)
        service.terminate()
        service.wait(10)
    assert code == 0, (folder / "record.out").read_text()


def test_five_minutes_on_ones_own_app(tmp_path: Path, free_port: Callable[[], int]) -> None:
    app_port, prices = free_port(), free_port()
    (tmp_path / "app.py").write_text(APP.replace("PRICES", str(prices)).replace("APP_PORT", str(app_port)))
    for command in COMMANDS:
        if command in ELSEWHERE:
            continue
        command = re.sub(r"\b8000\b", str(app_port), command)
        if command.startswith("wiretape record"):
            record(command, tmp_path, prices)
            continue
        ran = run(command, tmp_path)
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    verdict = json.loads(run("wiretape runs --json", tmp_path).stdout)
    assert verdict, "verify left a run"
    app = tmp_path / "app.py"
    app.write_text(app.read_text().replace('"total"', '"sum"'))
    failed = run("wiretape verify", tmp_path)
    assert failed.returncode == 1
    assert "/total" in failed.stdout


@pytest.mark.parametrize("goal", ["demo", "check"])
def test_make_goals_exist(goal: str) -> None:
    planned = subprocess.run(["make", "-n", goal], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert planned.returncode == 0, planned.stderr
    assert {"demo": "wiretape demo", "check": "pytest"}[goal] in planned.stdout


def test_every_json_and_toml_block_parses() -> None:
    readme = (ROOT / "README.md").read_text()
    for block in re.findall(r"```json\n(.*?)```", readme, re.DOTALL):
        json.loads(block)
    for block in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL):
        tomllib.loads(block)
