"""explain: why a finding counts, or what a mock's miss lacks, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from wiretape_capture.errors import UsageError
from wiretape_replay.explain.miss import MissExplanation
from wiretape_replay.mock.spec import Candidate, LeafDifference
from wiretape_replay.report.printable import plural
from wiretape_replay.verdict.model import Finding
from wiretape_server.mcp.masking import Mask, carries_credential
from wiretape_server.mcp.names import inside, plain
from wiretape_server.mcp.paging import page
from wiretape_server.mcp.quoting import DATA_NOTE, fence
from wiretape_server.mcp.results import Result, answer, bytes_of, cut
from wiretape_server.mcp.runs import finding_line, run_ids, shortened
from wiretape_server.mcp.state import ServerState

TEXT_LIMIT = 300
VALUE_LIMIT = 120
LEAVES_SHOWN = 6


class CodeLine(BaseModel):
    """A line of the project's code that holds a name to look for."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    at: str
    """`app.py:31`."""
    text: str
    name: str


class Why(Result):
    """The answer of explain: one finding, one miss, or with neither `misses`."""

    run: str = ""
    mock: str = ""
    finding: Finding | None = None
    why: tuple[str, ...] = ()
    considered: tuple[str, ...] = ()
    """Reasons for noise that were looked for, and why each was refused."""
    unchanged: str = ""
    """What unchanged code did there."""
    look_at: tuple[str, ...] = ()
    code: tuple[CodeLine, ...] = ()
    advice: tuple[str, ...] = ()
    miss: MissExplanation | None = None
    misses: tuple[MissExplanation, ...] = ()
    total: int = 0
    next_cursor: str | None = None
    note: str = ""


async def explain(
    ctx: Context[ServerState],
    id: Annotated[str | None, Field(  # noqa: A002 - what the agent has is an id
        description="F-... of a finding or M-... of a mock's miss. Default: list the misses.")] = None,
    run: Annotated[str | None, Field(description="Run id; default: the newest.")] = None,
    mock: Annotated[str | None, Field(description="Id from start_mock, running or stopped: its misses.")] = None,
    limit: Annotated[int, Field(ge=1, le=50, description="Rows to answer, 1 to 50, default 5.")] = 5,
    cursor: Annotated[str | None, Field(description="next_cursor of the last answer, for the rows after it.")] = None,
) -> Annotated[CallToolResult, Why]:  # fmt: skip
    """Explain a finding: why it counts, noise reasons that were refused, what unchanged code did, lines of code to \
look at. Or a mock's miss: the closest recordings leaf by leaf and what to do."""
    from wiretape_replay.mock.journal import FLUSH_SECONDS
    from wiretape_replay.run_file import find_run
    from wiretape_server.workspace.explaining import mock_misses, run_misses

    state = ctx.request_context.lifespan_context
    workspace, mask = state.workspace(), state.mask()
    name = plain(id, "finding") or ""
    if mock:
        live = state.jobs.find("mock", mock)
        if live is not None and not live.ended:
            await asyncio.sleep(2 * FLUSH_SECONDS)  # it writes down what it answered now and then
        misses, where = mock_misses(workspace, plain(mock, "mock") or ""), f"mock {mock}"
        return _about_misses(misses, name, where, mask, limit, cursor, mock=mock)
    if not run_ids(workspace):
        raise UsageError("this project has no runs yet", "run_replay makes one")
    path = inside(find_run(workspace.runs_dir, plain(run, "run")), workspace.runs_dir)
    if name and not name.lower().startswith("m-"):
        return await _about_finding(state, path.stem, name, mask)
    run_id, misses = await run_misses(path)
    return _about_misses(misses, name, f"run {run_id}", mask, limit, cursor, run=run_id)


async def _about_finding(state: ServerState, run: str, name: str, mask: Mask) -> CallToolResult:
    from wiretape_server.workspace.explaining import explain_finding

    workspace = state.workspace()
    found = await explain_finding(workspace, workspace.runs_dir / f"{run}.run", name)
    finding, told = shortened(found.finding, mask), found.told
    code = tuple(CodeLine(at=f"{cut(one.path, 160)}:{one.number}", text=one.text, name=cut(one.name, 60))
                 for one in found.code)  # fmt: skip
    result = Why(
        summary=f"finding {finding.id} of run {run}: {finding.kind}, severity {finding.severity}"
                + (f"; look at {code[0].at}" if code else ""),
        next=_next(run, finding, accepting=not told.acceptable), run=run, finding=finding,
        why=_texts(told.why, mask), considered=_texts(told.considered, mask),
        unchanged=cut(mask.queries(told.unchanged), TEXT_LIMIT), look_at=finding.look_at, code=code,
        advice=() if not told.acceptable else (cut(f"it cannot be accepted as noise: {told.acceptable}", TEXT_LIMIT),),
        note=DATA_NOTE,
    )  # fmt: skip
    return answer(result, [DATA_NOTE, *fence("\n".join(_finding_lines(result)))])


def _next(run: str, finding: Finding, *, accepting: bool) -> str:
    shows = f'get_diff(run="{run}", finding="{finding.id}") shows both sides'
    if accepting:
        return f"{shows}; mend the code and run_replay, or, if the place varies by itself, accept_noise with a reason"
    return f"{shows}; mend the code and run_replay"


def _finding_lines(result: Why) -> list[str]:
    assert result.finding is not None
    return [
        finding_line(result.finding),
        *(f"why: {one}" for one in result.why),
        *(f"considered: {one}" for one in result.considered),
        f"unchanged code: {result.unchanged}",
        *(f"code {one.at}: {one.text}" for one in result.code),
        *(f"note: {one}" for one in result.advice),
    ]


def _about_misses(misses: Sequence[MissExplanation], name: str, where: str, mask: Mask, limit: int, cursor: str | None,
                  *, run: str = "", mock: str = "") -> CallToolResult:  # fmt: skip
    from wiretape_server.workspace.explaining import find_miss

    owner = f'run="{run}"' if run else f'mock="{mock}"'
    if name:
        one = masked_miss(find_miss(list(misses), name, where), mask, leaves=LEAVES_SHOWN * 2)
        result = Why(summary=f"miss {one.id} of {where}: asked {plural(one.count, 'time')}, answered with 502",
                     next=_miss_next(one, run), run=run, mock=mock, miss=one, note=DATA_NOTE)  # fmt: skip
        return answer(result, [DATA_NOTE, *fence("\n".join(_miss_lines(one)))])
    told = [masked_miss(one, mask, leaves=LEAVES_SHOWN // 2, closest=1) for one in misses]
    shown = page(told, lambda each: each.id, limit, cursor, bytes_of)
    rows = tuple(shown.rows)
    more = f", {shown.left} more after cursor {shown.next_cursor}" if shown.left else ""
    result = Why(
        summary=f"{plural(shown.total, 'kind')} of request missed in {where}{more}",
        next=f'explain(id="{rows[0].id}", {owner}) explains one' if rows
        else "its mock answered all that was asked; get_diff lists the findings" if run
        else "it answered all that it was asked so far",
        run=run, mock=mock, misses=rows, total=shown.total, next_cursor=shown.next_cursor, note=DATA_NOTE,
    )  # fmt: skip
    lines = [line for one in rows for line in _miss_lines(one)]
    return answer(result, [DATA_NOTE, *fence("\n".join(lines))] if lines else [])


def _miss_next(miss: MissExplanation, run: str | None) -> str:
    if not miss.closest:
        return "start_recording makes a recording that has it, if the call is meant"
    which = f', run="{run}"' if run else ""
    nearest = f"get_exchange(sequence={miss.closest[0].sequence}{which}) shows the nearest recording"
    return f"{nearest}; mend the call and run_replay"


def masked_miss(miss: MissExplanation, mask: Mask, *, leaves: int, closest: int = 3) -> MissExplanation:
    """A miss without credentials, its leaves and recordings cut to a number."""
    return miss.model_copy(update={
        "request": cut(mask.queries(miss.request), TEXT_LIMIT), "why": cut(mask.queries(miss.why), TEXT_LIMIT),
        "closest": tuple(_candidate(one, mask, leaves) for one in miss.closest[:closest]),
        "advice": _texts(miss.advice, mask),
    })  # fmt: skip


def _candidate(near: Candidate, mask: Mask, leaves: int) -> Candidate:
    return near.model_copy(
        update={
            "location": cut(mask.queries(near.location), VALUE_LIMIT),
            "differences": tuple(masked_leaf(one, mask) for one in near.differences[:leaves]),
        }
    )


def masked_leaf(leaf: LeafDifference, mask: Mask) -> LeafDifference:
    """A leaf whose values are masked when its name tells of a credential."""
    name = leaf.where.rpartition("/")[2] if leaf.where.startswith(("header/", "query/")) else ""
    recorded, live = (value if value is None else mask.fingerprint(value) if carries_credential(name)
                      else cut(mask.queries(value), VALUE_LIMIT) for value in (leaf.recorded, leaf.live))  # fmt: skip
    return LeafDifference(where=cut(leaf.where, VALUE_LIMIT), recorded=recorded, live=live)


def _miss_lines(miss: MissExplanation) -> list[str]:
    lines = [f"{miss.id} {miss.request} (asked {plural(miss.count, 'time')}): {miss.why}"]
    for near in miss.closest:
        lines.append(f"  closest: exchange {near.sequence} {near.command} {near.location} -> {near.status or 'none'}")
        lines += [f"    {one.where}: recorded {one.recorded!r}, live {one.live!r}" for one in near.differences]
    return [*lines, *(f"  do: {one}" for one in miss.advice)]


def _texts(texts: Sequence[str], mask: Mask) -> tuple[str, ...]:
    return tuple(cut(mask.queries(text), TEXT_LIMIT) for text in texts)
