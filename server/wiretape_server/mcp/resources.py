"""What a person would open: snapshots, their exchanges, runs and reports, listed as they are now."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import ListResourcesResult, PaginatedRequestParams, Resource
from pydantic import BaseModel

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_replay.report.diff import FindingDetail
from wiretape_server.mcp.exchange_view import request_view, response_view
from wiretape_server.mcp.finding_view import capped, detail_of
from wiretape_server.mcp.names import plain
from wiretape_server.mcp.paging import MOST_DIGITS, page
from wiretape_server.mcp.quoting import DATA_NOTE
from wiretape_server.mcp.results import said
from wiretape_server.mcp.runs import masked_run, open_run, run_ids
from wiretape_server.mcp.sdk_seams import list_resources_with
from wiretape_server.mcp.snapshots import open_snapshot, snapshot_path
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.wording import in_tools

PAGE = 50
BODY_LIMIT = 20_000
DETAIL_LIMIT = 20_000
INDEX = (
    Resource(uri="wiretape://snapshots", name="snapshots", mime_type="application/json",
             description="All snapshots of this project, newest first"),
    Resource(uri="wiretape://runs", name="runs", mime_type="application/json",
             description="All runs of this project, newest first"),
)  # fmt: skip


def add_resources(server: MCPServer[ServerState], state: ServerState) -> None:
    """Register the templates and the listing."""

    @server.resource("wiretape://snapshots", name="snapshots", mime_type="application/json")
    async def snapshots() -> str:
        return await _told(snapshots_text(state))

    @server.resource("wiretape://runs", name="runs", mime_type="application/json")
    async def runs() -> str:
        return await _told(runs_text(state))

    @server.resource("wiretape://snapshots/{name}", name="snapshot", mime_type="application/json",
                     description="What a snapshot holds")  # fmt: skip
    async def snapshot(name: str) -> str:
        return await _told(snapshot_text(state, name))

    @server.resource("wiretape://snapshots/{name}/contract", name="contract", mime_type="application/json",
                     description="What a snapshot says the app promises: routes, fields, types, evidence")  # fmt: skip
    async def contract(name: str) -> str:
        return await _told(contract_text(state, name))

    @server.resource("wiretape://snapshots/{name}/exchanges/{sequence}", name="exchange",
                     mime_type="application/json", description="One recorded exchange")  # fmt: skip
    async def exchange(name: str, sequence: str) -> str:
        return await _told(exchange_text(state, name, sequence))

    @server.resource("wiretape://runs/{run}", name="run", mime_type="application/json",
                     description="A run with its verdict, evals and findings")  # fmt: skip
    async def run(run: str) -> str:
        return await _told(run_text(state, run))

    @server.resource("wiretape://runs/{run}/findings/{finding}", name="finding", mime_type="application/json",
                     description="One finding in full: both sides, diff, patch, why it counts")  # fmt: skip
    async def finding(run: str, finding: str) -> str:
        return await _told(finding_text(state, run, finding))

    @server.resource("wiretape://runs/{run}/report", name="report", mime_type="text/markdown",
                     description="A run's report")  # fmt: skip
    async def report(run: str) -> str:
        return await _told(report_text(state, run))

    async def listing(_: Any, params: PaginatedRequestParams | None) -> ListResourcesResult:
        return await list_all(state, params.cursor if params else None)

    list_resources_with(server, listing)


async def _told(reading: Awaitable[str]) -> str:
    """The text, or the error in the one kind whose words the SDK passes on."""
    try:
        return await reading
    except UsageError as error:
        raise ResourceNotFoundError(said(in_tools(error))) from error
    except WiretapeError as error:
        raise ResourceError(said(in_tools(error))) from error


async def list_all(state: ServerState, cursor: str | None) -> ListResourcesResult:
    """The two indexes, then runs with their reports and snapshots, newest first."""
    from wiretape_capture.snapshot.listing import snapshot_names

    workspace = state.workspace()
    found = [*INDEX]
    for run in run_ids(workspace):
        found.append(Resource(uri=f"wiretape://runs/{run}/report", name=f"report {run}", mime_type="text/markdown"))
        found.append(Resource(uri=f"wiretape://runs/{run}", name=f"run {run}", mime_type="application/json"))
    found += [Resource(uri=f"wiretape://snapshots/{name}", name=f"snapshot {name}", mime_type="application/json")
              for name in snapshot_names(workspace.snapshots_dir)]  # fmt: skip
    shown = page(found, lambda each: str(each.uri), PAGE, cursor)
    return ListResourcesResult(resources=list(shown.rows), next_cursor=shown.next_cursor)


async def snapshots_text(state: ServerState) -> str:
    """Every snapshot, also the unreadable ones."""
    from wiretape_capture.snapshot.listing import list_snapshots

    return _json(await list_snapshots(state.workspace().snapshots_dir))


async def runs_text(state: ServerState) -> str:
    """Every run in a few words."""
    from wiretape_replay.run_file import list_runs
    from wiretape_server.mcp.tools.list_runs import Runs, row

    rows = tuple(row(run) for run in await list_runs(state.workspace().runs_dir))
    return _json(Runs(summary=f"{len(rows)} runs", next="wiretape://runs/ID holds one", runs=rows, total=len(rows)))


async def snapshot_text(state: ServerState, name: str) -> str:
    """What a snapshot holds."""
    async with await open_snapshot(state.workspace(), name) as reader:
        return _json(await reader.info())


async def contract_text(state: ServerState, name: str) -> str:
    """The contract of a snapshot's inbound traffic."""
    from wiretape_replay.contract.read import read_contract
    from wiretape_replay.contract.view import contract_view

    workspace = state.workspace()
    path = snapshot_path(workspace, name)
    return _json(contract_view(await read_contract([path], workspace.config.routes), [path.stem]))


async def exchange_text(state: ServerState, name: str, sequence: str) -> str:
    """One exchange, as get_exchange answers it but longer."""
    from wiretape_server.mcp.tools.get_exchange import ExchangeResult

    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= MOST_DIGITS):
        raise UsageError(f"{sequence[:40]!r} is not a sequence number", "search_exchanges lists them")
    async with await open_snapshot(state.workspace(), name) as reader:
        exchange = await reader.exchange(int(sequence), max_body=1 << 20)
    mask = state.mask()
    response = exchange.response and response_view(exchange.response, mask, BODY_LIMIT)
    return _json(ExchangeResult(
        summary=f"exchange {sequence} of {name}", next="wiretape://snapshots lists the snapshots", snapshot=name,
        sequence=exchange.sequence, service=exchange.service, duration_ms=exchange.duration_us / 1000,
        error=exchange.error, request=request_view(exchange.request, mask, BODY_LIMIT), response=response,
        note=DATA_NOTE,
    ))  # fmt: skip


async def run_text(state: ServerState, run: str) -> str:
    """The whole run."""
    async with await open_run(state.workspace(), run) as reader:
        return _json(masked_run(await reader.run(), state.mask()))


class FindingResource(BaseModel):
    """A finding in full, and why it counts."""

    detail: FindingDetail
    why: tuple[str, ...]
    considered: tuple[str, ...]
    unchanged: str


async def finding_text(state: ServerState, run: str, finding: str) -> str:
    """One finding, as get_diff and explain answer it but longer."""
    from wiretape_server.workspace.explaining import explain_finding
    from wiretape_server.workspace.finding_names import find_finding

    workspace, mask = state.workspace(), state.mask()
    async with await open_run(workspace, run) as reader:
        found = await reader.run()
        wanted = find_finding(found, plain(finding, "finding") or "")
        detail = capped(await detail_of(reader, found, wanted), mask, DETAIL_LIMIT)
    told = (await explain_finding(workspace, workspace.runs_dir / f"{found.id}.run", wanted.id)).told
    return _json(FindingResource(detail=detail, why=tuple(map(mask.queries, told.why)), unchanged=told.unchanged,
                                 considered=tuple(map(mask.queries, told.considered))))  # fmt: skip


async def report_text(state: ServerState, run: str) -> str:
    """The run's Markdown report."""
    from wiretape_replay.report.markdown import markdown

    async with await open_run(state.workspace(), run) as reader:
        return markdown(masked_run(await reader.run(), state.mask()))


def _json(model: BaseModel) -> str:
    return model.model_dump_json(indent=1, exclude_defaults=True)
