"""Completes what a person types into a prompt or a resource template: names of snapshots, runs, findings, routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcp.server import MCPServer
from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from wiretape_capture.errors import WiretapeError
from wiretape_server.mcp.names import plain
from wiretape_server.mcp.quoting import visible
from wiretape_server.mcp.runs import open_run, run_ids
from wiretape_server.mcp.snapshots import snapshot_path
from wiretape_server.mcp.state import ServerState

MOST = 100
"""Values of one answer, by the protocol."""


def add_completions(server: MCPServer[Any], state: ServerState) -> None:
    """Register the completion of names."""

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # it has no annotations in the SDK
    async def complete(ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument,
                       context: CompletionContext | None) -> Completion:  # fmt: skip
        resolved = (context.arguments if context else None) or {}
        template = ref.uri if isinstance(ref, ResourceTemplateReference) else ""
        try:
            found = await names_for(state, argument.name, argument.value, dict(resolved), template)
        except WiretapeError:
            found = []
        fitting = matching(found, argument.value)
        return Completion(values=fitting[:MOST], total=len(fitting), has_more=len(fitting) > MOST)


async def names_for(state: ServerState, what: str, value: str, known: dict[str, str], template: str) -> list[str]:
    """Everything that an argument of this name can be."""
    from wiretape_capture.snapshot.listing import snapshot_names

    workspace = state.workspace()
    if what == "snapshot" or (what == "name" and "/snapshots/" in template):
        return snapshot_names(workspace.snapshots_dir)
    if what == "run":
        return run_ids(workspace)
    if what == "finding":
        async with await open_run(workspace, plain(known.get("run"), "run")) as reader:
            return [each.id for each in (await reader.run()).verdict.findings]
    if what == "route":
        return await _routes(state, known.get("snapshot"))
    if what == "sequence" and value == "" and (name := known.get("name")):
        return [str(number) for number in range(1, await _length(state, name) + 1)]
    return []


async def _routes(state: ServerState, snapshot: str | None) -> list[str]:
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_replay.traffic.read import read_routes

    workspace = state.workspace()
    routes = await read_routes(snapshot_path(workspace, snapshot, Direction.INBOUND), workspace.config.routes)
    return routes.names


async def _length(state: ServerState, snapshot: str) -> int:
    from wiretape_server.mcp.snapshots import open_snapshot

    async with await open_snapshot(state.workspace(), snapshot) as reader:
        return (await reader.info()).exchanges


def matching(names: Iterable[str], typed: str) -> list[str]:
    """Names that begin with what was typed, then those that hold it."""
    lower = typed.lower()
    told = [visible(name) for name in names]
    first = [name for name in told if name.lower().startswith(lower)]
    return [*first, *(name for name in told if lower in name.lower() and name not in first)]
