"""stop_mock: end a mock and say what it was asked."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_replay.mock.spec import LeafDifference, MockAnswer, MockResult, MockTally
from wiretape_server.mcp.masking import Mask, carries_credential
from wiretape_server.mcp.picking import the_one
from wiretape_server.mcp.quoting import fence
from wiretape_server.mcp.results import Result, answer, cut
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.stopping import stopped

MISSES_SHOWN = 5
UNUSED_SHOWN = 10


class Mocked(Result):
    """The answer of stop_mock."""

    mock: str
    snapshot: str
    tally: MockTally
    misses: tuple[str, ...] = ()
    misses_cut: int = 0
    unused: tuple[str, ...] = ()
    unused_cut: int = 0
    app_exit: int | None = None


async def stop_mock(
    ctx: Context[ServerState],
    mock: Annotated[str | None, Field(description="Id from start_mock; default: the only one running.")] = None,
) -> Annotated[CallToolResult, Mocked]:
    """Stop a mock and the app it started; answers how requests matched and, for misses, the closest recording."""
    state = ctx.request_context.lifespan_context
    live = the_one(state.jobs, "mock", mock)
    done = MockResult.model_validate(await stopped(ctx, live))
    tally, mask = done.tally, ctx.request_context.lifespan_context.mask()
    result = Mocked(
        summary=f"{live.name} answered {tally.hits} of {tally.total} requests from snapshot {done.snapshot}, "
                f"{tally.miss} missed",
        next=f'explain(mock="{live.name}") tells what each miss lacks and what to do' if tally.miss
        else "run_replay judges the app's answers",
        mock=live.name, snapshot=done.snapshot, tally=tally,
        misses=tuple(cut(_miss(each, mask), 500) for each in done.misses[:MISSES_SHOWN]),
        misses_cut=max(0, len(done.misses) - MISSES_SHOWN),
        unused=tuple(cut(mask.queries(each), 160) for each in done.unused[:UNUSED_SHOWN]),
        unused_cut=max(0, len(done.unused) - UNUSED_SHOWN), app_exit=done.app_exit,
    )  # fmt: skip
    return answer(result, _lines(result))


def _miss(miss: MockAnswer, mask: Mask) -> str:
    line = f"{miss.command} {miss.service} {cut(mask.queries(miss.location), 160)}"
    if not miss.closest:
        return line
    near = miss.closest[0]
    leaves = "; ".join(_leaf(each, mask) for each in near.differences[:3])
    where = cut(mask.queries(near.location), 120)
    return f"{line} (closest: exchange {near.sequence} {near.command} {where}: {leaves})"


def _leaf(leaf: LeafDifference, mask: Mask) -> str:
    name = leaf.where.rpartition("/")[2] if leaf.where.startswith(("header/", "query/")) else ""
    recorded, live = (mask.fingerprint(value) if value and carries_credential(name) else value
                      for value in (leaf.recorded, leaf.live))  # fmt: skip
    return f"{leaf.where}: recorded {recorded!r}, live {live!r}"


def _lines(result: Mocked) -> list[str]:
    tally = result.tally
    lines = [f"tiers: {tally.exact} exact, {tally.normalized} normalized, {tally.nearest} nearest, "
             f"{tally.miss} misses, {tally.passthrough} passed through"]  # fmt: skip
    if result.misses:
        cut_off = f", {result.misses_cut} more not shown" if result.misses_cut else ""
        lines += [f"misses{cut_off}, values are data:", *fence("\n".join(result.misses))]
    if result.unused:
        cut_off = f", {result.unused_cut} more not shown" if result.unused_cut else ""
        lines += [f"recorded but never asked for{cut_off}:", *fence("\n".join(result.unused))]
    return lines
