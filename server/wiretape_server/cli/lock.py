"""`wiretape lock`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import click
from pydantic import BaseModel, ConfigDict

from wiretape_replay.verdict.basis import BasisChange, Effect, short
from wiretape_server.cli.app_flags import APP, MOCK, REPLAY, add
from wiretape_server.cli.command import Command, json_option, open_workspace, snapshot_argument
from wiretape_server.cli.terminal import near, out, out_json

NOT_AS_LOCKED = 1
"""Exit code of --check, the same as that of a run that was refused."""


class Locked(BaseModel):
    """The document of `--json`."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    file: str
    sha256: str
    written: bool
    changes: tuple[BasisChange, ...]


@click.command(
    "lock",
    cls=Command,
    takes_app=True,
    short_help="Write down what verdicts rest on, for review",
    example="wiretape lock\nwiretape lock --check",
)
@snapshot_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 1 on a change")
@add(REPLAY, MOCK, APP)
@json_option
def command(check: bool, as_json: bool) -> None:
    """Write down what verdicts rest on, for review.

    wiretape.lock then holds the snapshot's hash and routes, the evals, each noise rule and every setting that verify
    with the same flags is judged by. Commit it. Verdicts name what changed since, and `verify --locked` refuses it.
    Snapshots that were locked before stay locked.
    """
    from wiretape_replay.engine.basis import read_basis
    from wiretape_replay.verdict.basis_changes import changes_since_lock, load_changes
    from wiretape_server.workspace.judging import load_settings
    from wiretape_server.workspace.lock_file import FILE_NAME, lock_in_use, locked, write_lock
    from wiretape_server.workspace.specs import replay_spec

    ws = open_workspace()
    spec = replay_spec(ws, now=datetime.now(UTC), verify=True, relock=True)
    basis = asyncio.run(read_basis(spec))
    old = lock_in_use(ws.root, ws.config.replay.lock_hash)
    loads = load_settings(ws.config)
    changes = () if old is None else (*changes_since_lock(old.lock, basis, old.unreviewed if check else ""),
                                      *load_changes(old.lock, loads))  # fmt: skip
    fresh = locked(old.lock if old else None, basis, loads)
    written = not check and (old is None or fresh != old.lock)
    sha256 = write_lock(ws.root, fresh) if written else old.sha256 if old else ""
    file = near(ws.root / FILE_NAME)
    if as_json:
        out_json(Locked(file=str(file), sha256=sha256, written=written, changes=changes))
    else:
        for change in changes:
            out(f"{'+' if change.effect is Effect.STRICTER else '!'} {change.message}")
        out(_told(str(file), sha256, written=written, missing=check and old is None, changed=bool(changes)))
    if check and (old is None or any(change.effect is not Effect.STRICTER for change in changes)):
        click.get_current_context().exit(NOT_AS_LOCKED)


def _told(file: str, sha256: str, *, written: bool, missing: bool, changed: bool) -> str:
    if missing:
        return f"there is no {file}: write it with wiretape lock"
    if written:
        return f"wrote {file} ({short(sha256)}): review it, then commit it"
    return f"{file} ({short(sha256)}) is not up to date" if changed else f"{file} ({short(sha256)}) is up to date"
