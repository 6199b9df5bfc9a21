"""`wiretape replay`."""

from __future__ import annotations

import click

from wiretape_server.cli.app_flags import APP, MOCK, PUSH, REPLAY, STORE, TARGET, add
from wiretape_server.cli.command import Command, json_option, snapshot_argument


@click.command(
    "replay",
    cls=Command,
    takes_app=True,
    short_help="Send a snapshot's requests to an app and compare",
    example='wiretape replay checkout --target http://127.0.0.1:8000 --fail-if "latency.p95 > 50"',
)
@snapshot_argument
@add(TARGET, REPLAY, MOCK, APP, (STORE,))
@PUSH
@json_option
def command(push: bool, as_json: bool) -> None:
    """Send a snapshot's requests to an app and compare its answers.

    The app runs already at --target, or is started from what follows --. The exit code is 0 when the verdict is
    pass, 1 when it is fail, 3 when the app could not be reached, 4 when nothing could be judged.
    """
    from wiretape_server.cli.run_replay import run_replay

    run_replay(verify=False, push=push, as_json=as_json)
