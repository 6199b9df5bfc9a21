"""Runs one job process under the terminal: draws its events, passes the app's output on, turns Ctrl-C into its end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Event, Failed, Finished, Notice, Progress, Ready
from wiretape_capture.jobs.parent import Job, failure
from wiretape_server.cli.table import visible
from wiretape_server.cli.terminal import abandon, colourful, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

TAIL_SECONDS = 0.1
TAIL_BYTES = 1 << 20
"""Longest line of the app that is passed on in one piece."""
END_SECONDS = 5.0
"""How long a job may take to leave after its result or its error."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class View:
    """What the user sees of one job."""

    on_ready: Callable[[Ready], None]
    doing: str
    """Shown beside the progress: `recording`."""
    app_output: Path | None = None
    """File whose lines are passed to stderr as they come."""
    told: set[str] = field(default_factory=set)
    """Notices that were shown."""


def run(module: str, spec: BaseModel, view: View, *, log: Path) -> dict[str, Any]:
    """The result of a job run to its end; a failed job raises its error, Ctrl-C twice raises KeyboardInterrupt."""
    return asyncio.run(_run(module, spec, view, log))


async def _run(module: str, spec: BaseModel, view: View, log: Path) -> dict[str, Any]:
    job = await Job.start(module, spec, log=log)
    with Drawing(view.doing) as drawing:
        ending = _Ending(job, drawing.above)
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, ending.ask)
        tail = asyncio.create_task(_tail(view.app_output, drawing.above)) if view.app_output else None
        try:
            return await _follow(job, view, drawing, log)
        finally:
            await job.stop(grace=END_SECONDS)
            if tail is not None:
                tail.cancel()
                with suppress(asyncio.CancelledError):
                    await tail
            if ending.forced:
                raise KeyboardInterrupt


async def _follow(job: Job, view: View, drawing: Drawing, log: Path) -> dict[str, Any]:
    async for event in job.events():
        if isinstance(event, Ready):
            drawing.clear()
            view.on_ready(event)
        elif isinstance(event, Finished):
            return event.result
        elif isinstance(event, Failed):
            raise _with_log(failure(event), log)
        else:
            if isinstance(event, Notice):
                view.told.add(event.message)
            drawing.show(event)
    raise WiretapeError(f"{view.doing} ended without a word", f"see {log}")


def _with_log(error: WiretapeError, log: Path) -> WiretapeError:
    """A job that says "its log" does not know where that is."""
    return type(error)(error.problem, f"{error.hint} ({log})") if " log " in f"{error.hint} " else error


class _Ending:
    """The first Ctrl-C asks the job to finish, the second ends it."""

    def __init__(self, job: Job, tell: Callable[[str], None]) -> None:
        self._job = job
        self._tell = tell
        self._asked = False
        self.forced = False

    def ask(self) -> None:
        if self._asked:
            self.forced = True
            self._job.kill()
            return
        self._asked = True
        self._job.request_stop()
        self._tell("finishing; Ctrl-C again ends at once")


async def _tail(path: Path, write: Callable[[str], None]) -> None:
    """Pass on what is appended to `path`; cancelled, it writes what is left, also a last line without an end."""
    position, rest = 0, b""
    try:
        while True:
            await asyncio.sleep(TAIL_SECONDS)
            position, rest = _pass_on(path, position, rest, write)
    finally:
        position, rest = _pass_on(path, position, rest, write)
        if rest:
            write(rest.decode("utf-8", "replace"))


def _pass_on(path: Path, position: int, rest: bytes, write: Callable[[str], None]) -> tuple[int, bytes]:
    with suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(position)
        while data := file.read(TAIL_BYTES):
            position += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                write(line.decode("utf-8", "replace"))
            if len(rest) > TAIL_BYTES:
                write(rest.decode("utf-8", "replace"))
                rest = b""
    return position, rest


class Drawing:
    """A progress line on a terminal's stderr; elsewhere only notices are written."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._stack = ExitStack()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, event: Event) -> None:
        """Draw progress or a notice."""
        if isinstance(event, Notice):
            self.above(f"note: {visible(event.message)}")
        elif isinstance(event, Progress) and sys.stderr.isatty():
            with _may_be_gone():
                self._draw(event)

    def above(self, line: str) -> None:
        """Write a line without tearing the progress line."""
        if self._bar is None:
            say(line)
        else:
            with _may_be_gone():
                self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def clear(self) -> None:
        """Take the progress line away."""
        self._bar = None
        with _may_be_gone():
            self._stack.close()

    def _draw(self, event: Progress) -> None:
        if self._bar is None:
            self._bar = self._stack.enter_context(_new_bar(with_end=event.total is not None))
            self._task = self._bar.add_task(self._doing, total=event.total, message="")
        assert self._task is not None
        unit = event.unit.removesuffix("s") if (event.total or event.done) == 1 else event.unit
        count = f"{event.done} {unit}" if event.total is None else f"{event.done}/{event.total} {unit}"
        self._bar.update(self._task, completed=event.done, total=event.total,
                         description=f"{self._doing} {count}", message=visible(event.message)[:60])  # fmt: skip


@contextmanager
def _may_be_gone() -> Iterator[None]:
    """The terminal can be closed while a job runs; rich ends the program then, but the job must be heard to its end."""
    try:
        yield
    except (OSError, SystemExit):
        abandon(sys.stderr)


def _new_bar(*, with_end: bool) -> Bar:
    # Rich costs 0.1 s to import and is needed on a terminal only.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True, no_color=not colourful(sys.stderr))
    description, message = (TextColumn(f"{{task.{part}}}", markup=False) for part in ("description", "fields[message]"))
    bar = [BarColumn(bar_width=24)] if with_end else []
    return Progress(SpinnerColumn(), description, *bar, message,
                    console=console, transient=True, refresh_per_second=8)  # fmt: skip
