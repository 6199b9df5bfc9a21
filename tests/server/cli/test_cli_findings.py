"""What a run says about its findings, followed to the letter: causes, inputs, curl line, the command to repeat it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from workbench import answers, wait_until

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter

type Wiretape = Callable[..., subprocess.CompletedProcess[str]]

START = 1_760_000_000_000_000_000
APP = """
import http.server, json, sys
from urllib.parse import parse_qs, urlsplit

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        url = urlsplit(self.path)
        tag = parse_qs(url.query).get("tag")
        if url.path == "/items":
            return self.reply({"items": ["tea"], "found": 1, "tag": tag[0] if tag else None})
        self.reply({"total": 12.5})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply({"cart": {"total": 20.0}})
    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""
RENAMED = APP.replace('"total"', '"amount"').replace('"found": 1', '"found": 1 if not tag else 2')


def exchange(sequence: int, method: str, target: str, answer: object, sent: bytes = b"") -> Exchange:
    body = json.dumps(answer).encode()
    length = (("Content-Length", str(len(sent))), ("Content-Type", "application/json")) if sent else ()
    return Exchange(
        sequence=sequence, direction=Direction.INBOUND, service="127.0.0.1:8000", command=method, location=target,
        status="200", started_ns=START + sequence * 10**7, duration_us=2000, connection="c1",
        request=Request(method=method, target=target, headers=(("Host", "127.0.0.1:8000"), *length),
                        body=body_of(sent)),
        response=Response(status=200, reason="OK", body=body_of(body), headers=(
            ("Content-Type", "application/json"), ("Content-Length", str(len(body))))),
    )  # fmt: skip


RECORDED = [
    exchange(1, "GET", "/cart", {"total": 12.5}),
    exchange(2, "POST", "/cart/items", {"cart": {"total": 20.0}}, b'{"sku": "it\'s"}'),
    exchange(3, "GET", "/items", {"items": ["tea"], "found": 1, "tag": None}),
    exchange(4, "GET", "/items?tag=hot", {"items": ["tea"], "found": 1, "tag": "hot"}),
    exchange(5, "GET", "/items?page=1", {"items": ["tea"], "found": 1, "tag": None}),
    exchange(6, "GET", "/items?tag=cold", {"items": ["tea"], "found": 1, "tag": "cold"}),
]


async def write_tape(folder: Path) -> None:
    async with await TapeWriter.create(folder / "cart.tape", name="cart", created_ns=START) as tape:
        for one in RECORDED:
            tape.put(one)


@pytest.fixture
def port(tmp_path: Path, free_port: Callable[[], int]) -> int:
    """A workspace with a snapshot of a small cart; the port of its app."""
    number = free_port()
    snapshots = tmp_path / ".wiretape" / "snapshots"
    snapshots.mkdir(parents=True)
    asyncio.run(write_tape(snapshots))
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "wiretape.toml").write_text(
        f'[app]\ncommand = ["{sys.executable}", "app.py", "{number}"]\nport = {number}\n'
    )
    return number


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        shlex.split(line), cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_one_edit_is_one_cause_and_what_is_said_can_be_run(wiretape: Wiretape, port: int, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(RENAMED)
    run = json.loads(wiretape("verify", "--no-mock", "--json").stdout)
    causes, findings = run["verdict"]["causes"], {one["id"]: one for one in run["verdict"]["findings"]}
    renamed = next(cause for cause in causes if len(cause["findings"]) == 4)
    assert renamed["message"] == 'the field "total" looks renamed to "amount" in 2 routes'
    assert renamed["routes"] == ["GET /cart", "POST /cart/items"]
    assert len(causes) == 2
    (tagged,) = (one for one in findings.values() if one["pointer"] == "/found")
    assert tagged["inputs"] == "only with ?tag: 2 of 2 such requests show it, 0 of 2 others"
    assert tagged["look_at"] == ["found", "/items"]

    for finding in findings.values():
        again = shell(f"{finding['reproduce']}", tmp_path)
        assert again.returncode in ((0, 1) if finding["severity"] == "info" else (1,)), again.stderr
        assert finding["id"] in [one["id"] for one in json.loads(again.stdout)["verdict"]["findings"]]

    server = subprocess.Popen([sys.executable, "app.py", str(port)], cwd=tmp_path)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/cart"), "the app answers")
        for finding in findings.values():
            sent = shell(finding["curl"], tmp_path)
            assert sent.returncode == 0, sent.stderr
            name = finding["pointer"].rpartition("/")[2]
            assert (f'"{name}"' in sent.stdout) is (finding["kind"] != "removed")
    finally:
        server.kill()
        server.wait(10)


def test_each_run_tells_what_became_of_the_last_one_s_findings(wiretape: Wiretape, port: int, tmp_path: Path) -> None:
    assert port
    (tmp_path / "app.py").write_text(RENAMED)
    first = wiretape("verify", "--no-mock").stdout
    assert "5 findings from 2 causes: 3 errors, 2 for information" in first
    assert "since run" not in first
    (tmp_path / "app.py").write_text(RENAMED.replace("1 if not tag else 2", "1"))
    second = wiretape("verify", "--no-mock", "--json")
    since = json.loads(second.stdout)["since"]
    assert (len(since["new"]), len(since["still"]), len(since["fixed"])) == (0, 4, 1)
    (tmp_path / "app.py").write_text(APP.replace('"items": ["tea"]', '"items": []'))
    third = wiretape("verify", "--no-mock").stdout
    assert "4 fixed" in third
    assert third.count(" ✔ fixed  F-") == 4


def test_response_times_are_drawn(wiretape: Wiretape, port: int) -> None:
    assert port
    assert wiretape("verify", "--no-mock", "--warmup", "1").returncode == 0
    drawn = wiretape("diff", "--latency").stdout
    assert "GET /items: 3 responses, p50 " in drawn
    assert "█" in drawn
    assert "3 first requests of their routes are warm-up, not in the response times" in wiretape("diff").stdout
    assert wiretape("verify", "--no-mock").returncode == 0
    assert wiretape("diff", "--latency").stdout.startswith("all routes: 6 responses, p50 ")
