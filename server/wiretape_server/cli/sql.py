"""`wiretape sql`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json, out_table, plural, say

if TYPE_CHECKING:
    from wiretape_replay.traffic.statements import Kind, StatementDrift, StatementRow
    from wiretape_server.workspace.workspace import Workspace


NONE = {
    "sql": "no SQL statement there; record a database with --map db=postgres://HOST:PORT/DATABASE",
    "mongodb": "no command for MongoDB there; record a server with --map db=mongodb://HOST:PORT/DATABASE",
    "redis": "no command for Redis there; record a server with --map cache=redis://HOST:PORT",
}


@click.command(
    "sql",
    cls=Command,
    short_help="Rank the SQL statements of a snapshot or a run",
    example="wiretape sql\nwiretape sql checkout --sort count\nwiretape sql checkout-2 --baseline checkout\n"
    "wiretape sql --redis\nwiretape sql --mongodb",
)
@click.argument("name", required=False, metavar="[RUN_OR_SNAPSHOT]")
@click.option("--baseline", metavar="RUN_OR_SNAPSHOT", help="Tell what changed since this one")
@click.option(
    "--sort", type=click.Choice(["time", "count"]), default="time", show_default=True, help="What comes first"
)
@click.option("--redis", is_flag=True, help="Rank commands for Redis instead")
@click.option("--mongodb", is_flag=True, help="Rank commands for MongoDB instead")
@json_option
def command(name: str | None, baseline: str | None, sort: str, redis: bool, mongodb: bool, as_json: bool) -> None:
    """Rank SQL statements by the time they took in all, or by how often they ran.

    Statements are told apart by their templates: constants and bound values are `?`. Without a name the newest
    snapshot is meant. A run has counts only, because a mock answered. With --baseline the statements that are new,
    gone, run more or less often, slower or faster. With --redis or --mongodb commands take the place of statements.
    """
    from wiretape_replay.traffic.statements import drift

    ws = open_workspace()
    if redis and mongodb:
        raise UsageError("--redis and --mongodb cannot be meant both", "give one of them")
    kind: Kind = "redis" if redis else "mongodb" if mongodb else "sql"
    if "" in (name, baseline):
        raise UsageError("a snapshot or run without a name", "name one, or leave it out for the newest snapshot")
    rows = _statements(ws, name, kind)
    if baseline is not None:
        changes = drift(_statements(ws, baseline, kind), rows)
        out_json(changes) if as_json else _tell_changes(changes, baseline)
        return
    if sort == "count":
        rows.sort(key=lambda row: -row.count)
    out_json(rows) if as_json else _tell(rows, kind)


def _statements(ws: Workspace, name: str | None, kind: Kind) -> list[StatementRow]:
    """Those of the snapshot of that name, else of the run."""
    from wiretape_replay.traffic.statements import statements_of_run, statements_of_snapshot
    from wiretape_server.store.bringing import run_file, snapshot_file

    try:
        tape = snapshot_file(ws, name or ws.config.snapshot or None, None, say)
    except UsageError as error:
        if name is None:
            raise
        try:
            run = run_file(ws, name, say)
        except UsageError:
            raise UsageError(f"{name!r} is neither a snapshot nor a run: {error.problem}",
                             error.hint or "wiretape snapshots and wiretape runs list them") from None  # fmt: skip
        return asyncio.run(statements_of_run(run, kind))
    return asyncio.run(statements_of_snapshot(tape, kind))


def _tell(rows: list[StatementRow], kind: Kind) -> None:
    if not rows:
        out(NONE[kind])
        return
    out_table(
        ("id", "service", "statement", "count", "failed", "total ms", "p50 ms", "p95 ms", "example"),
        [(row.fingerprint, row.service, row.statement, str(row.count), str(row.failed or ""), _ms(row.total_ms),
          *((_ms(row.times.p50), _ms(row.times.p95)) if row.times else ("", "")), str(row.example or ""))
         for row in rows],
        flexible=("statement",), right=("count", "failed", "total ms", "p50 ms", "p95 ms", "example"),
    )  # fmt: skip


def _tell_changes(changes: list[StatementDrift], baseline: str) -> None:
    if not changes:
        out(f"the same statements as in {baseline}, as often")
        return
    out(f"{plural(len(changes), 'statement')} not as in {baseline}")
    out_table(
        ("change", "id", "service", "statement", "count", "p50 ms"),
        [(each.change, each.fingerprint, each.service, each.statement, _pair(each, "count"), _pair(each, "p50"))
         for each in changes],
        flexible=("statement",),
    )  # fmt: skip


def _pair(each: StatementDrift, what: str) -> str:
    texts = [_number(row, what) for row in (each.was, each.now)]
    return " -> ".join(texts) if any(texts) else ""


def _number(row: StatementRow | None, what: str) -> str:
    if what == "count":
        return str(row.count) if row else "0"
    return _ms(row.times.p50) if row and row.times else ""


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
