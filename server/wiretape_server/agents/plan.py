"""What an install or a removal would do to each file: worked out whole before anything is written."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from wiretape_server.agents import place
from wiretape_server.agents.catalogue import AGENTS, BY_NAME, SERVER, Agent, HookFile, Scope, Text
from wiretape_server.agents.command import server_words
from wiretape_server.agents.edits import (
    CannotEdit,
    Edit,
    JsonElement,
    JsonEntry,
    Section,
    State,
    TomlTable,
    WholeFile,
    put_all,
    take_all,
)
from wiretape_server.agents.hooks import element
from wiretape_server.agents.jsonc import NotJson
from wiretape_server.agents.texts import text as instruction

SCOPES: tuple[Scope, ...] = ("project", "user")

type Doing = Literal["created", "changed", "deleted", "same", "absent", "kept", "refused"]


@dataclass(frozen=True)
class Options:
    """What is to be installed."""

    project: Path
    home: Path
    scope: Scope | None = None
    """None puts each agent's server where that agent reads it: in the project, else in the home."""
    rules: bool = True
    hooks: bool = False
    force: bool = False


@dataclass
class FilePlan:
    """One file, the agents that it is for, and what happens to it."""

    root: Path
    relative: str
    agents: list[str]
    edits: list[Edit]
    removing: bool = False
    doing: Doing = "same"
    why: str = ""
    """Why a file is refused; what of ours somebody changed in one that is kept."""
    found: place.Found | None = None
    after: str | None = None
    """None where the file is deleted or does not come to be."""
    states: list[State] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """As the user knows it, links and all."""
        return self.root / self.relative

    @property
    def diff(self) -> str:
        """The change as a unified diff; empty where there is none."""
        if self.doing == "refused":
            return ""
        before = (self.found.text if self.found else None) or ""
        after = self.after or ""
        name = str(self.path)
        lines = difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True),
            name if self.found and self.found.text is not None else "/dev/null",
            name if self.after is not None else "/dev/null",
        )  # fmt: skip
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def server_scope(agent: Agent, options: Options) -> Scope:
    """Where an agent's server goes."""
    assert agent.server is not None
    if not agent.server.project:
        return "user"
    if options.scope:
        return options.scope
    return "user" if agent.trusts_projects and not trusted(options) else "project"


def trusted(options: Options) -> bool:
    """Whether Codex was told to trust the project."""
    try:
        with (options.home / ".codex/config.toml").open("rb") as file:
            projects = tomllib.load(file).get("projects", {})
    except (OSError, ValueError):
        return False
    entry = projects.get(str(options.project), {}) if isinstance(projects, dict) else {}
    return isinstance(entry, dict) and entry.get("trust_level") == "trusted"


def planned(agents: Sequence[Agent], options: Options, *, removing: bool = False) -> list[FilePlan]:
    """A plan for each file of these agents, in their order."""
    files: dict[Path, FilePlan] = {}
    for agent in agents:
        for root, relative, edit in _parts(agent, options, removing=removing):
            plan = files.setdefault(root / relative, FilePlan(root, relative, [], [], removing))
            if agent.name not in plan.agents:
                plan.agents.append(agent.name)
            if edit not in plan.edits:
                plan.edits.append(edit)
    if removing:
        _leave_to_others(files, agents, options)
    for plan in files.values():
        _work_out(plan, options)
    return list(files.values())


def state_of(agent: Agent, options: Options) -> tuple[str, Path | None]:
    """Whether an agent is set up, and where its server file is."""
    if agent.server is None:
        return "-", None
    root, relative, edit = server_part(agent, options)
    try:
        found = place.look(root, relative)
        state = edit.state(found.text or "")
    except (place.Refused, NotJson, ValueError, TypeError) as error:
        return f"unreadable: {reason(error)}", root / relative
    return {State.ABSENT: "no", State.SAME: "yes", State.OLD: "yes"}.get(state, "yes, changed by you"), root / relative


def server_part(agent: Agent, options: Options) -> tuple[Path, str, Edit]:
    """The edit that makes the server known to an agent."""
    assert agent.server is not None
    scope = server_scope(agent, options)
    root = options.project if scope == "project" else options.home
    paths = agent.server.project if scope == "project" else agent.server.user
    relative = next((path for path in paths if (root / path).exists()), paths[0])
    value = agent.server.entry(server_words(scope))
    if relative.endswith(".toml"):
        return root, relative, TomlTable((agent.server.section, SERVER), value)
    return root, relative, JsonEntry((agent.server.section, SERVER), value, agent.server.around)


def _parts(agent: Agent, options: Options, *, removing: bool) -> Iterable[tuple[Path, str, Edit]]:
    if agent.server is not None:
        yield server_part(agent, options)
        if removing and options.scope is None and agent.trusts_projects:
            # An install may have met the project both before and after it was trusted.
            for either in SCOPES:
                yield server_part(agent, replace(options, scope=either))
    if options.rules or removing:
        for text in agent.texts:
            relative = text.user if options.scope == "user" else text.path
            if relative:
                yield (options.home if options.scope == "user" else options.project), relative, text_edit(text)
    if agent.hooks and (options.hooks or removing):
        scope: Scope = options.scope or "project"
        root = options.home if scope == "user" else options.project
        for edit in hook_edits(agent.hooks, scope):
            yield root, agent.hooks.user if scope == "user" else agent.hooks.project, edit


def text_edit(text: Text) -> Edit:
    """The edit that puts instructions down."""
    content = instruction(text.name)
    if text.name == "cursor-rule":
        content += "\n" + instruction("section")
    return Section(content) if text.section else WholeFile(content)


def hook_edits(hooks: HookFile, scope: Scope) -> list[JsonElement]:
    """The edits that put the hooks in."""
    events = [hooks.stop] + ([hooks.edited[0]] if hooks.edited else [])
    return [JsonElement(("hooks", event), element(hooks, event, scope), hooks.around) for event in events]


def _leave_to_others(files: dict[Path, FilePlan], agents: Sequence[Agent], options: Options) -> None:
    """Instructions that another agent which stays set up reads too are not taken away from it."""
    staying = [agent for agent in AGENTS if agent not in agents and agent.server is not None
               and state_of(agent, options)[0].startswith("yes")]  # fmt: skip
    for agent in staying:
        for text in agent.texts if options.scope != "user" else ():
            plan = files.get(options.project / text.path)
            if plan and all(BY_NAME[name].server for name in plan.agents):
                del files[options.project / text.path]


def _work_out(plan: FilePlan, options: Options) -> None:
    try:
        plan.found = place.look(plan.root, plan.relative)
        text = plan.found.text or ""
        plan.states = [edit.state(text) for edit in plan.edits]
        changed = [edit for edit, state in zip(plan.edits, plan.states, strict=True) if state is State.CHANGED]
        if changed and not options.force:
            plan.doing, plan.why, plan.after = "kept", "\n".join(edit.held(text) for edit in changed), plan.found.text
        elif plan.removing:
            _work_out_removal(plan, plan.found, text)
        else:
            plan.after = put_all(plan.edits, text)
            plan.doing = "created" if plan.found.text is None else "same" if plan.after == text else "changed"
    except (place.Refused, NotJson, ValueError, TypeError) as error:
        plan.doing, plan.why = "refused", reason(error)


def _work_out_removal(plan: FilePlan, found: place.Found, text: str) -> None:
    if all(state is State.ABSENT for state in plan.states):
        plan.doing, plan.after = "absent", found.text
        return
    backup = place.read_backup(found.path)
    plan.after = take_all(plan.edits, text, backup)
    plan.doing = "changed"
    if plan.after == "" and backup != "":
        plan.doing, plan.after = "deleted", None


def carry_out(plan: FilePlan) -> None:
    """Write what was planned."""
    if plan.doing not in ("created", "changed", "deleted"):
        return
    assert plan.found is not None
    if plan.after is None:
        # In the home only a folder of our own name is ours to take away.
        at_home = plan.root == Path.home()
        place.delete(plan.found, plan.root, keep=lambda folder: at_home and folder.name != SERVER)
    elif plan.removing:
        place.restore(plan.found, plan.after)
    else:
        place.write(plan.found, plan.after)


def reason(error: Exception) -> str:
    """Why a file is left alone, with the place where that helps."""
    if isinstance(error, NotJson):
        return f"line {error.line}, column {error.column}: {error.what}"
    if isinstance(error, tomllib.TOMLDecodeError):
        return f"not valid TOML: {error}"
    if isinstance(error, CannotEdit | TypeError | place.Refused):
        return str(error)
    return f"cannot be edited: {error}"
