"""`wiretape verify`."""

from __future__ import annotations

import click

from wiretape_server.cli.app_flags import APP, MOCK, PUSH, REPLAY, STORE, add
from wiretape_server.cli.command import Command, json_option, snapshot_argument


@click.command(
    "verify",
    cls=Command,
    takes_app=True,
    short_help="Check the app of wiretape.toml against a snapshot",
    example="wiretape verify",
)
@snapshot_argument
@add(REPLAY, MOCK, APP, (STORE,))
@PUSH
@json_option
def command(push: bool, as_json: bool) -> None:
    """Check the app of wiretape.toml against a snapshot.

    Mocks the app's services, starts the app, waits until it is ready, replays the snapshot, stops everything and
    gives the verdict. wiretape.toml says all there is to know, so no flag is needed. Exit codes are those of replay.
    """
    from wiretape_server.cli.run_replay import run_replay

    run_replay(verify=True, push=push, as_json=as_json)
