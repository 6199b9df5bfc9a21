"""The Stop hook on a real recorded app: it verifies what changed, refuses red code, and always lets go in the end."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Literal

import pytest
from workbench import BIN, wait_until

from wiretape_capture.launch.free_port import free_port
from wiretape_replay.run_file import write_run
from wiretape_replay.verdict.basis import BasisChange, Effect, Integrity, Kind
from wiretape_replay.verdict.model import Counts, Run, Verdict
from wiretape_server.hook import answers, main

pytestmark = [pytest.mark.xdist_group("hook_stop"), pytest.mark.timeout(400)]  # one recording and one port for all

APP = """
import http.server, json, sys

class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"id": 7, "name": "tea"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one recorded request."""
    folder = tmp_path_factory.mktemp("hooked")
    port, listen = free_port(), free_port()
    (folder / "app.py").write_text(APP)
    (folder / "wiretape.toml").write_text(f'[app]\ncommand = ["{sys.executable}", "app.py", "{port}"]\nport = {port}\n')
    words = [str(BIN / "wiretape"), "record", "--name", "items", "--listen", str(listen)]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Ctrl-C ends the recording\n" in process.stderr
        with urllib.request.urlopen(f"http://127.0.0.1:{listen}/items/7", timeout=60) as answer:
            assert json.load(answer)["id"] == 7
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=100)
    assert process.returncode == 0
    return folder


@pytest.fixture
def project(recording: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recording, tmp_path / "project")


def stop(project: Path, client: str = "claude", *, again: bool = False, session: str = "s") -> dict[str, Any]:
    said = {"hook_event_name": {"gemini": "AfterAgent", "cursor": "stop"}.get(client, "Stop"), "cwd": str(project),
            "session_id": session, "stop_hook_active": again, "conversation_id": session,
            "workspace_roots": [str(project)], "loop_count": int(again)}  # fmt: skip
    return main.respond(client, answers.call(client, said))


def edited(project: Path) -> dict[str, Any]:
    return main.respond("claude", answers.call("claude", {"hook_event_name": "PostToolUse", "cwd": str(project)}))


def runs(project: Path) -> int:
    return len(list((project / ".wiretape/runs").glob("*.run")))


def edit(project: Path, before: str, after: str) -> None:
    app = project / "app.py"
    assert before in app.read_text()
    app.write_text(app.read_text().replace(before, after))


def test_changed_code_is_verified_once_and_red_code_is_refused_once(project: Path) -> None:
    assert stop(project) == {}, "unchanged code passes in silence"
    assert (stop(project), runs(project)) == ({}, 1), "and is not verified again"

    edit(project, '"name"', '"title"')
    reminder = edited(project)["hookSpecificOutput"]
    assert reminder["hookEventName"] == "PostToolUse"
    assert "run_replay" in reminder["additionalContext"]
    assert edited(project) == {}, "it says so once"
    refused = stop(project)
    assert refused["decision"] == "block"
    assert "/name" in refused["reason"]
    assert "get_diff" in refused["reason"]

    let_go = stop(project, again=True)
    assert "decision" not in let_go
    assert "still fails" in let_go["systemMessage"]
    assert (stop(project), runs(project)) == ({}, 2), "the next turn is not disturbed either"

    edit(project, '"title"', '"name"')
    assert stop(project, again=True) == {}
    assert runs(project) == 3


async def ran(project: Path, verdict: Literal["pass", "fail", "inconclusive"], command: str = "wiretape verify",
              *changes: BasisChange) -> None:  # fmt: skip
    """A run as `run_replay` leaves it when the agent verifies by itself."""
    number = runs(project)
    judged = Verdict(verdict=verdict, reason=f"run {number}")
    run = Run(id=f"r{number}", snapshot="items", snapshot_sha256="", target="http://127.0.0.1:1", duration_ms=1.0,
              started_ns=time.time_ns(), verdict=judged, counts=Counts(total=1), command=command,
              integrity=Integrity(against="wiretape.lock", changes=changes) if changes else None)  # fmt: skip
    await write_run(project / f".wiretape/runs/r{number}.run", run, [], {}, [])


async def test_a_turn_is_sent_back_three_times_at_most(project: Path) -> None:
    decisions = []
    for number in range(5):
        (project / "more.py").write_text(f"number = {number}\n")
        await ran(project, "fail")
        decisions.append(stop(project, "gemini", again=number > 0).get("decision", "let go"))

    assert decisions == ["deny", "deny", "deny", "let go", "let go"]
    (project / "more.py").write_text("number = 9\n")
    await ran(project, "fail")
    assert "followup_message" in stop(project, "cursor"), "a new turn is a new chance"


async def test_what_the_agent_verified_itself_counts(project: Path) -> None:
    (project / "more.py").write_text("")
    await ran(project, "fail")
    assert stop(project)["decision"] == "block"
    (project / "more.py").write_text("again = 1\n")
    await ran(project, "pass")
    assert stop(project, again=True) == {}
    assert runs(project) == 2


LOOSER = BasisChange(kind=Kind.EVAL, subject="requests.failed", effect=Effect.LOOSER,
                     message="eval requests.failed > 0 is looser now: requests.failed > 9")  # fmt: skip
STRICTER = BasisChange(kind=Kind.EVAL, subject="findings.total", effect=Effect.STRICTER, message="eval was added")


async def test_what_changed_about_the_judge_is_told_with_every_verdict(project: Path) -> None:
    (project / "more.py").write_text("")
    await ran(project, "fail", "wiretape verify", LOOSER, STRICTER)
    refused = stop(project)
    assert refused["decision"] == "block"
    assert "1 change to what judges the code since wiretape.lock, for a person to review:\n! eval" in refused["reason"]
    assert "was added" not in refused["reason"], "a stricter rule needs no review"

    (project / "more.py").write_text("again = 1\n")
    await ran(project, "pass", "wiretape verify", LOOSER)
    passed = stop(project, again=True)
    assert "decision" not in passed, "whether it may pass is for people, not for the hook"
    assert passed["systemMessage"].startswith("wiretape: run r1 passed\n1 change to what judges")
    assert stop(project) == {}, "it is told once"

    (project / "more.py").write_text("again = 2\n")
    await ran(project, "pass", "wiretape verify", STRICTER)
    assert stop(project) == {}


def test_an_agent_that_loosens_the_judge_is_named_by_a_real_run(project: Path) -> None:
    assert stop(project) == {}
    with (project / "wiretape.toml").open("a") as file:
        file.write('[replay]\nfail_if = ["requests.failed > 9"]\n')
    edit(project, '"name"', '"title"')

    told = stop(project)["systemMessage"]
    assert "passed" in told
    assert "! eval requests.failed > 0 is looser now: requests.failed > 9" in told


async def test_a_run_of_a_part_or_of_other_code_does_not_count(project: Path) -> None:
    (project / "more.py").write_text("")
    await ran(project, "fail", "wiretape verify --only 1")
    assert stop(project) == {}, "the fresh verdict of all of it is a pass"
    assert runs(project) == 2

    await ran(project, "fail")
    (project / "more.py").unlink()
    assert stop(project) == {}, "no time tells that a file is gone"
    assert runs(project) == 4


def test_an_app_that_does_not_start_is_told_and_holds_nobody_up(project: Path) -> None:
    edit(project, "import http.server", "raise SystemExit(3)\nimport http.server")
    answer = stop(project)

    assert set(answer) == {"systemMessage"}
    assert "could not verify" in answer["systemMessage"]
    assert stop(project) == {}
    (project / "wiretape.toml").write_text("[app\n")
    (project / "other.py").write_text("")
    assert "not valid TOML" in stop(project)["systemMessage"]


@pytest.mark.parametrize("missing", ["wiretape.toml", ".wiretape"])
def test_it_is_quiet_where_there_is_nothing_to_verify(project: Path, missing: str) -> None:
    path = project / missing
    path.unlink() if path.is_file() else shutil.rmtree(path)
    before = sorted(project.rglob("*"))

    assert stop(project) == {}
    assert edited(project) == {}
    assert sorted(project.rglob("*")) == before


HOOK = (str(BIN / "wiretape"), "hook")


@pytest.mark.parametrize(
    "words", [HOOK, (*HOOK, "--client", "codex"), (sys.executable, "-P", "-m", "wiretape_server", "hook")]
)
def test_the_command_answers_on_stdout(project: Path, words: tuple[str, ...]) -> None:
    said = json.dumps({"hook_event_name": "PostToolUse", "cwd": str(project)})
    ran = subprocess.run(words, input=said, cwd=project, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "run_replay" in json.loads(ran.stdout)["hookSpecificOutput"]["additionalContext"]


def test_what_is_no_json_is_explained(project: Path) -> None:
    ran = subprocess.run(HOOK, input="hello", cwd=project, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "stdin is not JSON" in ran.stderr


def test_a_hook_imports_nothing_heavy() -> None:
    code = ("import sys; from wiretape_server.hook import main; "
            "print([name for name in ('click', 'pydantic', 'mcp', 'rich') if name in sys.modules])")  # fmt: skip
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.strip() == "[]"


def test_a_hook_that_is_ended_leaves_nothing_running(project: Path) -> None:
    port = int((project / "wiretape.toml").read_text().rpartition("port = ")[2])
    edit(project, "self.send_response(200)", "import time; time.sleep(600)")
    with subprocess.Popen(HOOK, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"hook_event_name": "Stop", "cwd": str(project)}))
        process.stdin.close()
        try:
            wait_until(lambda: connects(port), "the app is started", 120)
        finally:
            process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    wait_until(lambda: not connects(port), "the app is gone", 60)


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
