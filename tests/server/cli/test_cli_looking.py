"""What `traffic`, `explain`, `--failed-of` and `--only failed` show a user, and what they say to a wrong name."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from recorded import exchange, request, response

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.tape_writer import TapeWriter

type Wiretape = Callable[..., CompletedProcess[str]]

APP = """
import http.server, json, sys, urllib.error, urllib.request

def price(sku):
    try:
        with urllib.request.urlopen(f"http://prices.test/prices?sku={sku}", timeout=60) as answer:
            return json.load(answer)["price"]
    except urllib.error.HTTPError:
        return 0

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        _, kind, *rest = self.path.split("/")
        if kind == "carts":
            return self.reply({"id": int(rest[0]), "total": price("tea") * int(rest[0])})
        self.reply({"up": True})
    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""
OTHER_FIELD = ('"total": price', '"sum": price')
OTHER_CALL = ('price("tea")', 'price("cocoa" if rest == ["3"] else "tea")')
NOTE = ("* int(rest[0])}", '* int(rest[0])} | ({"note": "many"} if rest == ["250"] else {})')
"""The field that was recorded and that the app does not have."""


def recorded_traffic() -> list[Exchange]:
    """Three carts, each with its call to a service, and one request without one."""
    found = []
    for number, cart in enumerate((2, 3, 250)):
        first = 2 * number + 1
        call = exchange(first, request("GET", "/prices?sku=tea", host="prices.test"), response({"price": 5}),
                        direction=Direction.OUTBOUND, service="prices.test:80")  # fmt: skip
        answer = {"id": cart, "total": 5 * cart} | ({"note": "many"} if cart > 100 else {})
        found += [call, exchange(first + 1, request("GET", f"/carts/{cart}"), response(answer))]
    return [*found, exchange(7, request("GET", "/up"), response({"up": True}))]


async def write_tape(path: Path, exchanges: list[Exchange]) -> None:
    async with await TapeWriter.create(path, name=path.stem, created_ns=1_790_000_000 * 10**9) as tape:
        for each in exchanges:
            tape.put(each)


@pytest.fixture
def shop(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    """A workspace with the snapshot `carts` of an app that it starts; one recorded answer has a field that is gone."""
    snapshots = tmp_path / ".wiretape" / "snapshots"
    snapshots.mkdir(parents=True)
    asyncio.run(write_tape(snapshots / "carts.tape", recorded_traffic()))
    port = free_port()
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "wiretape.toml").write_text(
        f'snapshot = "carts"\n[app]\ncommand = [{json.dumps(sys.executable)}, "app.py", "{port}"]\nport = {port}\n'
    )
    return tmp_path


def edit(folder: Path, *changes: tuple[str, str], name: str = "app.py") -> None:
    text = (folder / name).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / name).write_text(text)


def said(ran: CompletedProcess[str]) -> str:
    return " ".join(ran.stdout.split())


def verified(wiretape: Wiretape, *flags: str) -> dict[str, Any]:
    ran = wiretape("verify", "--json", *flags)
    assert ran.returncode in (0, 1), ran.stderr
    run: dict[str, Any] = json.loads(ran.stdout)
    return run


@pytest.mark.usefixtures("shop")
def test_traffic_lists_every_route(in_process: Wiretape) -> None:
    listed = in_process("traffic")
    rows = json.loads(in_process("traffic", "--json").stdout)

    assert listed.returncode == 0
    assert [line.split()[:3] for line in listed.stdout.splitlines()[1:]] == [["GET", "/carts/{id}", "3"],
                                                                             ["GET", "/up", "1"]]  # fmt: skip
    assert [(row["route"], row["requests"], row["statuses"], row["example"]) for row in rows] == [
        ("GET /carts/{id}", 3, {"200": 3}, 2), ("GET /up", 1, {"200": 1}, 7)]  # fmt: skip


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("name", ["GET /carts/{id}", "/carts/3", "carts"])
def test_traffic_shows_a_route_by_any_of_its_names(in_process: Wiretape, name: str) -> None:
    shown = in_process("traffic", name)
    found = json.loads(in_process("traffic", name, "--json").stdout)

    assert shown.stdout.startswith("GET /carts/{id}: 3 requests (200 x3), p50 5.0 ms")
    assert "6 GET /carts/250 -> 200 200 body /total is largest" in said(shown)
    assert "200 body /note string 1 of 3 many" in said(shown)
    assert {sample["sequence"] for sample in found["samples"]} == {2, 4, 6}
    assert found["requests"] == 3


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["traffic", "/cart/7"], 'no recorded request is for "/cart/7"; did you mean GET /carts/{id}?'),
        (["traffic", "payments"], 'no recorded request is for "payments"; wiretape traffic lists all routes'),
        (["traffic", "--snapshot", "cart"], "there is no snapshot 'cart'; did you mean 'carts'?"),
        (["verify", "--failed-of", "newest"], "there are no runs yet; make one with `wiretape verify`"),
        (["verify", "--only", "failed:1"], "there are no runs yet"),
        (["explain"], "there are no runs yet"),
        (["explain", "--mock", "mock-1"], "there is no journal of a mock 'mock-1'; start a mock first"),
    ],
)
def test_a_name_that_is_not_there(in_process: Wiretape, words: list[str], problem: str) -> None:
    plain, as_json = in_process(*words), in_process(*words, "--json")

    assert (plain.returncode, as_json.returncode) == (2, 2)
    assert plain.stderr.startswith(f"wiretape: {problem}")
    assert json.loads(as_json.stdout)["error"]["problem"] == problem.partition(";")[0]


def test_traffic_without_any_recording_says_how_to_make_one(in_process: Wiretape) -> None:
    none = in_process("traffic")

    assert none.returncode == 2
    assert "wiretape record" in none.stderr


def test_what_failed_is_explained_and_replayed_alone(wiretape: Wiretape, in_process: Wiretape, shop: Path) -> None:
    edit(shop, OTHER_FIELD, OTHER_CALL)
    run = verified(wiretape, "--only", "GET /carts/*")
    changed = next(one for one in run["verdict"]["findings"] if one["part"] == "outbound")

    finding, as_json = in_process("explain", changed["id"]), in_process("explain", changed["id"][:6], "--json")
    assert finding.stdout.startswith(f"{changed['id']} ({changed['kind']}) GET /carts/{{id}}")
    assert "look at:" in finding.stdout
    assert any("app.py:" in line and "cocoa" in line for line in finding.stdout.splitlines())
    assert json.loads(as_json.stdout)["finding"]["id"] == changed["id"]
    misses = in_process("explain")
    (miss,) = json.loads(in_process("explain", "--json").stdout)
    assert misses.stdout.startswith(f"1 kind of request missed in run {run['id']}\n{miss['id']} GET prices.test:80/")
    assert "query/sku: recorded 'tea', now 'cocoa'" in misses.stdout
    assert said(in_process("explain", miss["id"])) == said(misses)

    wrong = {
        "F-00000000": f'run {run["id"]} has no finding "F-00000000"; ',
        "M-zz": f"run {run['id']} has no miss 'M-zz'; it has {miss['id']}",
        miss["id"][:-1] + "_": f"did you mean {miss['id']}?",
    }
    for name, told in wrong.items():
        refused = in_process("explain", name)
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr
    near = in_process("explain", "--run", run["id"][:-1] + "x")
    assert (near.returncode, f"did you mean {run['id']}?" in near.stderr) == (2, True)
    other = in_process("explain", "--mock", "mock")
    assert (other.returncode, run["id"] in other.stderr) == (2, True), "what journals there are"

    (shop / "app.py").write_text(APP)
    again = verified(wiretape, "--failed-of", run["id"])
    assert again["counts"]["total"] == 3
    assert "/note" in str(again["verdict"]["findings"]), "the field that the recording has and the app never had"
    one = verified(wiretape, "--only", "failed")
    assert (one["counts"]["total"], [each["sequences"] for each in one["verdict"]["findings"]]) == (1, [[6]])


def test_nothing_failed(wiretape: Wiretape, in_process: Wiretape, shop: Path) -> None:
    run = verified(wiretape, "--only", "GET /up")
    assert run["verdict"]["verdict"] == "pass"

    for words in (["--failed-of", run["id"]], ["--failed-of", "newest"], ["--only", "failed"]):
        refused = in_process("verify", *words)
        assert refused.returncode == 2
        assert f"nothing failed in run {run['id']}; replay all, or name another run" in refused.stderr
    (shop / ".wiretape/snapshots/other.tape").write_bytes((shop / ".wiretape/snapshots/carts.tape").read_bytes())
    edit(shop, ('snapshot = "carts"', 'snapshot = "other"'), name="wiretape.toml")
    other = in_process("verify", "--failed-of", "newest")
    assert (other.returncode, f"run {run['id']} replayed snapshot carts, not other" in other.stderr) == (2, True)


def test_a_run_that_failed_by_an_eval_alone_is_judged_by_it_again(wiretape: Wiretape, shop: Path) -> None:
    edit(shop, NOTE)
    part = verified(wiretape, "--only", "GET /up", "--fail-if", "requests.total == 1")
    assert (part["verdict"]["verdict"], part["counts"]["different"]) == ("fail", 0)
    again = wiretape("verify", "--failed-of", "newest")
    assert f"note: run {part['id']} failed by requests.total == 1, no exchange differed: " in again.stderr
    assert "its one exchange is replayed again" in again.stderr
    assert 'failed eval "requests.total == 1.00"' in again.stdout, "though this call did not ask for it"
    assert again.returncode == 1

    whole = verified(wiretape, "--fail-if", "requests.total >= 4")
    once_more = verified(wiretape, "--failed-of", whole["id"])
    assert (once_more["counts"]["total"], once_more["basis"]["narrowed"]) == (4, False)
    judged = [(one["expression"], one["passed"]) for one in once_more["verdict"]["evals"]]
    assert judged == [("requests.failed > 0.00", True), ("requests.total >= 4.00", False), ("mock.misses > 0.00", True)]


@pytest.mark.usefixtures("shop")
def test_a_refused_run_has_nothing_that_failed(wiretape: Wiretape, in_process: Wiretape) -> None:
    assert in_process("lock").returncode == 0
    run = verified(wiretape, "--only", "GET /up", "--locked")
    assert run["verdict"]["reason"].startswith("refused")

    again = in_process("verify", "--failed-of", "newest")
    assert again.returncode == 2
    assert f"no exchange and no eval failed in run {run['id']}; it is fail: refused: a change" in again.stderr
    assert "see to that, then replay all" in again.stderr
