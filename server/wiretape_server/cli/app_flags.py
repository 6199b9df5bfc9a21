"""The flags that several commands share, each with the key that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from wiretape_server.cli.command import PORT, Decorator, Whole, here, pairs, setting


def noise_rules(values: tuple[str, ...]) -> list[dict[str, str]]:
    """`[ROUTE ]POINTER` flags as noise rules."""
    return [_noise_rule(value) for value in values]


def sign_rules(values: tuple[str, ...]) -> list[dict[str, str]]:
    """`KIND:KEY=VALUE,…` flags as signing rules."""
    return [_sign_rule(value) for value in values]


def services(values: tuple[str, ...]) -> dict[str, str]:
    """`NAME=URL` and `HOST:PORT` flags as the table `services`."""
    from wiretape_server.workspace.specs import services_table

    return services_table(values)


def failed_of(values: tuple[str, ...]) -> tuple[str, ...]:
    """Runs as items of `replay.only`."""
    return tuple(f"failed:{value}" for value in values)


def _noise_rule(value: str) -> dict[str, str]:
    route, _, pointer = value.strip().rpartition(" ")
    if not pointer.startswith(("/", "header:")):
        raise click.UsageError(f'"{value}" does not end in a JSON Pointer such as /items/*/at or in header:NAME',
                               click.get_current_context())  # fmt: skip
    return {"route": route.strip() or "*", "pointer": pointer}


def _sign_rule(value: str) -> dict[str, str]:
    kind, _, fields = value.partition(":")
    named = [field.partition("=") for field in fields.split(",") if field]
    if not kind or not all(name and text for name, _, text in named):
        raise click.UsageError(f'"{value}" is not like jwt:key_env=NAME or sigv4:region=eu-central-1',
                               click.get_current_context())  # fmt: skip
    return {"kind": kind, **{name.strip(): text.strip() for name, _, text in named}}


APP: tuple[Decorator, ...] = (
    setting("app.port", "--app-port", type=Whole(1, 65535), metavar="PORT", help="Port the app listens on"),
    setting("app.start", "--app/--no-app", help="Start the app, or leave it be"),
    setting("app.cwd", "--cwd", metavar="DIR", convert=here, help="Directory to start the app in"),
    setting("app.env", "--env", multiple=True, metavar="NAME=VALUE", convert=pairs, help="Variable to set for the app"),
    setting("app.ready", "--ready", metavar="PATH", help="Path that answers when the app is ready"),
    setting("app.ready_timeout", "--ready-timeout", type=float, metavar="SEC", help="Seconds to become ready"),
    setting("app.log", "--app-log", metavar="FILE", convert=here, help="File for the app's output"),
)

MAP = setting(
    "services", "--map", multiple=True, metavar="NAME=URL", convert=services, help="Listen in a service's place"
)
MOCK_PORT = setting("mock.proxy_port", "--proxy-port", type=PORT, metavar="PORT",
                    help="Port of the mock's proxy")  # fmt: skip

ROUTE = setting("routes", "--route", multiple=True, metavar="TEMPLATE", help="Path template such as /orders/{id}")

MOCK: tuple[Decorator, ...] = (
    MAP,
    setting("mock.allow", "--allow", multiple=True, metavar="HOST", help="Host that may be reached for real"),
    setting("mock.at_end", "--at-end", type=click.Choice(["repeat", "cycle", "fail"]),
            help="Answer after the last recorded one"),
)  # fmt: skip

STORE = setting("store", "--store", metavar="URL", help="Where snapshots and runs are shared")
PUSH = click.option("--push", is_flag=True, help="Put the result into the store")

TARGET = (setting("replay.target", "--target", metavar="URL", help="Where the app answers"),)
ONLY: tuple[Decorator, ...] = (
    setting("replay.only", "--only", multiple=True, metavar="SEQ|ROUTE", adds=True,
            help="Replay only these"),
    setting("replay.only", "--failed-of", multiple=True, metavar="RUN", convert=failed_of, adds=True,
            help="Replay only what failed in RUN"),
)  # fmt: skip
FAIL_IF = setting("replay.fail_if", "--fail-if", multiple=True, metavar="EXPR", help="Fail the run when this is true")

REQUESTS: tuple[Decorator, ...] = (
    setting("replay.timeout", "--timeout", type=float, metavar="SEC", help="Seconds to wait for a response"),
    setting("replay.client_values", "--client-values", type=click.Choice(["fresh", "keep"]),
            help="The client's own keys and nonces"),
    setting("replay.seed", "--seed", metavar="TEXT", help="What fresh values are made from"),
    setting("replay.sign", "--sign", multiple=True, metavar="KIND:KEY=VALUE", convert=sign_rules,
            help="Sign requests again: jwt, sigv4"),
)  # fmt: skip
"""How requests are made, whether they are sent once or many times."""

NOISE: tuple[Decorator, ...] = (
    setting("noise", "--noise", multiple=True, metavar="[ROUTE ]POINTER", convert=noise_rules,
            help="Place to check for its shape only"),
    ROUTE,
)  # fmt: skip

LOCKED: tuple[Decorator, ...] = (
    setting("replay.locked", "--locked/--no-locked", help="Refuse what is not as in wiretape.lock"),
    setting("replay.lock_hash", "--lock-hash", metavar="HASH", help="Refuse any other wiretape.lock, too"),
)

REPLAY: tuple[Decorator, ...] = (
    FAIL_IF,
    setting("replay.mock", "--mock/--no-mock", help="Answer outbound calls or not"),
    *ONLY,
    *LOCKED,
    setting("replay.openapi", "--openapi", metavar="FILE", convert=here, help="Check against this OpenAPI file too"),
    setting("replay.openapi_requests", "--openapi-requests/--no-openapi-requests", help="Check recorded requests too"),
    setting("replay.timing", "--timing", "--speed", metavar="PACE",
            help="asap, recorded, or 2x for twice as fast"),
    setting("replay.concurrency", "--concurrency", type=Whole(1, 1024), metavar="N",
            help="Sessions under way at once"),
    *REQUESTS,
    setting("replay.warmup", "--warmup", type=Whole(0, 1000), metavar="N", help="First requests not to time"),
    setting("replay.latency_seconds", "--latency-seconds", type=float, metavar="SEC",
            help="Time to measure a baseline"),
    setting("replay.baseline", "--baseline", metavar="RUN|URL", help="Earlier run, or unchanged code"),
    setting("replay.baseline_command", "--baseline-command", metavar="CMD", help="Start unchanged code like this"),
    setting("replay.baseline_cwd", "--baseline-cwd", metavar="DIR", convert=here, help="Where unchanged code is"),
    setting("replay.baseline_port", "--baseline-port", type=Whole(1, 65535), metavar="PORT", help="Its port"),
    setting("replay.baseline_runs", "--baseline-runs", type=Whole(1, 100), metavar="N", help="Replays of it"),
    *NOISE,
    setting("mock.timing", "--mock-timing", metavar="PACE", help="The mock: none, recorded or 2x"),
    MOCK_PORT,
)  # fmt: skip


def add(*groups: tuple[Decorator, ...]) -> Decorator:
    """Add groups of flags, shown in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for group in reversed(groups):
            for option in reversed(group):
                function = option(function)
        return function

    return decorate
