"""The script that every agent's model plays: replay, look at the finding, mend it with the agent's own tool, replay."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from scripted_model import Call, Say, Turn
from small_project import GOOD, SmallProject

WAITS: dict[str, dict[str, object]] = {"WaitForMcpServers": {}, "list_mcp_resources": {"server": "wiretape"}}
"""Tools of Claude Code and Codex that return when the MCP servers are there; they begin without waiting for them."""
PATIENCE = 20
MOST_ANSWERS = 40
DONE = "The recorded answers are kept."


@dataclass
class Loop:
    """One conversation; what the model saw is kept for the test."""

    project: SmallProject
    edit: Callable[[Turn, SmallProject], Call]
    """The agent's own way to edit app.py, which may begin with reading it."""
    impatient: int = 0
    """How many times the model ends its turn before it does anything."""
    red: str = ""
    detail: str = ""
    green: str = ""
    offered: dict[str, object] = field(default_factory=dict)
    told: str = ""
    """All that the model was told last, where a blocked stop says why."""

    def __call__(self, turn: Turn) -> Call | Say:
        """The next move, by what came back so far."""
        self.offered |= turn.tools
        self.told = turn.told
        self._look(turn)
        assert turn.answers < MOST_ANSWERS, f"the loop does not end; the last result: {turn.results[-1:]}"
        if turn.answers < self.impatient or self.green:
            return Say(DONE)
        if GOOD in self.project.app.read_text(encoding="utf-8"):
            return self._want(turn, "run_replay", {})
        if self.detail:
            return self.edit(turn, self.project)
        if self.red:
            run = re.search(r"\d{8}-\d{6}(?:-\w+)?", self.red)
            finding = re.search(r"F-[0-9a-f]{8}", self.red)
            assert run is not None, self.red
            assert finding is not None, self.red
            return self._want(turn, "get_diff", {"run": run[0], "finding": finding[0]})
        return self._want(turn, "run_replay", {})

    def _look(self, turn: Turn) -> None:
        self.red = next((one for one in turn.results if "FAIL: " in one), "")
        self.detail = next((one for one in turn.results if "finding F-" in one and " of run " in one), "")
        self.green = next((one for one in turn.results if "PASS: " in one), "")

    def _want(self, turn: Turn, name: str, arguments: dict[str, object]) -> Call:
        """The tool, or what the agent has for tools that it has not loaded yet."""
        if any(one.endswith(name) for one in turn.tools):
            return Call(turn.tool(name), arguments)
        if "ToolSearch" in turn.tools and (named := re.search(rf"\bmcp__\w+__{name}\b", turn.told)):
            return Call("ToolSearch", {"query": f"select:{named[0]}", "max_results": 5})
        assert turn.answers < PATIENCE, f"no {name} among {sorted(turn.tools)}"
        waiting = next((one for one in WAITS if one in turn.tools), None)
        assert waiting is not None, f"no {name} among {sorted(turn.tools)}"
        return Call(waiting, WAITS[waiting])
