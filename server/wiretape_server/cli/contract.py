"""`wiretape contract`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wiretape_capture.errors import WiretapeError
from wiretape_server.cli.app_flags import ROUTE
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import near, out, out_json, out_table, plural, say

if TYPE_CHECKING:
    from wiretape_replay.contract.view import ContractView, Place, RouteContract
    from wiretape_replay.openapi.ledger import Changes
    from wiretape_server.workspace.workspace import Workspace

DESCRIPTIONS = (".json", ".yaml", ".yml")


@click.command(
    "contract",
    cls=Command,
    short_help="Show what recordings say an app promises",
    example="wiretape contract checkout\n"
    "wiretape contract checkout --openapi openapi.yaml\n"
    "wiretape contract new --against old",
)
@click.argument("snapshots", nargs=-1, metavar="[SNAPSHOT]...")
@click.option("--openapi", metavar="FILE", help="Write OpenAPI 3.1 to FILE, - for stdout")
@click.option("--against", metavar="OTHER", help="Compare with a snapshot or OpenAPI file")
@ROUTE
@json_option
def command(snapshots: tuple[str, ...], openapi: str | None, against: str | None, as_json: bool) -> None:
    """Show what recordings say an app promises: routes, fields, types, and how often each was seen.

    Several snapshots are put together. With --against, what changed since OTHER is listed, and the exit code is 1
    when a change breaks clients. SNAPSHOT and OTHER may be OpenAPI files too.
    """
    if openapi and against:
        raise click.UsageError("give either --openapi or --against", click.get_current_context())
    ws = open_workspace()
    if against:
        _compare(ws, snapshots, against, as_json=as_json)
    elif openapi:
        _write(_description(ws, snapshots, ()), openapi, as_json=as_json)
    else:
        view = _view(ws, snapshots)
        if as_json:
            out_json(view)
        else:
            _tell(view)


def _tapes(ws: Workspace, names: Sequence[str]) -> list[Path]:
    from wiretape_server.store.bringing import snapshot_file

    return [snapshot_file(ws, name, None, say) for name in names or (ws.config.snapshot or None,)]


def _view(ws: Workspace, names: Sequence[str]) -> ContractView:
    from wiretape_replay.contract.read import read_contract
    from wiretape_replay.contract.view import contract_view

    tapes = _tapes(ws, names)
    contract = asyncio.run(read_contract(tapes, ws.config.routes))
    return contract_view(contract, [tape.stem for tape in tapes])


def _description(ws: Workspace, names: Sequence[str], templates: Sequence[str]) -> dict[str, Any]:
    from wiretape_replay.contract.read import read_contract
    from wiretape_replay.openapi.write import openapi

    tapes = _tapes(ws, names)
    contract = asyncio.run(read_contract(tapes, (*ws.config.routes, *templates)))
    return openapi(contract, [tape.stem for tape in tapes])


def _is_description(name: str) -> bool:
    return name.lower().endswith(DESCRIPTIONS)


def _compare(ws: Workspace, names: tuple[str, ...], against: str, *, as_json: bool) -> None:
    from wiretape_replay.openapi.changes import changes
    from wiretape_replay.openapi.document import Description, read_description

    base = read_description(Path(against)) if _is_description(against) else None
    written = [name for name in names if _is_description(name)]
    if written and len(names) > 1:
        raise click.UsageError("one OpenAPI file is compared at a time", click.get_current_context())
    new = read_description(Path(written[0])) if written else None
    templates = [template for each in (base, new) if each for template in _templates(each)]
    base = base or Description(against, "3.1", _description(ws, [against], templates))
    new = new or Description(" ".join(names), "3.1", _description(ws, names, templates))
    found = changes(base, new)
    if as_json:
        out_json(found)
    else:
        _tell_changes(found)
    click.get_current_context().exit(1 if found.breaking else 0)


def _templates(description: Any) -> list[str]:
    """The paths that a route can have: whole segments as parameters."""
    from wiretape_capture.errors import UsageError
    from wiretape_replay.openapi.operations import Operations
    from wiretape_replay.routes import parse_override

    kept = []
    for template in Operations(description).templates():
        try:
            parse_override(template)
        except UsageError:
            continue
        kept.append(template)
    return kept


def _write(tree: dict[str, Any], file: str, *, as_json: bool) -> None:
    from wiretape_replay.openapi.yaml_text import dump_yaml

    if file.lower().endswith((".yaml", ".yml")):
        text = dump_yaml(tree)
    else:
        text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
    data = text.encode("utf-8", "backslashreplace")
    if file == "-":
        sys.stdout.buffer.write(data)
        return
    path = Path(file)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise WiretapeError(f"{file}: {(error.strerror or str(error)).lower()}", "name a file that can be written")\
            from None  # fmt: skip
    paths = len(tree["paths"])
    if as_json:
        out_json({"openapi": str(path), "paths": paths, "left_out": tree.get("x-wiretape-left-out", [])})
    else:
        out(f"wrote {plural(paths, 'path')} to {near(path)}")
        if left_out := tree.get("x-wiretape-left-out"):
            say(f"OpenAPI cannot name {', '.join(left_out)}")


def _tell(view: ContractView) -> None:
    if not view.routes:
        out(f"{', '.join(view.snapshots)} holds no answers to inbound requests")
        return
    out_table(
        ("route", "status", "field", "type", "always", "seen"),
        [row for route in view.routes for row in _rows(route)],
        flexible=("field", "type", "route"),
    )


def _rows(route: RouteContract) -> Iterator[tuple[str, ...]]:
    for kind, places in (("path", route.parameters), ("query", route.query), ("header", route.headers)):
        for place in places:
            yield _row(route.route, "request", f"{kind} {place.pointer}", place)
    for scheme, count in route.authorization.items():
        yield route.route, "request", "authorization", scheme, "", f"{count} of {route.requests}"
    for place in route.body:
        yield _row(route.route, "request", place.pointer or "/", place)
    for answer in route.answers:
        content = " or ".join(answer.content_types) or "no body"
        yield route.route, str(answer.status), "", content, "", f"{answer.count}"
        for place in answer.headers:
            yield _row(route.route, str(answer.status), f"header {place.pointer}", place)
        for place in answer.body:
            yield _row(route.route, str(answer.status), place.pointer or "/", place)


def _row(route: str, status: str, field: str, place: Place) -> tuple[str, ...]:
    return route, status, field, _type(place), "yes" if place.required else "", f"{place.present} of {place.of}"


def _type(place: Place) -> str:
    kinds = " or ".join(kind for kind in place.types if kind != "integer" or "number" not in place.types)
    if len(place.formats) == 1:
        kinds += f" ({next(iter(place.formats))})"
    elif place.values:
        kinds += f" ({', '.join(place.values)})"
    if place.range and place.range[0] != place.range[1]:
        kinds += f" {place.range[0]} to {place.range[1]}"
    return kinds


def _tell_changes(found: Changes) -> None:
    if not found.changes:
        out(f"nothing changed between {found.base} and {found.revision}")
        return
    marks = {"breaking": click.style("✖", fg="red"), "warning": click.style("▲", fg="yellow"), "info": " "}
    for each in found.changes:
        out(f" {marks[each.level]} {each.operation} {each.where}: {each.text}")
        if each.evidence:
            out(f"     {each.evidence}")
    counted = [f"{sum(each.level == level for each in found.changes)} {level}" for level in marks]
    out(f"{', '.join(counted)} since {found.base}")
