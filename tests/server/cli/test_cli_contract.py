"""`wiretape contract`: the table, OpenAPI written, and changes with their exit code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter

STARTED = 1_795_000_000_000_000_000
type Run = Callable[..., subprocess.CompletedProcess[str]]


async def tape(folder: Path, name: str, *bodies: str) -> None:
    folder = folder / ".wiretape" / "snapshots"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    async with await TapeWriter.create(folder / f"{name}.tape", name=name, created_ns=STARTED) as writer:
        for sequence, text in enumerate(bodies, 1):
            target = f"/pages/p{'abcdefghijklmnopqrstuvwxyz'[sequence]}?full=true"
            writer.put(Exchange(
                sequence=sequence, direction=Direction.INBOUND, service="127.0.0.1:8000", command="GET",
                location=target, status="200", started_ns=STARTED + sequence, duration_us=5,
                request=Request(method="GET", target=target, headers=(("Host", "shop"),)),
                response=Response(status=200, headers=(("Content-Type", "application/json"),),
                                  body=body_of(text.encode())),
            ))  # fmt: skip


@pytest.fixture
async def shop(tmp_path: Path) -> Path:
    await tape(tmp_path, "old", *['{"id": 7, "state": "open"}'] * 12)
    await tape(tmp_path, "new", *['{"id": "7", "state": "open", "more": 1}'] * 3)
    return tmp_path


@pytest.mark.usefixtures("shop")
def test_the_table_shows_each_field_with_its_evidence(in_process: Run) -> None:
    ran = in_process("contract", "old", "new", "--route", "/pages/{page}")
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = [line.split("  ") for line in ran.stdout.splitlines()]
    table = [tuple(cell.strip() for cell in row if cell.strip()) for row in rows]
    assert table == [
        ("route", "status", "field", "type", "always", "seen"),
        ("GET /pages/{page}", "request", "path page", "string", "yes", "15 of 15"),
        ("GET /pages/{page}", "request", "query full", "boolean", "yes", "15 of 15"),
        ("GET /pages/{page}", "200", "application/json", "15"),
        ("GET /pages/{page}", "200", "/", "object", "yes", "15 of 15"),
        ("GET /pages/{page}", "200", "/id", "integer or string", "yes", "15 of 15"),
        ("GET /pages/{page}", "200", "/state", "string", "yes", "15 of 15"),
        ("GET /pages/{page}", "200", "/more", "integer", "3 of 15"),
    ]


def test_the_contract_as_json(shop: Path, in_process: Run) -> None:
    (shop / "wiretape.toml").write_text('routes = ["GET /pages/{page}"]\n')
    view = json.loads(in_process("contract", "new", "--json").stdout)
    assert (view["snapshots"], view["exchanges"]) == (["new"], 3)
    assert view["routes"][0]["route"] == "GET /pages/{page}"
    more = view["routes"][0]["answers"][0]["body"][3]
    assert (more["pointer"], more["types"], more["present"], more["of"], more["required"]) == (
        "/more", {"integer": 3}, 3, 3, False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["openapi.json", "openapi.yaml"])
def test_openapi_is_written_and_compared_with(shop: Path, in_process: Run, name: str) -> None:
    ran = in_process("contract", "old", "--route", "/pages/{page}", "--openapi", name)
    assert (ran.returncode, ran.stdout) == (0, f"wrote 1 path to {name}\n")
    assert "{page}" in (shop / name).read_text()
    same = in_process("contract", "old", "--against", name)
    assert (same.returncode, same.stdout) == (0, f"nothing changed between {name} and old\n")
    worse = in_process("contract", "new", "--against", name)
    assert worse.returncode == 1
    assert worse.stdout.splitlines() == [
        " ✖ GET /pages/{page} response 200 /id: integer became string",
        "     integer in 12 of 12 recorded, now string in 3 of 3 recorded",
        "   GET /pages/{page} response 200 /more: the field is new",
        f"1 breaking, 0 warning, 1 info since {name}",
    ]


@pytest.mark.usefixtures("shop")
def test_openapi_on_stdout_is_valid(in_process: Run) -> None:
    tree = json.loads(in_process("contract", "old", "--route", "/pages/{page}", "--openapi", "-").stdout)
    validate(tree)
    assert tree["x-wiretape-snapshots"] == ["old"]


def test_two_snapshots(shop: Path, in_process: Run) -> None:
    (shop / "wiretape.toml").write_text('routes = ["/pages/{page}"]\n')
    ran = in_process("contract", "new", "--against", "old", "--json")
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["breaking"], found["base"], found["revision"]) == (1, 1, "old", "new")
    assert in_process("contract", "old", "--against", "old").returncode == 0


@pytest.mark.parametrize(
    ("line", "code", "problem"),
    [
        ("contract nothing", 2, "there is no snapshot 'nothing'"),
        ("contract old --openapi x.json --against new", 2, "give either --openapi or --against"),
        ("contract old --against gone.yaml", 2, "gone.yaml: no such file or directory"),
        ("contract old --openapi /nowhere/x.json", 3, "/nowhere/x.json: no such file or directory"),
        ("contract old --route pages", 2, '"pages" is not a route'),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_cannot_be_done_is_said(in_process: Run, line: str, code: int, problem: str) -> None:
    ran = in_process(*line.split())
    assert ran.returncode == code
    assert problem in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
