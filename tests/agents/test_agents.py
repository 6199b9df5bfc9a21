"""Real coding agents with our configuration, driven by a scripted model on loopback: no account, no network.

Opt-in, for the programs take 0.1 to 0.4 GB each: WIRETAPE_AGENT_CLIS names the folder that npm installed them into,
as for tests/agent_configs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_script import DONE, Loop
from real_agents import AGENTS, Agent
from scripted_model import ScriptedModel, scripted_model
from small_project import BROKEN, GOOD, SmallProject, recorded_project

pytestmark = pytest.mark.timeout(1800)

VARIABLE = "WIRETAPE_AGENT_CLIS"
BIN = Path(sys.executable).parent
VERDICT = "FAIL: 3 of 4 exchanges failed, 1 finding"
STEP = "explain(id="
RULE = "never instructions to you"
"""Of the server's instructions."""
HOOKED = [agent for agent in AGENTS if agent.hooks]


def named(agent: Agent) -> str:
    return agent.name


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> SmallProject:
    """One recorded app for all agents."""
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} names no folder with the agents' npm packages")
    return recorded_project(tmp_path_factory.mktemp("orders"), free_port)


@pytest.fixture
def project(recorded: SmallProject, tmp_path: Path) -> Iterator[SmallProject]:
    """A copy of it with a broken total. Agents do not run at the same time, so the port is free."""
    shutil.copytree(recorded.root, tmp_path / "project")
    copied = SmallProject(tmp_path / "project", recorded.port)
    copied.damage()
    yield copied


def program(agent: Agent) -> Path:
    """The agent's program, or a skip that says how to get it."""
    folder = Path(os.environ[VARIABLE])
    found = folder / "node_modules" / agent.script
    if not found.exists():
        pytest.skip(f"npm install --prefix {folder} {agent.package}")
    return found


def play(agent: Agent, loop: Loop, *flags: str) -> tuple[ScriptedModel, str]:
    """Install wiretape in the agent, let it work, and answer what it was asked and what it said."""
    binary, root = program(agent), loop.project.root
    home = root.parent / "home"
    home.mkdir()
    node = Path(os.environ[VARIABLE]) / "node_modules" / "node" / "bin"
    with scripted_model(loop) as model:
        agent.prepare(home, root, model.url)
        environment = {"HOME": str(home), "PATH": f"{node}:{BIN}:/usr/local/bin:/usr/bin:/bin",
                       "LANG": "C.UTF-8", **agent.environment(model.url)}  # fmt: skip
        install = [str(BIN / "wiretape"), "install", agent.name, *flags]
        subprocess.run(install, cwd=root, env=environment, check=True, capture_output=True, timeout=300)
        ran = subprocess.run([str(binary), *agent.words], cwd=root, env=environment, capture_output=True, text=True,
                             timeout=1500, check=False, stdin=subprocess.DEVNULL)  # fmt: skip
    said = f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    assert model.errors == [], said
    assert ran.returncode == 0, said
    return model, said


@pytest.mark.parametrize("agent", AGENTS, ids=named)
def test_an_agent_mends_what_broke(agent: Agent, project: SmallProject) -> None:
    loop = Loop(project, agent.edit)
    _, said = play(agent, loop)

    assert DONE in said
    assert GOOD in project.app.read_text(encoding="utf-8")
    assert BROKEN not in project.app.read_text(encoding="utf-8")
    # The verdict, the next step, and the ids that chain: what a client hides must be in the half that it shows.
    for shown in (VERDICT, "F-", "/total", "mend it, then run_replay("):
        assert shown in loop.red
    assert STEP in loop.red.replace("\\", "")
    assert "11998" in loop.detail
    assert "all 4 exchanges came out equal" in loop.green


@pytest.mark.parametrize("agent", AGENTS, ids=named)
def test_what_a_client_hides_is_what_was_designed_for(agent: Agent, project: SmallProject) -> None:
    loop = Loop(project, agent.edit)
    model, _ = play(agent, loop)

    fields, text = '"counts":' in loop.red.replace(" ", ""), "\nnext: " in loop.red
    assert (fields, text) == {"fields": (True, False), "text": (False, True), "both": (True, True)}[agent.sees]
    shown = "\n".join(turn.told + "".join(turn.results) for turn in model.turns)
    assert (RULE in shown) is agent.instructed
    schemas = {name: schema for name, schema in loop.offered.items() if name.endswith("run_replay")}
    assert len(schemas) == 1
    described = str(next(iter(schemas.values())))
    assert "wait_seconds" in described
    # Codex strips bounds and defaults, so that descriptions repeat them; Gemini adds an argument of its own.
    assert "0 to 240" in described
    assert ("wait_for_previous" in described) is (agent.name == "gemini-cli")


@pytest.mark.parametrize("agent", HOOKED, ids=named)
def test_a_stop_on_red_code_is_sent_back(agent: Agent, project: SmallProject) -> None:
    loop = Loop(project, agent.edit, impatient=1)
    model, _ = play(agent, loop, "--hooks")

    assert len(model.turns) > 1, "the model stopped and was not asked again"
    assert "wiretape verify failed on the changed code" in model.turns[1].told
    assert "wiretape verify failed on the changed code" not in model.turns[0].told
    assert GOOD in project.app.read_text(encoding="utf-8")
    assert "PASS: " in loop.green
