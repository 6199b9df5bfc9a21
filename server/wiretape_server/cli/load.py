"""`wiretape load`."""

from __future__ import annotations

import re

import click

from wiretape_server.cli.app_flags import APP, FAIL_IF, LOCKED, NOISE, ONLY, PUSH, REQUESTS, STORE, TARGET, add
from wiretape_server.cli.command import Command, Whole, json_option, setting, snapshot_argument

_WITH_RATE = ("poisson", "constant", "closed")

LOAD = (
    setting("load.scale", "--scale", type=float, metavar="N", help="Clones of each recorded session"),
    setting("load.speed", "--speed", type=float, metavar="N", help="Divide recorded times by this"),
    setting("load.duration", "--for", metavar="TIME", help="How long sessions begin, such as 5m"),
    setting("load.stages", "--stages", metavar="TIME:N,...", help="Scale over time: 1m:10,5m:100,30s:0"),
    setting("load.arrivals", "--arrivals", metavar="HOW",
            help="recorded, or poisson|constant|closed N"),
    setting("load.warmup", "--warmup", metavar="TIME", help="First stretch not to time, such as 10s"),
    FAIL_IF,
    *ONLY,
    *LOCKED,
)  # fmt: skip

GENERATOR = (
    setting("load.workers", "--workers", type=Whole(1, 64), metavar="N", help="Processes that send"),
    setting("load.cluster", "--cluster", metavar="dask://HOST:PORT", help="Send from the workers of a dask cluster"),
    setting("load.connections", "--connections", type=click.Choice(["pool", "session"]),
            help="Shared, or one for each session"),
    setting("load.compare", "--compare", type=click.Choice(["full", "bytes"]),
            help="A sample in full, or all by bytes only"),
    setting("load.max_lag", "--max-lag", type=float, metavar="MS", help="Schedule lag (p99) to be trusted with"),
    setting("load.allow_writes", "--allow-writes", multiple=True, metavar="HOST",
            help="Host beyond this machine to write to"),
    setting("replay.baseline", "--baseline", metavar="RUN", help="Earlier load to compare times with"),
)  # fmt: skip


class LoadCommand(Command):
    """Takes `--arrivals poisson 50` in two words, as one would say it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the rate to its kind."""
        end = args.index("--") if "--" in args else len(args)
        for at in range(end - 2):
            kind, rate = args[at + 1], args[at + 2]
            if args[at] == "--arrivals" and kind in _WITH_RATE and re.fullmatch(r"\d+(\.\d+)?", rate):
                args = [*args[: at + 1], f"{kind} {rate}", *args[at + 3 :]]
                break
        return super().parse_args(ctx, args)


@click.command(
    "load",
    cls=LoadCommand,
    takes_app=True,
    short_help="Send many clones of recorded sessions to an app",
    example='wiretape load checkout --target http://127.0.0.1:8000 --scale 10 --for 5m --fail-if "latency.p99 > 200"',
)
@snapshot_argument
@add(TARGET, LOAD, GENERATOR, REQUESTS, NOISE, APP, (STORE,))
@PUSH
@json_option
def command(push: bool, as_json: bool) -> None:
    """Send many clones of recorded sessions to an app.

    Sessions begin as they were recorded, --scale times as many; inside of a session order and think time hold.
    Response times count from the moment when a request should have been sent. Answers are compared as in a replay.
    Exit codes are those of replay; 4 also when the load could not be sent on time.
    """
    from wiretape_server.cli.run_replay import run_load

    run_load(push=push, as_json=as_json)
