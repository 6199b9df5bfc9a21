"""accept_noise: write down that a finding is no fault, with who said so and why, or take such a rule back."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from wiretape_capture.errors import UsageError
from wiretape_replay.compare.learned import LearnedRule
from wiretape_server.mcp.names import inside, plain
from wiretape_server.mcp.quoting import fence
from wiretape_server.mcp.results import Result, answer, cut
from wiretape_server.mcp.sdk_seams import client_name
from wiretape_server.mcp.state import ServerState

REASON_LIMIT = 400
SHORTEST_REASON = 10


class RuleRow(BaseModel):
    """The rule as it stands in the file, without what was measured."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    id: str
    route: str
    pointer: str
    kind: str
    reason: str = ""
    accepted_by: str = ""
    date: str = ""


class Accepted(Result):
    """The answer of accept_noise."""

    file: str
    rule: RuleRow
    undone: bool = False


async def accept_noise(
    ctx: Context[ServerState],
    finding: Annotated[str | None, Field(description="Finding id such as F-1a2b3c4d.")] = None,
    reason: Annotated[str | None, Field(
        max_length=REASON_LIMIT, description="Why the difference is no fault; required, 10 to 400 characters.")] = None,
    run: Annotated[str | None, Field(description="Run id; default: the newest.")] = None,
    undo: Annotated[str | None, Field(description="Rule id such as N-1a2b3c4d: take this rule back instead.")] = None,
) -> Annotated[CallToolResult, Accepted]:  # fmt: skip
    """Write a rule into wiretape-noise.toml that a finding's value or order varies by itself, with your name and \
reason; it must be reviewed. Never to get a run to pass: structure (status, type, missing field) is refused."""
    from wiretape_replay.run_file import find_run
    from wiretape_server.workspace.accepting import accept
    from wiretape_server.workspace.accepting import undo as take_back
    from wiretape_server.workspace.noise_file import FILE_NAME

    workspace = ctx.request_context.lifespan_context.workspace()
    inside(workspace.root / FILE_NAME, workspace.root)
    if undo:
        if finding:
            raise UsageError("undo takes a rule back and finding makes one", "give one of them")
        rule = take_back(workspace, plain(undo, "rule") or "")
        result = Accepted(summary=f"took rule {rule.id} back out of {FILE_NAME}", file=FILE_NAME, rule=_row(rule),
                          next="run_replay judges the place again", undone=True)  # fmt: skip
        return answer(result, fence(_line(rule)))
    why = _reason(finding, reason)
    path = inside(find_run(workspace.runs_dir, plain(run, "run")), workspace.runs_dir)
    rule = await accept(workspace, path, plain(finding, "finding") or "", reason=why, by=f"{client_name(ctx)} over MCP")
    result = Accepted(
        summary=f"accepted as rule {rule.id} in {FILE_NAME}: a person must review this file before it is merged",
        next=f'tell the user which rule you wrote and why; accept_noise(undo="{rule.id}") takes it back',
        file=FILE_NAME, rule=_row(rule),
    )  # fmt: skip
    return answer(result, fence(_line(rule)))


def _reason(finding: str | None, reason: str | None) -> str:
    if not finding:
        raise UsageError("accept_noise wants the id of a finding", "get_diff lists them")
    said = " ".join((reason or "").split())
    if len(said) < SHORTEST_REASON:
        raise UsageError("reason is missing or says nothing",
                         "say in a sentence why the difference is no fault: a person reviews it")  # fmt: skip
    return said


def _row(rule: LearnedRule) -> RuleRow:
    return RuleRow(
        id=rule.id,
        route=cut(rule.route, 300),
        pointer=cut(rule.pointer, 300),
        kind=rule.kind,
        reason=cut(rule.cause, REASON_LIMIT * 4),
        accepted_by=cut(rule.accepted_by, 200),
        date=rule.date,
    )


def _line(rule: LearnedRule) -> str:
    return f"{rule.id} {cut(rule.route, 200)} {cut(rule.pointer, 200)} ({rule.kind}): {rule.said}, {rule.date}"
