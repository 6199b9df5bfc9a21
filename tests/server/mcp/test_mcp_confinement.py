"""Every name that an agent gives stays a name: no tool and no resource reaches a file outside of the workspace."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import TextContent

from wiretape_capture.errors import UsageError
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.state import ServerState
from wiretape_server.workspace.workspace import Workspace

type InMemory = Callable[..., AbstractAsyncContextManager[Client]]

SECRET = "root-of-all-secrets"
NAMES = ("../outside", "..", ".", "/etc/passwd", "a/b", "a\\b", "x\0y", "../../outside.tape", "C:\\x", "~root",
         "%2e%2e", "..%2foutside", "\u2025/outside", "a" * 300, ".hidden", "-rf", "first\n", "CON ")  # fmt: skip
ARGUMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("run_replay", "snapshot", {"target": "http://127.0.0.1:9"}),
    ("run_replay", "baseline", {"target": "http://127.0.0.1:9"}),
    ("get_run", "run", {}), ("get_diff", "run", {}), ("get_diff", "finding", {}),
    ("get_exchange", "snapshot", {"sequence": 1}), ("get_exchange", "run", {"sequence": 1}),
    ("search_exchanges", "snapshot", {}), ("start_mock", "snapshot", {"start_app": False}),
    ("start_recording", "name", {"app_port": 9, "start_app": False}),
    ("stop_recording", "name", {}), ("stop_mock", "mock", {}),
)  # fmt: skip
TEMPLATES = ("wiretape://snapshots/{}", "wiretape://snapshots/{}/contract", "wiretape://snapshots/{}/exchanges/1",
             "wiretape://snapshots/first/exchanges/{}", "wiretape://runs/{}", "wiretape://runs/{}/report")  # fmt: skip


@pytest.fixture
def outside(project: Workspace) -> Path:
    """A snapshot and a run beside the workspace, which nothing may reach."""
    folder = project.root.parent / f"{project.root.name}-outside"
    folder.mkdir()
    for file in (project.snapshot_path("first"), project.runs_dir / "20261123-101010.run"):
        shutil.copy(file, folder / f"outside{file.suffix}")
    (folder / "secret").write_text(SECRET)
    return folder


def files(root: Path) -> set[Path]:
    """Everything in and beside the workspace but what every call may write."""
    return {path for path in root.parent.rglob("*") if "jobs" not in path.parts}


@pytest.mark.parametrize(
    ("tool", "argument", "others"), ARGUMENTS, ids=[f"{tool}.{name}" for tool, name, _ in ARGUMENTS]
)
async def test_no_argument_is_a_path(
    project: Workspace, outside: Path, in_memory: InMemory, tool: str, argument: str, others: dict[str, Any]
) -> None:
    before = files(project.root)
    async with in_memory(project) as client:
        for name in (*NAMES, str(outside / "outside"), f"../../../{outside.name}/outside"):
            answered = await client.call_tool(tool, {**others, argument: name})
            assert answered.is_error, (name, answered)
            (block,) = answered.content
            assert isinstance(block, TextContent)
            assert len(block.text) < 2200, name
            assert "Traceback" not in block.text
    assert files(project.root) == before


async def test_no_resource_is_a_path(project: Workspace, outside: Path, in_memory: InMemory) -> None:
    before = files(project.root)
    async with in_memory(project) as client:
        for template in TEMPLATES:
            for name in ("..", "../outside", "%2e%2e", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "%2fetc%2fpasswd",
                         "x%00y", f"%2e%2e%2f%2e%2e%2f%2e%2e%2f{outside.name}%2foutside", "a" * 3000):  # fmt: skip
                with pytest.raises(MCPError) as refused:
                    await client.read_resource(template.format(name))
                assert SECRET not in str(refused.value)
        with pytest.raises(MCPError):
            await client.read_resource("file:///etc/passwd")
    assert files(project.root) == before


@pytest.mark.parametrize("folder", ["snapshots", "runs", "jobs", "ca", ""])
async def test_a_folder_that_is_a_link_out_of_the_project_is_refused(
    project: Workspace, outside: Path, folder: str
) -> None:
    """A repository may come with links: to another project's recordings, or to where its author wants files."""
    place = project.data_dir / folder if folder else project.data_dir
    shutil.rmtree(place)
    place.symlink_to(outside)
    async with LiveJobs() as jobs:
        state = ServerState(ServeOptions(directory=project.root), jobs)
        with pytest.raises(UsageError, match="leads out of the workspace"):
            state.workspace()


async def test_only_the_app_of_the_project_is_started(project: Workspace, in_memory: InMemory) -> None:
    mark = project.root / "started"
    async with in_memory(project) as client:
        for tool in ("start_recording", "start_mock"):
            for command in (["touch", str(mark)], [], [""], ["sh", "-c", f"touch {mark}"]):
                answered = await client.call_tool(tool, {"command": command})
                assert answered.is_error, command
    assert not mark.exists()


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest", "http://evil.test", "http://127.0.0.1@evil.test/", "http://localhost.evil.test",
     "file:///etc/passwd", "http://0.0.0.0:1", "http://2130706433:1", "http://[::ffff:10.0.0.1]:1", "gopher://127.0.0.1",
     "http://127.0.0.1\\@evil.test", "//127.0.0.1", "http://", "http://127.0.0.1:99999", "http://127.0.0.1\n.evil.test"],
)  # fmt: skip
async def test_no_host_but_this_one_is_sent_to(project: Workspace, in_memory: InMemory, target: str) -> None:
    async with in_memory(project) as client:
        answered = await client.call_tool("run_replay", {"target": target, "wait_seconds": 240})
    assert answered.is_error
    assert not [path for path in project.runs_dir.iterdir() if path.stem != "20261123-101010"]


@pytest.mark.parametrize("key", ["target", "baseline"])
async def test_a_host_that_was_written_down_after_the_start_is_not_replayed_at(
    project: Workspace, stdio: Callable[..., AbstractAsyncContextManager[Client]], key: str
) -> None:
    file = project.root / "wiretape.toml"
    before = '[app]\nport = 9\n[replay]\ntimeout = 1\ntarget = "http://shop.invalid:81"\n'
    file.write_text(before)
    async with stdio(project.root) as client:
        at_start = told(await client.call_tool("run_replay", {}))
        file.write_text(before.replace("shop.invalid:81", "127.0.0.1:9") + 'baseline = "http://evil.invalid"\n'
                        if key == "baseline" else before.replace("shop.invalid:81", "evil.invalid"))  # fmt: skip
        later = told(await client.call_tool("run_replay", {}))
    async with stdio(project.root, "--allow-target", "evil.invalid") as client:
        allowed = told(await client.call_tool("run_replay", {}))

    assert "only since this server started" not in at_start
    assert "wiretape.toml names evil.invalid only since this server started; have a person check it" in later
    assert "evil.invalid only since" not in allowed


@pytest.mark.parametrize("line", ["allow_commands = true", 'allow_targets = ["evil.invalid"]'])
async def test_a_project_cannot_widen_what_agents_may_do(
    project: Workspace, stdio: Callable[..., AbstractAsyncContextManager[Client]], line: str
) -> None:
    (project.root / "wiretape.toml").write_text(f"[mcp]\n{line}\n")
    async with stdio(project.root) as client:
        refused = told(await client.call_tool("start_recording", {"command": ["touch", "owned"], "app_port": 9}))
        broken = told(await client.call_tool("list_runs", {}))

    assert "have it started with: wiretape mcp --allow-commands" in refused
    assert "is not taken from a file that agents can write; start the server with: wiretape mcp --allow-" in broken
    assert not (project.root / "owned").exists()


def told(result: Any) -> str:
    assert isinstance(result.content[0], TextContent)
    return " ".join(result.content[0].text.split())
