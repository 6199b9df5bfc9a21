"""`wiretape noise` as a user goes through it: learn, list, explain, accept, undo; `verify` beside unchanged code."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from noisy_app import answers, command

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.explain.finding import STAYS
from wiretape_replay.verdict.model import Counts, Finding, FindingClass, Part, Severity, Verdict
from wiretape_replay.verdict.model import Run as Judged
from wiretape_server.cli.noise_learn import stays
from wiretape_server.cli.run_replay import may_be_noise
from wiretape_server.workspace.accepting import place_in
from wiretape_server.workspace.workspace import Workspace

type Run = Callable[..., subprocess.CompletedProcess[str]]

RULES = """
[[rule]]
route = "GET /orders/{id}"
pointer = "/host"
kind = "value"
differed = 61
of = 90
cause = "string that varies"
shape = { types = ["string"], length = [5, 6] }

[[rule]]
route = "GET /orders"
pointer = ""
kind = "order"
accepted_by = "ada"
cause = "sorted by load"
"""


async def write_tape(path: Path, port: int, count: int, change: str = "", racing: str = "") -> None:
    """A recording of the app at `port`; with a method for `racing`, of another client at the first one's item, too."""
    taken = answers(port, count, change)
    tape = await TapeWriter.create(path, name=path.stem, created_ns=taken[0][1])
    for sequence, (target, at_ns, data) in enumerate(taken, 1):
        tape.put(Exchange(
            sequence=sequence, direction=Direction.INBOUND, service=f"127.0.0.1:{port}", command="GET",
            location=target, status="200", started_ns=at_ns, duration_us=900,
            request=Request(method="GET", target=target, headers=(("Host", f"127.0.0.1:{port}"),)),
            response=Response(status=200, reason="OK", headers=(("Content-Type", "application/json"),),
                              body=body_of(data)),
        ))  # fmt: skip
    if racing:
        target, at_ns, _ = taken[0]
        tape.put(Exchange(
            sequence=count + 1, direction=Direction.INBOUND, service=f"127.0.0.1:{port}", command=racing,
            location=target, status="501", started_ns=at_ns + 100_000, duration_us=900, connection="another",
            request=Request(method=racing, target=target, headers=(("Host", f"127.0.0.1:{port}"),)),
            response=Response(status=501),
        ))  # fmt: skip
    await tape.close()


@pytest.fixture
def project(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    """A project with a noisy app and its snapshot `shop`."""
    port = free_port()
    ws = Workspace(tmp_path)
    ws.create()
    asyncio.run(write_tape(ws.snapshot_path("shop"), port, 12))
    (tmp_path / "wiretape.toml").write_text(
        f"[app]\ncommand = {json.dumps(command(port))}\nport = {port}\n[replay]\nlatency_seconds = 0\n"
    )
    return tmp_path


def test_learned_noise_is_listed_explained_accepted_and_undone(project: Path, wiretape: Run, in_process: Run) -> None:
    file = project / "wiretape-noise.toml"
    assert wiretape("verify").returncode == 1
    learned = wiretape("noise", "learn")
    assert learned.returncode == 0, learned.stderr
    assert learned.stdout.splitlines()[-1] == "written to wiretape-noise.toml; review and commit it"
    assert 'pointer = "/served_by"' in file.read_text()

    verified = wiretape("verify")
    assert (verified.returncode, "noise rules of wiretape-noise.toml applied" in verified.stdout) == (0, True)
    assert "differed in 36 of 36 answers of unchanged code" in " ".join(in_process("diff", "--noise").stdout.split())

    rules = json.loads(in_process("noise", "list", "--json").stdout)
    served = next(rule for rule in rules if rule["pointer"] == "/served_by")
    assert served["id"] in in_process("noise", "list").stdout
    explained = in_process("noise", "explain", "GET /items/{id}", "/served_by").stdout
    assert f"rule {served['id']} (value): differed in" in explained
    assert "suppressed" in explained

    assert in_process("noise", "undo", served["id"]).returncode == 0
    failed = wiretape("verify", "--json")
    assert failed.returncode == 1
    (finding,) = json.loads(failed.stdout)["verdict"]["findings"]
    assert finding["pointer"] == "/served_by"
    assert "evidence: " in in_process("noise", "explain", finding["id"]).stdout
    accepted = in_process("noise", "accept", finding["id"], "--reason", "any host may serve", "--by", "ada")
    assert accepted.stdout.startswith(
        f"accepted as {served['id']} in wiretape-noise.toml: GET /items/{{id}} /served_by"
    )
    assert 'accepted_by = "ada"' in file.read_text()
    assert wiretape("verify").returncode == 0


def test_learning_warns_of_what_a_write_under_way_at_the_same_time_may_have_changed(
    tmp_path: Path, free_port: Callable[[], int], wiretape: Run
) -> None:
    port = free_port()
    ws = Workspace(tmp_path)
    ws.create()
    asyncio.run(write_tape(ws.snapshot_path("shop"), port, 12, racing="PUT"))
    (tmp_path / "wiretape.toml").write_text(f"[app]\ncommand = {json.dumps(command(port))}\nport = {port}\n")
    learned = wiretape("noise", "learn")
    assert learned.returncode == 0, learned.stderr
    said = " ".join(learned.stderr.split())
    assert "/promo of GET /items/{id}" in said.partition("may hide")[0]
    assert "/hits of" not in said  # it differs in every answer, whether that raced or not
    assert " may hide data that a write changes, for the recording is racy: exchange 1 was under way" in said
    assert "(PUT /items/{id}), which writes /items/" in said
    assert "learn with --concurrency 1" in said


def test_verify_beside_unchanged_code(project: Path, wiretape: Run, in_process: Run) -> None:
    words = command(0)
    same = shlex.join([*words[:2], "{port}"])
    port = str(Workspace.find(project).config.app.port)
    change = "body['score'] *= 100; body['price'] = 12.51"
    changed = wiretape("verify", "--baseline-command", same, "--json", "--", *words[:2], port, change)
    assert changed.returncode == 1, changed.stderr
    assert not (project / "wiretape-noise.toml").exists(), "nothing is written unless asked for"
    findings = {each["pointer"]: each["evidence"] for each in json.loads(changed.stdout)["verdict"]["findings"]}
    assert set(findings) == {"/score", "/price"}
    observed = in_process("noise", "explain", "GET /items/{id}", "/score").stdout
    assert "on unchanged code (value): differed in 36 of 36 answers" in observed


def test_an_app_without_noise_is_not_told_to_learn_it_again(
    tmp_path: Path, free_port: Callable[[], int], wiretape: Run, in_process: Run
) -> None:
    port, still = free_port(), "body.clear(); body['price'] = 12.5"
    ws = Workspace(tmp_path)
    ws.create()
    asyncio.run(write_tape(ws.snapshot_path("shop"), port, 3, still))
    (tmp_path / "wiretape.toml").write_text(
        f"[app]\ncommand = {json.dumps(command(port, still))}\nport = {port}\n[replay]\nlatency_seconds = 0\n"
    )
    words = command(port, f"{still}; body['price'] = 13")
    hint = "no noise was learned yet"
    assert hint in wiretape("verify", "--", *words).stdout
    learned = wiretape("noise", "learn")
    assert (learned.returncode, learned.stdout.splitlines()[-1]) == (0, "wiretape-noise.toml says so; commit it")
    assert in_process("noise", "list").stdout.startswith("nothing varied when it was learned")
    failed = wiretape("verify", "--", *words)
    assert (failed.returncode, hint in failed.stdout) == (1, False)


def test_a_file_of_rules_is_read_or_refused(tmp_path: Path, in_process: Run) -> None:
    file = tmp_path / "wiretape-noise.toml"
    assert (
        in_process("noise", "list").stdout == "no noise was learned or accepted yet; begin with: wiretape noise learn\n"
    )
    file.write_text(RULES)
    shown = in_process("noise", "list").stdout
    assert "differed in 61 of 90 answers of unchanged code, string that varies" in shown
    assert "accepted by ada, sorted by load" in shown
    lone = in_process("noise", "undo", "N-zzzz")
    assert (lone.returncode, "there is no rule" in lone.stderr) == (2, True)
    for rule in json.loads(in_process("noise", "list", "--json").stdout):
        assert in_process("noise", "undo", rule["id"]).returncode == 0
    assert not file.exists()
    file.write_text(RULES.replace('kind = "order"', 'kind = "status"'))
    broken = in_process("noise", "list")
    assert broken.returncode == 2
    assert broken.stderr.startswith("wiretape: wiretape-noise.toml line 14: rule.1.kind: ")


def test_explaining_what_nobody_knows_says_so(in_process: Run) -> None:
    told = in_process("noise", "explain", "GET /x", "/y")
    assert (told.returncode, told.stdout.splitlines()[1][:33]) == (0, "  nothing is known of this place:")
    assert in_process("noise", "explain", "F-12345678").returncode == 2


def finding(kind: FindingClass, pointer: str, at: str = "", part: Part = Part.BODY, **more: object) -> Finding:
    return Finding.model_validate({
        "id": "F-1", "kind": kind, "severity": Severity.ERROR, "breaking": False, "route": "GET /x", "part": part,
        "pointer": pointer, "example_pointer": at, "message": "m", "sequences": (1,), "count": 1, "of": 1, **more,
    })  # fmt: skip


def test_findings_on_calls_are_told_after_learning_and_learning_is_not_proposed_for_them() -> None:
    call = finding(FindingClass.OUTBOUND, "missing redis: LPUSH audit ?", part=Part.OUTBOUND)
    value = finding(FindingClass.VALUE, "/served_by")

    def run(*findings: Finding) -> Judged:
        return Judged(
            id="20261129-1", snapshot="s", snapshot_sha256="0", target="http://app", started_ns=1, duration_ms=1,
            counts=Counts(total=1), latency=None, notes=("the recording is racy, and 1 finding may come from that",),
            verdict=Verdict(verdict="fail", reason="", findings=findings),
        )  # fmt: skip

    assert [may_be_noise(run(*some)) for some in ([], [call], [value], [call, value])] == [False, False, True, True]
    assert stays(run()) == []
    assert stays(run(call)) == [
        "this unchanged code itself has a finding that no rule covers:",
        "  F-1  GET /x  missing redis: LPUSH audit ?",
        f"of one on calls to services {STAYS}",
        "the recording is racy, and 1 finding may come from that",
        "what they are: wiretape diff 20261129-1; unchanged code that differs calls for a new snapshot, recorded with "
        "its clients one after the other where they raced",
    ]
    assert stays(run(*[value] * 7))[0] == "this unchanged code itself has 7 findings that no rule covers:"
    assert "  and 2 more" in stays(run(*[value] * 7))
    with pytest.raises(UsageError, match="class outbound") as refused:
        place_in(call, lines=False)
    assert refused.value.hint == STAYS


@pytest.mark.parametrize(
    ("found", "lines", "place"),
    [
        (finding(FindingClass.VALUE, "/items/*/at", "/items/3/at"), False, ("value", "/items/*/at")),
        (finding(FindingClass.VALUE, "/rows/*/*", "/rows/3/1"), False, ("value", "/rows/*/1")),
        (finding(FindingClass.VALUE, "/*", "/4"), True, ("value", "/4")),
        (finding(FindingClass.REMOVED, "/items/*", "/items/3"), False, ("items", "/items")),
        (finding(FindingClass.ORDER, "/items", "/items"), False, ("order", "/items")),
        (finding(FindingClass.NULL, "/promo", "/promo"), False, ("null", "/promo")),
        (finding(FindingClass.HEADER, "X-Host", "X-Host", Part.HEADER, expected="a", actual="b"), False,
         ("value", "header:x-host")),
    ],
)  # fmt: skip
def test_a_finding_becomes_a_rule_for_its_place(found: Finding, lines: bool, place: tuple[str, str]) -> None:
    assert place_in(found, lines=lines) == place


@pytest.mark.parametrize(
    "found",
    [
        finding(FindingClass.STATUS, "", part=Part.STATUS),
        finding(FindingClass.TYPE, "/total"),
        finding(FindingClass.FORMAT, "/at"),
        finding(FindingClass.REMOVED, "/total"),
        finding(FindingClass.HEADER, "x-host", part=Part.HEADER, expected="a"),
        finding(FindingClass.OUTBOUND, "", part=Part.OUTBOUND),
    ],
)
def test_structure_is_never_accepted(found: Finding) -> None:
    with pytest.raises(Exception, match="record a new snapshot"):
        place_in(found, lines=False)
