"""`wiretape load` as a user meets it: one whole run, and wrong usage in one sentence."""

from __future__ import annotations

import asyncio
import http.server
import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from load_kit import session, write_tape

type Run = Callable[..., subprocess.CompletedProcess[str]]


class Tea(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"name": "tea"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def target() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tea)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path) -> None:
    """A snapshot of one session that reads and a later one that writes."""
    folder = tmp_path / ".wiretape" / "snapshots"
    folder.mkdir(parents=True)
    steps = [("GET", f"/tea/{number}", None, {"name": "tea"}) for number in (7, 8)]
    asyncio.run(
        write_tape(folder / "shop.tape", [*session(1, *steps), *session(2, ("POST", "/tea", {"a": 1}, {}), at_ms=900)])
    )


class NoTea(Tea):
    def do_GET(self) -> None:
        self.send_error(404)


def test_an_eval_on_times_passes_no_wrong_answer(wiretape: Run) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoTea)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, slow = f"http://127.0.0.1:{server.server_port}", ("--fail-if", "latency.p99 > 60000")
    for command in (("load", "shop", "--max-lag", "60000"), ("replay", "shop")):
        ran = wiretape(*command, "--target", url, "--only", "GET /tea/*", *slow)
        assert ran.returncode == 1, ran.stdout + ran.stderr
        assert "requests.failed > 0.00 is true, observed 2.00" in " ".join(ran.stdout.split())
    server.shutdown()
    server.server_close()


def test_a_load_is_a_run_like_any_other(wiretape: Run, target: str) -> None:
    evals = ("--fail-if", "requests.failed > 0", "--fail-if", "latency.p95 > 60000")
    ran = wiretape(
        "load", "shop", "--target", target, "--scale", "4", "--only", "GET /tea/*", "--max-lag", "60000", *evals
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "8 requests: 8 equal byte for byte" in ran.stdout
    assert "load x4, " in ran.stdout
    assert " 4 of 4 sessions to their end" in ran.stdout
    assert "shape of arrivals kept to " in ran.stdout
    assert "2 EVALS PASSED" in ran.stdout
    assert "shop (load x4)" in wiretape("runs").stdout
    (run,) = json.loads(wiretape("runs", "--json").stdout)
    assert run["load"]["sessions_ended"] == 4
    assert "load x4, " in wiretape("diff").stdout


@pytest.mark.parametrize(("arguments", "said"), [
    (["--scale", "0"], "load.scale: it must be more than 0"),
    (["--scale", "nan"], "load.scale: input should be a finite number"),
    (["--target", "http://127.0.0.1:99999"], '"http://127.0.0.1:99999" has no port from 1 to 65535'),
    (["--stages", "0s:10"], "the stages '0s:10' take no time at all"),
    (["--scale", "1e9"], "load.scale: it must be at most 100000"),
    (["--speed", "-1"], "load.speed: it must be more than 0"),
    (["--for", "soon"], "load.duration: 'soon' is no duration; write it as 90s, 5m or 1h30m"),
    (["--stages", "1m"], "load.stages: '1m' in the stages '1m' is not DURATION:SCALE"),
    (["--stages", "1m:5", "--scale", "2"], "--stages and --scale both say how many clones there are"),
    (["--warmup", "10s", "--for", "8s"], "a warm-up of 10 s leaves nothing to time of a load of 8 s"),
    (["--warmup", "8s", "--stages", "4s:1,4s:0"], "a warm-up of 8 s leaves nothing to time of a load of 8 s"),
    (["--arrivals", "poisson"], "load.arrivals: 'poisson' has no rate above zero"),
    (["--arrivals", "burst", "5"], "got unexpected extra argument (5)"),
    (["--connections", "none"], "'none' is not one of 'pool', 'session'"),
    (["--fail-if", "latency.p98 > 1"], "the unknown metric 'latency.p98'"),
    (["--baseline", "http://127.0.0.1:1"], "a load is not compared with unchanged code that runs beside it"),
    (["--cluster", "tcp://127.0.0.1:8786"], "load.cluster: a cluster is named by its scheduler: dask://HOST:8786"),
    (["--target", "ftp://x"], "is not an http or https URL"),
])  # fmt: skip
def test_wrong_usage_is_told_before_anything_starts(in_process: Run, arguments: list[str], said: str) -> None:
    ran = in_process("load", "shop", "--target", "http://127.0.0.1:1", *arguments)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.strip().splitlines()) <= 3


def test_without_the_extra_a_cluster_is_one_sentence(wiretape: Run, target: str, tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError\n")
    ran = wiretape("load", "shop", "--target", target, "--cluster", "dask://127.0.0.1:1", PYTHONPATH=str(tmp_path))
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == ("wiretape: a cluster needs dask.distributed, which is not installed; "
                                           "install it with: pip install 'wiretape[dask]'")  # fmt: skip


def test_a_rate_may_follow_its_kind(in_process: Run) -> None:
    ran = in_process("load", "shop", "--target", "http://127.0.0.1:1", "--arrivals", "constant", "0")
    assert "'constant 0' has no rate above zero" in ran.stderr


def test_writes_to_another_machine_need_consent(in_process: Run) -> None:
    # An address of the documentation block (RFC 5737): nothing is sent there, for it is refused before.
    ran = in_process("load", "shop", "--target", "http://192.0.2.1:9", "--timeout", "1")
    assert ran.returncode == 2
    assert "1 of the requests write, and 192.0.2.1 is not this machine: first POST /tea" in ran.stderr
    assert "--allow-writes 192.0.2.1" in ran.stderr


@pytest.mark.parametrize(("answer", "advised"), [
    (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"name\": \"herbs\"}", True),
    (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", False),
    (b"", False),
])  # fmt: skip
def test_noise_is_named_where_it_may_be_the_reason(wiretape: Run, answer: bytes, advised: bool) -> None:
    class Odd(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        ran = wiretape("load", "shop", "--target", url, "--only", "GET /tea/*", "--max-lag", "60000")
        server.shutdown()
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert ("no noise was learned yet" in ran.stdout) is advised
    assert (f"see whether the app still answers at {url}" in ran.stdout) is (answer == b"")
    assert ("--only 101" in ran.stdout.splitlines()[-1 - advised]) is (answer != b"")


def test_a_load_names_what_changed_about_its_judge(wiretape: Run, in_process: Run, target: str, tmp_path: Path) -> None:
    load = ("load", "shop", "--target", target, "--only", "GET /tea/*", "--max-lag", "60000", "--no-locked")
    first = json.loads(wiretape(*load, "--json").stdout)
    assert first["integrity"] is None, "the first load has nothing to be compared with"

    shutil.copy(tmp_path / ".wiretape/snapshots/shop.tape", tmp_path / ".wiretape/snapshots/herbs.tape")
    other = wiretape("load", "herbs", *load[2:], "--json", "--scale", "2")
    assert json.loads(other.stdout)["integrity"] is None, "nor has the first load of another snapshot"
    scaled = json.loads(wiretape(*load, "--scale", "2", "--json").stdout)
    assert [change["kind"] for change in scaled["integrity"]["changes"]] == ["selection"]

    fewer = json.loads(wiretape(*load, "--fail-if", "requests.failed > 9", "--compare", "bytes", "--json").stdout)
    told = {change["subject"]: change["message"] for change in fewer["integrity"]["changes"]}
    assert told["requests.failed"] == "eval requests.failed > 0 is looser now: requests.failed > 9"
    assert told["load.compare"] == 'load.compare is "bytes" now, before it had its default'
    assert fewer["basis"]["load"] is True

    (tmp_path / "wiretape.toml").write_text(
        f'[load]\nscale = 2\nmax_lag = 60000\n[replay]\nmock = true\nonly = ["GET /tea/*"]\ntarget = "{target}"\n'
    )
    assert in_process("lock", "shop").returncode == 0
    locked = ("load", "shop", "--locked")
    same = wiretape(*locked)
    assert "judged as locked in wiretape.lock" in same.stdout, same.stdout + same.stderr
    other = wiretape(*locked, "--scale", "1")
    assert other.returncode == 1
    assert "load.scale was 2.0, now it has its default" in " ".join(other.stdout.split())
    assert "VERDICT fail, with 1 change to what judges it: refused" in " ".join(other.stdout.split())
