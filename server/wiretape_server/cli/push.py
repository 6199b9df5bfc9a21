"""`wiretape push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError
from wiretape_server.cli.app_flags import STORE, add
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.pushing import EVERYTHING, FORCE, UNREDACTED, moved, push_one, store_of
from wiretape_server.cli.terminal import out_json, say

if TYPE_CHECKING:
    from wiretape_server.store.entry import Kind
    from wiretape_server.workspace.workspace import Workspace


@click.command(
    "push",
    cls=Command,
    short_help="Put snapshots and runs into the shared store",
    example="wiretape push checkout --store s3://team-tapes/shop",
)
@click.argument("names", nargs=-1, metavar="[SNAPSHOT|RUN]...")
@EVERYTHING
@FORCE
@add((STORE,))
@json_option
def command(names: tuple[str, ...], everything: bool, force: bool, as_json: bool) -> None:
    """Put snapshots and runs into the shared store, the newest snapshot without a name.

    Another one of the same name there is an error unless --force replaces it. A recording that still goes on, or a
    damaged one, is not put there.
    """
    ws = open_workspace()
    files = _all(ws) if everything else [_named(ws, name) for name in names or (_default(ws),)]
    store = store_of(ws, write=True)
    say(UNREDACTED)
    done = [moved(*push_one(store, path, kind, force=force)) for path, kind in dict.fromkeys(files)]
    if as_json:
        out_json({"store": str(store), "pushed": done})


def _default(ws: Workspace) -> str:
    from wiretape_capture.snapshot.listing import find_snapshot

    return find_snapshot(ws.snapshots_dir, ws.config.snapshot or None).name


def _all(ws: Workspace) -> list[tuple[Path, Kind]]:
    from wiretape_server.store.entry import Kind

    tapes = [(path, Kind.SNAPSHOT) for path in sorted(ws.snapshots_dir.glob("*.tape"))]
    return tapes + [(path, Kind.RUN) for path in sorted(ws.runs_dir.glob("*.run"))]


def _named(ws: Workspace, name: str) -> tuple[Path, Kind]:
    """The file that is meant: snapshots and runs that were given no name may be called alike."""
    from wiretape_capture.snapshot.listing import find_snapshot
    from wiretape_replay.run_file import find_run
    from wiretape_server.store.entry import Kind

    tape, run = ws.snapshots_dir / f"{name}.tape", ws.runs_dir / f"{name}.run"
    if tape.exists() and run.exists():
        raise UsageError(f"{name} is a snapshot and a run", f"write {name}.tape or {name}.run")
    if name.endswith(".run"):
        return find_run(ws.runs_dir, name.removesuffix(".run")), Kind.RUN
    if run.exists():
        return run, Kind.RUN
    begun = [path for path in ws.runs_dir.glob("*.run") if path.stem.startswith(name)]
    if len(begun) == 1 and not tape.exists() and not name.endswith(".tape"):
        return begun[0], Kind.RUN
    return find_snapshot(ws.snapshots_dir, name), Kind.SNAPSHOT
