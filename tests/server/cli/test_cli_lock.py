"""`wiretape lock` and `verify --locked` against an agent that makes a red verdict green without mending the code."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.engine.replay import replay
from wiretape_replay.verdict.basis import Integrity
from wiretape_replay.verdict.model import Run
from wiretape_server.workspace.specs import replay_spec
from wiretape_server.workspace.workspace import Workspace

type Call = Callable[..., subprocess.CompletedProcess[str]]
type Attack = Callable[[Path, Call], None]

APP = """
import http.server, json, sys

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        number = int(self.path.rpartition("/")[2])
        wrong = number == 2 and "broken" in sys.argv
        body = json.dumps({"id": number, "name": "coffee" if wrong else "tea"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""
CONFIG = """
snapshot = "shop"

[app]
command = [{python}, "app.py", "{port}", "broken"]
port = {port}

[replay]
mock = false
fail_if = ["requests.failed > 0"]
openapi = "api.json"
"""
API = {
    "openapi": "3.0.3", "info": {"title": "t", "version": "1"},
    "paths": {"/orders/{id}": {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "get": {"responses": {"200": {"description": "ok"}}},
    }},
}  # fmt: skip
RULE = """
[[rule]]
route = "GET /orders/{id}"
pointer = "/name"
kind = "value"
accepted_by = "agent"
cause = "names vary"
"""


async def write_tape(path: Path, names: dict[int, str]) -> None:
    async with await TapeWriter.create(path, name=path.stem, created_ns=1_795_000_000_000_000_000) as tape:
        for sequence, (number, name) in enumerate(names.items(), 1):
            target = f"/orders/{number}"
            data = json.dumps({"id": number, "name": name}).encode()
            tape.put(Exchange(
                sequence=sequence, direction=Direction.INBOUND, service="127.0.0.1:8000", command="GET",
                location=target, status="200", started_ns=1_795_000_000_000_000_000 + sequence, duration_us=900,
                request=Request(method="GET", target=target, headers=(("Host", "127.0.0.1:8000"),)),
                response=Response(status=200, reason="OK", headers=(("Content-Type", "application/json"),),
                                  body=body_of(data)),
            ))  # fmt: skip


def record(project: Path, name: str, names: dict[int, str]) -> None:
    path = Workspace(project).snapshot_path(name)
    path.unlink(missing_ok=True)
    asyncio.run(write_tape(path, names))


def verify(project: Path, **settings: object) -> Run:
    """The run that `wiretape verify` makes, by the same spec in the same engine, without processes around it."""
    ws = Workspace.find(project).with_settings({f"replay.{key}": value for key, value in settings.items()})
    spec = replay_spec(ws, now=datetime.now(UTC), verify=True, log=ws.jobs_dir / "app.log")
    return asyncio.run(replay(spec, lambda _: None, asyncio.Event()))


def edit(project: Path, old: str, new: str) -> None:
    file = project / "wiretape.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def git(project: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(project), *identity, *words], check=True, capture_output=True, timeout=30)


@pytest.fixture
def project(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    """A project whose app broke one answer since its snapshot `shop` was recorded."""
    ws = Workspace(tmp_path)
    ws.create()
    record(tmp_path, "shop", {1: "tea", 2: "tea", 3: "tea"})
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "api.json").write_text(json.dumps(API))
    (tmp_path / "wiretape.toml").write_text(CONFIG.format(python=json.dumps(sys.executable), port=free_port()))
    return tmp_path


@pytest.fixture
def locked(project: Path, in_process: Call) -> Path:
    """The same, locked and committed."""
    written = in_process("lock")
    assert (written.returncode, written.stdout.startswith("wrote wiretape.lock (")) == (0, True), written.stderr
    git(project, "init")
    git(project, "add", "wiretape.lock", "wiretape.toml", "api.json")
    git(project, "commit", "-m", "lock")
    return project


def looser_eval(project: Path, _wiretape: Call) -> None:
    edit(project, "requests.failed > 0", "requests.failed > 5")


def no_eval_on_requests(project: Path, _wiretape: Call) -> None:
    edit(project, "requests.failed > 0", "latency.p95 > 60000")


def accepted_noise(_project: Path, wiretape: Call) -> None:
    (finding,) = verify(_project).verdict.findings
    accepted = wiretape("noise", "accept", finding.id, "--reason", "names vary", "--by", "agent")
    assert accepted.returncode == 0, accepted.stderr


def noise_by_hand(project: Path, _wiretape: Call) -> None:
    (project / "wiretape-noise.toml").write_text(RULE)


def declared_noise(project: Path, _wiretape: Call) -> None:
    with (project / "wiretape.toml").open("a") as file:
        file.write('[[noise]]\nroute = "GET /orders/{id}"\npointer = "/name"\n')


def recorded_again(project: Path, _wiretape: Call) -> None:
    record(project, "shop", {1: "tea", 2: "coffee", 3: "tea"})


def exchange_deleted(project: Path, _wiretape: Call) -> None:
    record(project, "shop", {1: "tea", 3: "tea"})


def another_snapshot(project: Path, _wiretape: Call) -> None:
    record(project, "shop-2", {1: "tea", 2: "coffee", 3: "tea"})
    edit(project, 'snapshot = "shop"', 'snapshot = "shop-2"')


def narrowed(project: Path, _wiretape: Call) -> None:
    edit(project, "[replay]\n", '[replay]\nonly = ["GET /orders/1"]\n')


def another_app(project: Path, _wiretape: Call) -> None:
    edit(project, ', "broken"]', "]")


def lock_written_anew(project: Path, wiretape: Call) -> None:
    looser_eval(project, wiretape)
    assert wiretape("lock").returncode == 0


def lock_hidden_from_git(project: Path, wiretape: Call) -> None:
    lock_written_anew(project, wiretape)
    git(project, "update-index", "--assume-unchanged", "wiretape.lock")


ATTACKS: list[tuple[Attack, str, str]] = [
    (looser_eval, "eval", "eval requests.failed > 0 is looser now: requests.failed > 5"),
    (no_eval_on_requests, "eval", "eval requests.failed > 0 was removed"),
    (accepted_noise, "noise", 'GET /orders/{id} /name (value), accepted by agent on '),
    (noise_by_hand, "noise", 'GET /orders/{id} /name (value), accepted by agent, because "names vary"'),
    (declared_noise, "noise", "GET /orders/{id} /name, declared, no reason given"),
    (recorded_again, "recording", "snapshot shop is another recording: "),
    (exchange_deleted, "recording", "3 to 2 inbound exchanges; fewer exchanges of GET /orders/{id} (3 to 2)"),
    (another_snapshot, "recording", "snapshot shop-2 ("),
    (narrowed, "selection", 'only 1 of 3 inbound exchanges were replayed (replay.only ["GET /orders/1"])'),
    (another_app, "config", "app.command was "),
    (lock_written_anew, "lock", "wiretape.lock is not as it was committed"),
    (lock_hidden_from_git, "lock", "wiretape.lock is not as it was committed"),
]  # fmt: skip


@pytest.mark.parametrize(("attack", "kind", "said"), ATTACKS, ids=[each[0].__name__ for each in ATTACKS])
def test_a_verdict_made_green_by_its_judge_is_refused(
    locked: Path, in_process: Call, attack: Attack, kind: str, said: str
) -> None:
    attack(locked, in_process)

    run = verify(locked, locked=True)

    assert all(one.passed for one in run.verdict.evals), "the attack itself succeeded"
    assert (run.exit_code, run.verdict.verdict) == (1, "fail")
    assert run.verdict.reason == "refused: a change to what judges the run is not in wiretape.lock"
    assert run.integrity is not None
    (change,) = run.integrity.counted
    assert change.kind == kind
    assert said in change.message


def told(ran: subprocess.CompletedProcess[str]) -> str:
    return " ".join(ran.stdout.split())


def test_a_pass_after_a_change_says_so_wherever_it_is_shown(locked: Path, wiretape: Call, in_process: Call) -> None:
    looser_eval(locked, wiretape)

    passed = wiretape("verify")

    assert passed.returncode == 0
    assert "1 change to what judges it, since wiretape.lock " in told(passed)
    assert " ! eval requests.failed > 0 is looser now: requests.failed > 5" in told(passed)
    assert "VERDICT pass, with 1 change to what judges it: no eval failed, though 1 of 3" in told(passed)
    assert "VERDICT pass, with 1 change to what judges it: " in told(in_process("diff"))
    assert "pass, 1 change" in in_process("runs").stdout
    refused = told(wiretape("verify", "--locked"))
    assert "VERDICT fail, with 1 change to what judges it: refused: a change to what judges the run is not" in refused
    assert "review them; wiretape lock writes them down" in refused


def test_what_is_as_locked_passes_and_a_stricter_eval_is_welcome(
    locked: Path, wiretape: Call, in_process: Call
) -> None:
    edit(locked, ', "broken"]', "]")
    assert in_process("lock").returncode == 0
    git(locked, "commit", "-am", "another app")

    same = wiretape("verify", "--locked")
    stricter = verify(locked, locked=True, fail_if=["requests.failed > 0", "findings.total > 0"])

    assert (same.returncode, "judged as locked in wiretape.lock" in same.stdout) == (0, True), same.stdout
    assert "VERDICT pass: all 3 exchanges came out equal" in same.stdout
    assert stricter.verdict.verdict == "pass"
    assert stricter.integrity is not None
    assert [one.message for one in stricter.integrity.changes] == ["eval findings.total > 0 was added"]


def test_another_openapi_file_is_refused(locked: Path, in_process: Call) -> None:
    (locked / "api.json").write_text(json.dumps({**API, "info": {"title": "t", "version": "2"}}))
    checked = in_process("lock", "--check", "--json")
    assert checked.returncode == 1
    (change,) = json.loads(checked.stdout)["changes"]
    assert (change["kind"], change["subject"]) == ("file", "replay.openapi")


def test_check_writes_nothing_and_lock_tells_what_it_changes(locked: Path, wiretape: Call, in_process: Call) -> None:
    before = (locked / "wiretape.lock").read_bytes()
    assert in_process("lock", "--check").returncode == 0
    assert in_process("lock").stdout.endswith("is up to date\n")
    looser_eval(locked, wiretape)
    assert in_process("lock", "--check").returncode == 1
    assert (locked / "wiretape.lock").read_bytes() == before
    again = in_process("lock")
    assert again.stdout.startswith("! eval requests.failed > 0 is looser now: requests.failed > 5\nwrote wiretape.lock")
    assert '"requests.failed > 5"' in (locked / "wiretape.lock").read_text()


def test_a_lock_whose_recording_is_absent_says_so(locked: Path, in_process: Call) -> None:
    Workspace(locked).snapshot_path("shop").unlink()
    missing = in_process("verify", "--locked")
    assert missing.returncode == 2
    assert "wiretape.lock was made with shop (" in missing.stderr
    assert "bring it to .wiretape/snapshots" in missing.stderr


def test_locked_wants_a_lock_that_can_be_read(project: Path, in_process: Call) -> None:
    none = in_process("verify", "--locked")
    assert (none.returncode, "there is no wiretape.lock" in none.stderr) == (2, True)
    assert in_process("lock", "--check").returncode == 1
    (project / "wiretape.lock").write_text("version = 1\nevals = 3\n")
    broken = in_process("verify")
    assert (broken.returncode, "wiretape.lock line 2: evals" in broken.stderr) == (2, True)


def test_the_key_locks_every_run_and_is_locked_itself(project: Path, in_process: Call) -> None:
    edit(project, "[replay]\n", "[replay]\nlocked = true\n")
    assert in_process("lock").returncode == 0
    looser_eval(project, in_process)
    assert verify(project).verdict.reason.startswith("refused: ")
    edit(project, "locked = true\n", "")
    run = verify(project)
    assert run.integrity is not None
    subjects = {one.subject for one in run.integrity.changes}
    assert (run.verdict.verdict, subjects) == ("pass", {"requests.failed", "replay.locked"})


def test_without_a_lock_runs_are_compared_with_the_last_clean_pass(project: Path, in_process: Call) -> None:
    edit(project, ', "broken"]', "]")
    first = verify(project)
    assert (first.verdict.verdict, first.integrity) == ("pass", None)
    same = verify(project)
    assert same.integrity == Integrity(against=first.id)
    looser_eval(project, in_process)
    for _ in range(2):
        changed = verify(project)
        assert changed.verdict.verdict == "pass"
        assert changed.integrity is not None
        assert changed.integrity.against == same.id, "told as long as it lasts"
        assert changed.integrity.label == ", with 1 change to what judges it"


def test_a_new_recording_without_a_lock_is_told_too(project: Path) -> None:
    first = verify(project)
    record(project, "shop-2", {1: "tea", 2: "coffee", 3: "tea"})
    edit(project, 'snapshot = "shop"', 'snapshot = "shop-2"')
    run = verify(project)
    assert (first.verdict.verdict, run.verdict.verdict) == ("fail", "pass")
    assert run.integrity is not None
    assert [one.kind for one in run.integrity.counted] == ["recording"]


def test_a_lock_is_named_by_its_hash(locked: Path, in_process: Call) -> None:
    edit(locked, ', "broken"]', "]")
    assert in_process("lock").returncode == 0
    git(locked, "commit", "-am", "another app")
    sha256 = json.loads(in_process("lock", "--json").stdout)["sha256"]
    assert verify(locked, lock_hash=sha256[:12]).verdict.verdict == "pass"

    looser_eval(locked, in_process)
    assert in_process("lock").returncode == 0
    git(locked, "commit", "-am", "an agent that also commits")
    run = verify(locked, lock_hash=sha256[:12])
    assert run.verdict.reason == "refused: a change to what judges the run is not in wiretape.lock"
    assert run.integrity is not None
    assert f", not {sha256[:12]}" in run.integrity.changes[0].message
    assert verify(locked).verdict.verdict == "pass"


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("given", ["4f2a", "not-a-hash!!", "4F2A9C17BE02"])
def test_a_hash_of_another_form_is_wrong_usage(in_process: Call, given: str) -> None:
    refused = in_process("verify", "--lock-hash", given)
    assert refused.returncode == 2
    assert "replay.lock_hash: a hash is 12 to 64 of the digits 0-9 and a-f" in refused.stderr
