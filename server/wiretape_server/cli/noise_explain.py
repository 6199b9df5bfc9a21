"""`wiretape noise explain`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel

from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.engine.spec import NoiseRule
from wiretape_replay.verdict.model import Finding, Part, Suppressed
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wiretape_replay.verdict.model import Run
    from wiretape_server.workspace.workspace import Workspace


class Explanation(BaseModel):
    """Everything that is known of one place."""

    route: str
    pointer: str
    run: str = ""
    declared: tuple[NoiseRule, ...] = ()
    """Rules of wiretape.toml."""
    rules: tuple[LearnedRule, ...] = ()
    """Rules of wiretape-noise.toml."""
    observed: tuple[LearnedRule, ...] = ()
    """What varied in the baseline replays of the run."""
    suppressed: tuple[Suppressed, ...] = ()
    """What the run took as noise there."""
    findings: tuple[Finding, ...] = ()


@click.command(
    "explain",
    cls=Command,
    short_help="Tell what is known of a place and why",
    example='wiretape noise explain "GET /orders/{id}" /items/*/at\nwiretape noise explain F-1a2b3c4d',
)
@click.argument("route", metavar="ROUTE|FINDING")
@click.argument("pointer", required=False)
@click.option("--run", metavar="RUN", help="Run to look at (default: newest)")
@json_option
def command(route: str, pointer: str | None, run: str | None, as_json: bool) -> None:
    """Tell what is known of a place and why: rules, what unchanged code showed, what a run suppressed or found."""
    from wiretape_server.workspace.noise_file import FILE_NAME, read_rules

    ws = open_workspace()
    if pointer is None:
        looked: Run | None = _run(ws, run)
        assert looked is not None
        route, pointer = _place(looked, route)
    else:
        looked = _run(ws, run) if run or any(ws.runs_dir.glob("*.run")) else None
    explanation = explain(route, pointer, ws.config.noise, read_rules(ws.root / FILE_NAME), looked)
    if as_json:
        out_json(explanation)
        return
    for line in explanation_lines(explanation):
        out(line)


def explain(route: str, pointer: str, declared: Sequence[NoiseRule], rules: Sequence[LearnedRule],
            run: Run | None) -> Explanation:  # fmt: skip
    """Everything that speaks of a place; the items of an array speak of the array too."""
    places = {pointer, pointer.removesuffix("/*")}
    mine = [rule for rule in rules if rule.route == route and rule.pointer in places]
    said = [rule for rule in declared if rule.route in ("*", route) and rule.pointer in places]
    if run is None:
        return Explanation(route=route, pointer=pointer, declared=tuple(said), rules=tuple(mine))
    return Explanation(
        route=route, pointer=pointer, run=run.id, declared=tuple(said), rules=tuple(mine),
        observed=tuple(rule for rule in run.noise if rule.route == route and rule.pointer in places),
        suppressed=tuple(one for one in run.suppressed if one.route == route and _pointer(one) in places),
        findings=tuple(one for one in run.verdict.findings if one.route == route and _pointer(one) in places),
    )  # fmt: skip


def explanation_lines(told: Explanation) -> Iterator[str]:
    """The same as text."""
    from wiretape_replay.compare.messages import said
    from wiretape_replay.report.printable import plural, printable

    yield printable(f"{told.route}  {told.pointer}")
    for declared in told.declared:
        why = f": {declared.reason}" if declared.reason else ""
        yield printable(f"  declared in wiretape.toml for {declared.route}{why}")
    for rule in told.rules:
        yield printable(f"  rule {rule.id} ({rule.kind}): {rule.said}{f', {rule.date}' if rule.date else ''}"
                        f"{f', commit {rule.commit}' if rule.commit else ''}")  # fmt: skip
    if told.run:
        yield f"  in run {told.run}:"
    for seen in told.observed:
        yield printable(f"    on unchanged code ({seen.kind}): {seen.said}; shape {_bounds(seen)}")
    for one in told.suppressed:
        yield printable(f"    suppressed {plural(one.count, 'difference')}: {one.reason}, such as "
                        f"{said(one.example_expected)} and {said(one.example_actual)}")  # fmt: skip
    for finding in told.findings:
        yield printable(f"    {finding.id} ({finding.kind}): {finding.message}")
        yield printable(f"      evidence: {finding.evidence}")
    if not (told.declared or told.rules or told.observed or told.suppressed or told.findings):
        yield "  nothing is known of this place: it never differed, or route and pointer are not exactly those of a run"


def _bounds(rule: LearnedRule) -> str:
    shape = rule.shape.model_dump(exclude_defaults=True, mode="json")
    return ", ".join(f"{name} {value}" for name, value in shape.items()) or "unknown"


def _pointer(one: Suppressed | Finding) -> str:
    return f"header:{one.pointer}" if one.part is Part.HEADER else one.pointer


def _place(run: Run, finding: str) -> tuple[str, str]:
    from wiretape_server.cli.diff import find_finding

    found = find_finding(run, finding)
    return found.route, _pointer(found)


def _run(ws: Workspace, run: str | None) -> Run:
    from wiretape_replay.run_file import RunReader, find_run

    async def read() -> Run:
        async with await RunReader.open(find_run(ws.runs_dir, run)) as reader:
            return await reader.run()

    return asyncio.run(read())
