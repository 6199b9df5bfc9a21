"""`wiretape snapshots --remote` and `wiretape runs --remote`: what a store has, and whether it is here too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape_server.cli.pushing import store_of
from wiretape_server.cli.terminal import moment, ms, out, out_json, out_table, say, size
from wiretape_server.store.entry import Entry, Kind
from wiretape_server.store.transfer import local_path

if TYPE_CHECKING:
    from wiretape_server.workspace.workspace import Workspace


def list_stored_snapshots(ws: Workspace, *, as_json: bool) -> None:
    """A row for each snapshot of the store."""
    entries, broken = _entries(ws, Kind.SNAPSHOT, as_json=as_json)
    shown = [(entry, entry.snapshot) for entry in entries if entry.snapshot]
    if shown and not as_json:
        out_table(
            ("name", "recorded", "inbound", "outbound", "size", "here", "services"),
            [(entry.name, moment(info.created_ns), str(info.inbound), str(info.outbound), size(entry.size_bytes),
              _here(ws, entry), ", ".join(info.services)) for entry, info in shown],
            flexible=("services", "name"), right=("inbound", "outbound", "size"),
        )  # fmt: skip
    for problem in broken:
        say(problem)


def list_stored_runs(ws: Workspace, limit: int, *, as_json: bool) -> None:
    """A row for each run of the store."""
    entries, broken = _entries(ws, Kind.RUN, as_json=as_json, limit=limit)
    shown = [(entry, entry.run) for entry in entries if entry.run][:limit]
    if shown and not as_json:
        out_table(
            ("run", "verdict", "failed", "sent", "findings", "p95 ms", "here", "snapshot"),
            [(entry.name, run.verdict, str(run.failed), str(run.sent), str(run.findings),
              "-" if run.p95_ms is None else ms(run.p95_ms), _here(ws, entry), run.snapshot) for entry, run in shown],
            flexible=("snapshot",), right=("failed", "sent", "findings", "p95 ms"),
        )  # fmt: skip
        if len(entries) > limit:
            out(f"and {len(entries) - limit} older; --limit shows more")
    for problem in broken:
        say(problem)


def _entries(ws: Workspace, kind: Kind, *, as_json: bool, limit: int | None = None) -> tuple[list[Entry], list[str]]:
    store = store_of(ws)
    entries, broken = store.entries(kind)
    if as_json:
        out_json(entries[:limit])
    elif not entries and not broken:
        out(f"no {kind}s in {store} yet; put one there with: wiretape push")
    return entries, broken


def _here(ws: Workspace, entry: Entry) -> str:
    return "yes" if local_path(ws, entry.kind, entry.name).exists() else "no"
