"""get_diff: the findings of a run, one of them in full, or what was taken as noise."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_capture.errors import UsageError
from wiretape_replay.report.diff import FindingDetail
from wiretape_replay.report.printable import plural
from wiretape_replay.verdict.model import Finding, Run, Suppressed
from wiretape_server.mcp.finding_view import capped, detail_lines, detail_of
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.paging import page
from wiretape_server.mcp.quoting import DATA_NOTE, fence
from wiretape_server.mcp.results import Result, answer, bytes_of
from wiretape_server.mcp.runs import finding_line, open_run, quieted, shortened
from wiretape_server.mcp.runs import summary as run_summary
from wiretape_server.mcp.state import ServerState

if TYPE_CHECKING:
    from wiretape_replay.run_file import RunReader


class Diff(Result):
    """The answer of get_diff: `findings` for a run, `detail` for one finding, `suppressed` with noise=true."""

    run: str
    findings: tuple[Finding, ...] = ()
    detail: FindingDetail | None = None
    suppressed: tuple[Suppressed, ...] = ()
    total: int = 0
    next_cursor: str | None = None
    note: str = ""


async def get_diff(
    ctx: Context[ServerState],
    run: Annotated[str | None, Field(description="Run id; default: the newest.")] = None,
    finding: Annotated[str | None, Field(description="Finding id such as F-1a2b3c4d: show this one in full.")] = None,
    noise: Annotated[bool, Field(description="List what was taken as noise instead. Default false.")] = False,
    limit: Annotated[int, Field(ge=1, le=50, description="Rows to answer, 1 to 50, default 8.")] = 8,
    cursor: Annotated[str | None, Field(description="next_cursor of the last answer, for the rows after it.")] = None,
    max_chars: Annotated[int, Field(
        ge=200, le=20_000, description="Characters of each part of one finding, 200 to 20000, default 900.")] = 900,
) -> Annotated[CallToolResult, Diff]:  # fmt: skip
    """Show how live answers differ from recorded ones. Without finding: all findings of a run, grouped, most severe \
first. With finding: both sides, a diff, an RFC 6902 patch and how to reproduce it."""
    state = ctx.request_context.lifespan_context
    async with await open_run(state.workspace(), run) as reader:
        found, mask = await reader.run(), state.mask()
        if finding:
            return await _one(reader, found, _named(found, finding), mask, max_chars)
    return _noise(found, mask, limit, cursor) if noise else _all(found, mask, limit, cursor)


def _all(run: Run, mask: Mask, limit: int, cursor: str | None) -> CallToolResult:
    told = [shortened(each, mask) for each in run.verdict.findings]
    shown = page(told, lambda each: each.id, limit, cursor, bytes_of)
    findings = tuple(shown.rows)
    more = f", {shown.left} more after cursor {shown.next_cursor}" if shown.left else ""
    result = Diff(
        summary=f"{plural(shown.total, 'finding')}{more}; {run_summary(run)}",
        next=f'get_diff(run="{run.id}", finding="{findings[0].id}") shows it in full' if findings
        else "nothing differs; noise=true lists what was taken as noise",
        run=run.id, findings=findings, total=shown.total, next_cursor=shown.next_cursor, note=DATA_NOTE,
    )  # fmt: skip
    return answer(result, [DATA_NOTE, *fence("\n".join(finding_line(each) for each in findings))] if findings else [])


async def _one(reader: RunReader, run: Run, finding: Finding, mask: Mask, limit: int) -> CallToolResult:
    sequence = finding.sequences[0] if finding.sequences else 0
    detail = capped(await detail_of(reader, run, finding), mask, limit)
    only = f"; run_replay(only=[{sequence}]) replays just this exchange and what it needs" if sequence else ""
    result = Diff(
        summary=f"finding {finding.id} of run {run.id}: {finding.kind}, part {finding.part}",
        next=f"mend the code, then run_replay{only}", run=run.id, detail=detail, note=DATA_NOTE,
    )  # fmt: skip
    return answer(result, [DATA_NOTE, *detail_lines(detail)])


def _noise(run: Run, mask: Mask, limit: int, cursor: str | None) -> CallToolResult:
    shown = page(run.suppressed, lambda each: f"{each.route} {each.part} {each.pointer}", limit, cursor,
                 lambda each: bytes_of(quieted(each, mask)))  # fmt: skip
    rows = tuple(quieted(each, mask) for each in shown.rows)
    more = f", {shown.left} more after cursor {shown.next_cursor}" if shown.left else ""
    result = Diff(summary=f"run {run.id}: {plural(shown.total, 'place')} taken as noise{more}",
                  next=f'get_diff(run="{run.id}") lists the findings', run=run.id, suppressed=rows, total=shown.total,
                  next_cursor=shown.next_cursor, note=DATA_NOTE)  # fmt: skip
    lines = [f"{each.route} {each.part} {each.pointer}: {each.reason}, {each.count} times, "
             f"{each.example_expected} against {each.example_actual}" for each in rows]  # fmt: skip
    return answer(result, fence("\n".join(lines)) if lines else [])


def _named(run: Run, finding: str) -> Finding:
    ids = [each.id for each in run.verdict.findings]
    if finding in ids:
        return run.verdict.findings[ids.index(finding)]
    near = difflib.get_close_matches(finding[:40], ids, 1)
    lists = f'get_diff(run="{run.id}") lists them' if ids else "the run has no findings"
    hint = f"did you mean {near[0]}? {lists}" if near else lists
    raise UsageError(f"run {run.id} has no finding {finding[:40]!r}", hint)
