"""`wiretape pull`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError
from wiretape_server.cli.app_flags import STORE, add
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.pushing import EVERYTHING, FORCE, moved, store_of
from wiretape_server.cli.terminal import out_json, say, size

if TYPE_CHECKING:
    from wiretape_server.store.entry import Entry
    from wiretape_server.store.store import Store
    from wiretape_server.workspace.workspace import Workspace


@click.command(
    "pull",
    cls=Command,
    short_help="Get snapshots and runs from the shared store",
    example="wiretape pull checkout --store s3://team-tapes/shop",
)
@click.argument("names", nargs=-1, metavar="[SNAPSHOT|RUN]...")
@EVERYTHING
@FORCE
@add((STORE,))
@json_option
def command(names: tuple[str, ...], everything: bool, force: bool, as_json: bool) -> None:
    """Get snapshots and runs from the shared store, without a name those of wiretape.lock.

    Each is checked against its hash before it gets its name here. Another one of the same name here stays, and is an
    error, unless --force replaces it.
    """
    from wiretape_server.store.transfer import pull

    ws = open_workspace()
    store = store_of(ws)
    entries = _all(store) if everything else [_named(store, name) for name in names or _default(ws)]
    done: list[dict[str, object]] = []
    for entry in entries:
        outcome = asyncio.run(pull(ws, store, entry, force=force))
        say(f"{outcome} {entry.kind} {entry.name} ({size(entry.size_bytes)}) from {store}")
        done.append(moved(entry, outcome))
    if as_json:
        out_json({"store": str(store), "pulled": done})


def _default(ws: Workspace) -> tuple[str, ...]:
    from wiretape_server.workspace.lock_file import lock_in_use

    lock = lock_in_use(ws.root, ws.config.replay.lock_hash)
    names = tuple(f"{one.name}.tape" for one in lock.lock.snapshot) if lock else ()
    if not names and ws.config.snapshot:
        return (f"{ws.config.snapshot.removesuffix('.tape')}.tape",)
    if not names:
        raise UsageError("no snapshot is named", "name one of those that `wiretape snapshots --remote` lists, or --all")
    return names


def _all(store: Store) -> list[Entry]:
    from wiretape_server.store.entry import Kind

    found: list[Entry] = []
    for kind in Kind:
        entries, broken = store.entries(kind)
        found += entries
        for problem in broken:
            say(problem)
    return found


def _named(store: Store, name: str) -> Entry:
    """The entry that is meant, a snapshot before a run; of a run's name its beginning is enough."""
    from wiretape_capture.snapshot.listing import checked_name
    from wiretape_server.store.entry import Kind

    kinds = [kind for kind in Kind if name.endswith(kind.suffix)] or list(Kind)
    bare = checked_name(name.removesuffix(kinds[0].suffix) if len(kinds) == 1 else name)
    found = [entry for kind in kinds if (entry := store.entry(kind, bare))]
    if len(found) > 1:
        raise UsageError(f"{bare} is a snapshot and a run", f"write {bare}.tape or {bare}.run")
    if not found and Kind.RUN in kinds and (entry := store.entry(Kind.RUN, store.begun(Kind.RUN, bare))):
        return entry
    if not found:
        raise store.missing(kinds[0], bare)
    return found[0]
