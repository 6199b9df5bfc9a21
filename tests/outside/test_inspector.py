"""The MCP Inspector's command line over each transport: strict about schemas, and each kind of request."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from small_project import SNAPSHOT, SmallProject

if TYPE_CHECKING:
    from tests.outside.conftest import Node

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("outside")]  # one recorded app for all

type Serve = Callable[..., AbstractContextManager[str]]

INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
SERVER = "wiretape_server.mcp"
IS_ERROR = 5


@pytest.fixture(scope="module", params=["stdio", "http", "sse"])
def target(request: pytest.FixtureRequest, recorded: SmallProject, serve: Serve) -> Iterator[list[str]]:
    """What the Inspector is told to connect to."""
    if request.param == "stdio":
        yield [sys.executable, "-m", SERVER]
        return
    with serve(SERVER, f"--{request.param}", "--port", "0", cwd=recorded.root) as url:
        yield [url]


def inspect(node: Node, target: list[str], project: SmallProject, *words: str, code: int = 0) -> Any:
    asked = ["--cli", *target, "--connect-timeout", "120000", "--format", "json", "-q", *words]
    ran = node.run(INSPECTOR, *asked, cwd=project.root)
    assert ran.returncode == code, (ran.returncode, ran.stdout[-2000:], ran.stderr[-2000:])
    return json.loads(ran.stdout)["result"]


def test_every_schema_is_portable(node: Node, target: list[str], recorded: SmallProject) -> None:
    told = inspect(node, target, recorded, "--method", "tools/list", "--strict")
    assert {"list_snapshots", "start_mock", "run_replay", "get_diff"} <= {tool["name"] for tool in told["tools"]}


def test_a_tool_answers_in_fields_and_in_text(node: Node, target: list[str], recorded: SmallProject) -> None:
    told = inspect(node, target, recorded, "--method", "tools/call", "--tool-name", "list_snapshots",
                   "--tool-arg", "limit=5")  # fmt: skip
    assert [row["name"] for row in told["structuredContent"]["snapshots"]] == [SNAPSHOT]
    assert told["structuredContent"]["summary"] in told["content"][0]["text"]


def test_an_error_is_told_as_one(node: Node, target: list[str], recorded: SmallProject) -> None:
    told = inspect(node, target, recorded, "--method", "tools/call", "--tool-name", "get_diff",
                   "--tool-arg", "run=nothing", code=IS_ERROR)  # fmt: skip
    assert "run_replay" in told["content"][0]["text"]


def test_resources_are_listed_and_read(node: Node, target: list[str], recorded: SmallProject) -> None:
    listed = inspect(node, target, recorded, "--method", "resources/list")
    uri = f"wiretape://snapshots/{SNAPSHOT}"
    assert uri in [resource["uri"] for resource in listed["resources"]]
    read = inspect(node, target, recorded, "--method", "resources/read", "--uri", uri)
    assert json.loads(read["contents"][0]["text"])["name"] == SNAPSHOT


def test_prompts_are_listed(node: Node, target: list[str], recorded: SmallProject) -> None:
    told = inspect(node, target, recorded, "--method", "prompts/list")
    assert isinstance(told["prompts"], list)
