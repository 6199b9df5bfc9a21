"""`wiretape record`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import WiretapeError
from wiretape_server.cli.app_flags import APP, MAP, PUSH, STORE, add
from wiretape_server.cli.command import PORT, Command, json_option, open_workspace, setting
from wiretape_server.cli.table import visible
from wiretape_server.cli.terminal import ms, out, out_json, out_table, plural, say

if TYPE_CHECKING:
    from wiretape_capture.proxy.spec import CommandStats, RecordResult

NOTES_SHOWN = 20
FLAGS = (
    setting("record.listen", "--listen", type=PORT, metavar="PORT", help="Port in front of the app"),
    setting("record.proxy_port", "--proxy-port", type=PORT, metavar="PORT", help="Port of the outbound proxy"),
    setting("record.engine", "--engine", type=click.Choice(["tee", "mitmproxy"]), help="What carries HTTP/1.1"),
    setting(
        "record.overflow",
        "--overflow",
        type=click.Choice(["wait", "drop"]),
        help="What happens when the disk is too slow",
    ),
    MAP,
)


@click.command(
    "record",
    cls=Command,
    takes_app=True,
    short_help="Record an app's traffic into a snapshot",
    example="wiretape record --name checkout --app-port 8000 -- python app.py",
)
@click.option("--name", help="Name of the snapshot")
@PUSH
@add(APP[:1], FLAGS, APP[1:], (STORE,))
@json_option
def command(name: str | None, push: bool, as_json: bool) -> None:
    """Record an app's traffic into a snapshot.

    Starts the app (given after --, or app.command in wiretape.toml) with its outbound calls led through a proxy,
    opens a port in front of it, and writes each request and response until Ctrl-C or until the app ends.
    """
    from wiretape_capture.proxy.spec import RecordResult
    from wiretape_server.cli import endpoints, job_view
    from wiretape_server.cli.pushing import Pushing
    from wiretape_server.workspace.noise_file import FILE_NAME as NOISE_FILE
    from wiretape_server.workspace.specs import record_spec

    ws = open_workspace()
    pushing = Pushing.of(ws, wanted=push)
    now = datetime.now(UTC)
    files = endpoints.job_files(ws, "record", now)
    spec = record_spec(ws, now=now, name=name, log=files.app)
    ws.create()
    if spec.app_port is None:
        say("note: no --app-port, so only outbound traffic is recorded")
    view = job_view.View(
        on_ready=lambda ready: endpoints.tell_recording(ready, spec, files),
        doing="recording",
        app_output=None if ws.config.app.log else files.app,
    )
    try:
        result = RecordResult.model_validate(job_view.run("wiretape_capture.record", spec, view, log=files.job))
    except KeyboardInterrupt:
        asyncio.run(_drop_empty(spec.tape))
        raise
    if as_json:
        out_json(result)
    else:
        _tell(result, view.told, configured=ws.file is not None, learned=(ws.root / NOISE_FILE).exists())
    code = _exit_code(result)
    if result.exchanges:
        code = pushing.snapshot(spec.tape) or code
    click.get_current_context().exit(code)


async def _drop_empty(tape: Path) -> None:
    """Take away what a recording that was ended at once left, where it holds no exchange."""
    from wiretape_capture.snapshot.listing import delete_snapshot
    from wiretape_capture.snapshot.tape_reader import TapeReader

    with suppress(WiretapeError):  # it may not have come to making one
        async with await TapeReader.open(tape) as reader:
            empty = (await reader.info()).exchanges == 0
        if empty:
            await delete_snapshot(tape.parent, tape.stem)


def _tell(result: RecordResult, told: AbstractSet[str], *, configured: bool, learned: bool) -> None:
    if not result.exchanges:
        for note in result.notes:
            if note not in told:
                say(f"note: {note}")
        out("no snapshot was kept, for nothing was recorded")
        _tell_notes([note for note in result.notes if note in told])
        return
    summary_table(result.summary)
    out()
    _tell_notes(result.notes)
    counts = f"({result.inbound} inbound, {result.outbound} outbound)"
    out(f"snapshot {result.name}: {plural(result.exchanges, 'exchange')} {counts}")
    out(f"next: wiretape show {result.name}")
    if result.inbound and not learned:
        out(f"then: {'' if configured else 'wiretape init, and '}wiretape noise learn while the code is unchanged")


def _tell_notes(notes: Sequence[str]) -> None:
    """What could not be recorded as it should, also what was told when it happened: that may be pages ago."""
    if not notes:
        return
    out("notes:")
    for note in notes[:NOTES_SHOWN]:
        out(f"  {visible(note)}")
    if len(notes) > NOTES_SHOWN:
        out(f"  and {len(notes) - NOTES_SHOWN} more, which --json lists")
    out()


def summary_table(rows: tuple[CommandStats, ...]) -> None:
    """What was recorded, a row for each command of each service."""
    out_table(
        ("direction", "service", "command", "count", "errors", "p50 ms", "p95 ms"),
        [(row.direction, row.service, row.command, str(row.count), str(row.errors), ms(row.p50_ms), ms(row.p95_ms))
         for row in rows],
        flexible=("service",), right=("count", "errors", "p50 ms", "p95 ms"),
    )  # fmt: skip


def _exit_code(result: RecordResult) -> int:
    """An app that failed by itself is a failed environment; the snapshot is kept all the same."""
    if not result.app_exit:
        return 0
    say(f"wiretape: the app ended by itself with status {result.app_exit}; its last output says why")
    return 3
