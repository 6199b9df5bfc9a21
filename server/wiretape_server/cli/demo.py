"""`wiretape demo`: tells the story of `wiretape_server.demo` on a terminal."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from wiretape_server.cli.command import Command, json_option
from wiretape_server.cli.run_replay import coloured
from wiretape_server.cli.terminal import ms, out, out_json, out_table, say
from wiretape_server.demo.story import Story, tell

NEXT_STEPS = """\
Look around in what the demo left behind:
  cd {folder}
  {wiretape} snapshots
  {wiretape} show shop --direction outbound
  {wiretape} runs
  {wiretape} diff
  {wiretape} verify            # fails until shop.py is mended

On your own app:
  {wiretape} record --app-port 8000 -- python app.py
  {wiretape} init              # writes wiretape.toml
  {wiretape} verify            # after every edit
  {wiretape} mcp               # the same loop for your coding agent
"""


@click.command(
    "demo", cls=Command, short_help="Show the whole loop on a small real shop", example="wiretape demo --keep ./demo"
)
@click.option("--keep", "folder", type=click.Path(path_type=Path, file_okay=False), help="Folder to play in")
@json_option
def command(folder: Path | None, as_json: bool) -> None:
    """Show the whole loop on a small real shop.

    Starts a shop with one service behind HTTP and one behind HTTPS, records two customers, stops the services,
    replays against the unchanged shop, plants three regressions, and replays again. Everything happens on loopback.
    """
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty: name a new folder", click.get_current_context())
    folder = (folder or Path(tempfile.mkdtemp(prefix="wiretape-demo-"))).resolve()
    began = time.monotonic()
    story = asyncio.run(tell(folder, lambda step: say(f"  {time.monotonic() - began:5.1f} s  {step}")))
    if as_json:
        out_json(_document(story))
    else:
        _show(story, time.monotonic() - began)
    click.get_current_context().exit(0 if story.as_told else 1)


def _document(story: Story) -> dict[str, object]:
    return {
        "folder": str(story.folder),
        "as_told": story.as_told,
        "recording": story.recording.model_dump(mode="json"),
        "unchanged": story.unchanged.model_dump(mode="json"),
        "edit": story.edit,
        "edited": story.edited.model_dump(mode="json"),
    }


def _show(story: Story, seconds: float) -> None:
    from wiretape_replay.report.terminal import count_lines, finding_lines, mock_lines, noise_lines, verdict_lines

    _title("Recorded")
    rows = [
        (row.direction, row.service, row.command, str(row.count), str(row.errors), ms(row.p50_ms), ms(row.p95_ms))
        for row in story.recording.summary
    ]
    headers = ("direction", "service", "command", "count", "errors", "p50 ms", "p95 ms")
    out_table(headers, rows, flexible="service", right=headers[3:])
    _title("Unchanged shop, services stopped and mocked")
    _lines(count_lines(story.unchanged), noise_lines(story.unchanged), mock_lines(story.unchanged))
    _lines(verdict_lines(story.unchanged))
    _title("The edit")
    _lines([line for line in story.edit if not line.startswith("@@")])
    _title("Edited shop")
    _lines(finding_lines(story.edited, limit=12), count_lines(story.edited), verdict_lines(story.edited))
    _title(f"Done in {seconds:.0f} s" if story.as_told else "This is not what the demo should show: please report it")
    out(next_steps(story.folder, shutil.which("wiretape"), Path(sys.argv[0])))


def next_steps(folder: Path, found: str | None, ran: Path) -> str:
    """What to type next: the plain name where the shell finds it, else the path that was run just now."""
    command = "wiretape" if found else shlex.quote(str(ran.absolute()))
    return NEXT_STEPS.format(folder=shlex.quote(str(folder)), wiretape=command).rstrip()


def _title(text: str) -> None:
    out()
    out(click.style(text, bold=True))


def _lines(*groups: list[str]) -> None:
    for line in (line for group in groups for line in group):
        out(coloured(line))
