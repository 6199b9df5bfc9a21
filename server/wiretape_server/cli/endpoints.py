"""Where a running job listens, told so that a person knows what to do next; and the files that a job leaves."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wiretape_capture.jobs.events import Ready
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_server.cli.table import pad
from wiretape_server.cli.terminal import near, say
from wiretape_server.workspace.workspace import Workspace


@dataclass(frozen=True)
class JobFiles:
    """What one job writes beside its result."""

    job: Path
    """The job's own log."""
    app: Path
    """The app's output, unless a key names another file."""
    environment: Path
    """Variables for an app that is started by hand."""
    journal: Path


def job_files(ws: Workspace, kind: str, now: datetime) -> JobFiles:
    """Fresh file names for one job of `kind`."""
    stem, folder = ws.new_job_name(kind, now), ws.jobs_dir
    return JobFiles(folder / f"{stem}.log", folder / f"{stem}.app.log", folder / f"{stem}.env",
                    folder / f"{stem}.journal")  # fmt: skip


def tell_recording(ready: Ready, spec: RecordSpec, files: JobFiles) -> None:
    """What to send where while recording."""
    say(f"recording {spec.name}")
    rows = []
    if "inbound" in ready.endpoints:
        app = f"http://127.0.0.1:{spec.app_port}"
        rows.append(("send requests to", ready.endpoints["inbound"], f"instead of {app}"))
    _say_rows([*rows, *_outbound_rows(ready.endpoints, spec.maps, "records what the app sends")])
    _say_environment(ready, spec.app, files)
    say("Ctrl-C ends the recording")


def tell_mock(ready: Ready, spec: MockSpec, files: JobFiles) -> None:
    """What to send where while the mock answers."""
    say(f"mocking {spec.tape.stem}")
    _say_rows(_outbound_rows(ready.endpoints, spec.maps, "answers what the app sends"))
    _say_environment(ready, spec.app, files)
    say("Ctrl-C ends the mock")


def _outbound_rows(endpoints: Mapping[str, str], maps: tuple[ServiceMap, ...], does: str) -> list[tuple[str, str, str]]:
    proxy = [("outbound proxy", endpoints["proxy"], does)] if "proxy" in endpoints else []
    return proxy + [
        (each.name, endpoints[f"map:{each.name}"], f"stands for {each.scheme}://{each.host}:{each.port}")
        for each in maps
        if f"map:{each.name}" in endpoints
    ]


def _say_rows(rows: list[tuple[str, str, str]]) -> None:
    """Two lines for each endpoint: what to use is never cut or wrapped."""
    first = max((len(name) for name, _, _ in rows), default=0)
    second = max((len(url) for _, url, _ in rows), default=0)
    for name, url, meaning in rows:
        say(f"  {pad(name, first)}  {pad(url, second)}  {meaning}")


def _say_environment(ready: Ready, app: AppSpec | None, files: JobFiles) -> None:
    if app is not None or not ready.environment:
        return
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(ready.environment.items())]
    files.environment.write_text("\n".join(lines) + "\n", encoding="utf-8")
    say(f"start the app in a shell with these variables: . {shlex.quote(near(files.environment))}")
