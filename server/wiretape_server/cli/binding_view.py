"""Bindings as a table: those of a snapshot, and those of a run with how they went."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wiretape_server.cli.terminal import out, out_json, out_table, plural

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape_replay.verdict.model import BindingUse, Run

_FLEXIBLE = ("producer", "at", "consumer", "as")


def tell_snapshot(tape: Path, templates: Sequence[str], *, as_json: bool) -> None:
    """What requests of a snapshot take from earlier responses."""
    found = asyncio.run(_found(tape, templates))
    if as_json:
        out_json(found)
    elif not found:
        out(f"no request of {tape.stem} takes a value from an earlier response")
    else:
        out_table(("producer", "at", "consumer", "as", "times"), [(*_way(use), str(use.count)) for use in found],
                  flexible=_FLEXIBLE, right=("times",))  # fmt: skip


def tell_run(run: Run, *, as_json: bool) -> None:
    """How the bindings of a run went."""
    if as_json:
        out_json(run.binding_uses)
        return
    if not run.binding_uses:
        out("no value was followed from a response into a later request")
        return
    columns = ("producer", "at", "consumer", "as", "ok", "same", "not found", "unused")
    rows = [(*_way(use), str(use.ok), str(use.same), str(use.not_found), str(use.unused)) for use in run.binding_uses]
    out_table(columns, rows, flexible=_FLEXIBLE, right=columns[4:])
    if unconfirmed := sum(use.unconfirmed for use in run.binding_uses):
        out(f"{plural(unconfirmed, 'way')} unconfirmed: the live value was the recorded one each time")


def _way(use: BindingUse) -> tuple[str, str, str, str]:
    return use.producer, use.produced_at, use.consumer, use.consumed_at


async def _found(tape: Path, templates: Sequence[str]) -> tuple[BindingUse, ...]:
    from wiretape_capture.snapshot.tape_reader import TapeReader
    from wiretape_replay.bindings.plan import find_bindings
    from wiretape_replay.bindings.uses import binding_uses
    from wiretape_replay.engine.recording import load_inbound
    from wiretape_replay.routes import RouteTable

    async with await TapeReader.open(tape) as reader:
        inbound = await load_inbound(reader)
    routes = RouteTable.infer(((one.command, one.request.target) for one in inbound), templates)
    names = {one.sequence: routes.route(one.command, one.request.target) for one in inbound}
    return binding_uses(find_bindings(inbound), names.__getitem__)
