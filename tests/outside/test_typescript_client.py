"""The whole loop of an agent with the TypeScript SDK: red, look, mend, green."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from small_project import BROKEN, GOOD, SNAPSHOT, SmallProject

if TYPE_CHECKING:
    from tests.outside.conftest import Node

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("outside")]  # one recorded app for all

type Serve = Callable[..., AbstractContextManager[str]]

SERVER = "wiretape_server.mcp"


def loop(node: Node, project: SmallProject, *where: str) -> dict[str, Any]:
    project.damage()
    ran = node.run("loop.ts", where[0], str(project.root), BROKEN, GOOD, *where[1:], cwd=project.root)
    assert ran.returncode == 0, ran.stderr[-3000:]
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize(("transport", "protocol"), [("stdio", "2025-11-25"), ("http", "2026-07-28")])
def test_a_typescript_agent_mends_what_broke(
    node: Node, recorded: SmallProject, serve: Serve, transport: str, protocol: str
) -> None:
    if transport == "stdio":
        told = loop(node, recorded, "stdio", sys.executable, "-m", SERVER)
    else:
        with serve(SERVER, "--http", "--port", "0", cwd=recorded.root) as url:
            told = loop(node, recorded, "http", url)

    assert told["protocol"] == protocol
    assert {"list_snapshots", "start_mock", "run_replay", "get_diff"} <= set(told["tools"])
    assert told["snapshots"] == [SNAPSHOT]
    assert (told["red"]["status"], told["green"]["status"]) == ("fail", "pass")
    assert told["red"]["next"] in told["red"]["text"]
    assert (told["finding"]["route"], told["finding"]["pointer"]) == ("GET /orders/{id}", "/total")
    assert told["changed"] == 1
    assert "PASS" in told["green"]["summary"]
    assert told["report"].startswith("# ")
    assert all(steps == sorted(set(steps)) for steps in told["progress"])
    assert any(told["progress"])
    assert recorded.app.read_text(encoding="utf-8").count(GOOD) == 1


def test_the_lock_file_names_no_registry() -> None:
    lock = (Path(__file__).parent / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
