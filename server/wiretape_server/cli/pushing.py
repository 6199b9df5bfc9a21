"""What `--push` and `wiretape push` share: into the store, with one line about it, and never silently."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_server.cli.terminal import say, size

if TYPE_CHECKING:
    from wiretape_server.store.entry import Entry, Kind
    from wiretape_server.store.store import Done, Store
    from wiretape_server.workspace.workspace import Workspace

UNREDACTED = "note: recordings hold what crossed the wire, secrets included, and whoever reads the store reads them"


def store_of(ws: Workspace, *, write: bool = False) -> Store:
    """The workspace's store."""
    from wiretape_server.store.store import Store

    if not ws.config.store:
        raise UsageError("no store is named", "give --store s3://BUCKET/PREFIX, or set `store` in wiretape.toml")
    store = Store.open(ws.config.store, write=write)
    if store.objects.made:
        say(f"made the folder {store.objects.made}, which was not there")
    return store


@dataclass(frozen=True, slots=True)
class Pushing:
    """Where a result goes at the end; nowhere without `--push`."""

    store: Store | None

    @classmethod
    def of(cls, ws: Workspace, *, wanted: bool) -> Self:
        """Before the work begins, so that a mistake in the store's URL or credentials does not come after it."""
        return cls(store_of(ws, write=True) if wanted else None)

    def snapshot(self, tape: Path) -> int:
        """Put a snapshot there and give the exit code."""
        from wiretape_server.store.entry import Kind

        return self._put(tape, Kind.SNAPSHOT)

    def run(self, path: Path) -> int:
        """Put a run there and give the exit code."""
        from wiretape_server.store.entry import Kind

        return self._put(path, Kind.RUN)

    def _put(self, path: Path, kind: Kind) -> int:
        if self.store is None:
            return 0
        say(UNREDACTED)
        try:
            push_one(self.store, path, kind, force=False)
        except WiretapeError as error:
            # The result was told already, and --json has had its one document.
            say(f"wiretape: {error}; the {kind} is kept here, put it there with: wiretape push {path.stem}")
            return error.exit_code
        return 0


def push_one(store: Store, path: Path, kind: Kind, *, force: bool) -> tuple[Entry, Done]:
    """Put one file there and say so."""
    from wiretape_server.store.transfer import push

    entry, done = asyncio.run(push(store, path, kind, force=force))
    say(f"{done} {kind} {entry.name} ({size(entry.size_bytes)}) {'to' if done == 'pushed' else 'in'} {store}")
    return entry, done


def moved(entry: Entry, done: Done) -> dict[str, object]:
    """A line of `--json`."""
    return {"kind": str(entry.kind), "name": entry.name, "outcome": str(done), "sha256": entry.sha256,
            "size_bytes": entry.size_bytes}  # fmt: skip


FORCE = click.option("--force", is_flag=True, help="Replace another one of that name")
EVERYTHING = click.option("--all", "everything", is_flag=True, help="All snapshots and runs")
