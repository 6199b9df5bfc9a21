"""The inside of a job: one process that reads its spec from stdin, speaks events on stdout and stops with its parent.

The first line of stdin is the spec as JSON; a later line `stop`, or the end of stdin because the parent is gone,
asks the job to finish, and any other line is for the job itself. File descriptor 1 is moved away before anything else
can print to it.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import BinaryIO

import uvloop
from pydantic import BaseModel

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Emit, Event, Failed, Finished, Started

type JobMain[S: BaseModel] = Callable[[S, Emit, asyncio.Event], Awaitable[BaseModel]]
"""A job's body: its spec, where to send events, and the event that is set when it should finish."""


_hearers: list[Callable[[bytes], None]] = []


def hear_lines(hearer: Callable[[bytes], None]) -> Callable[[], None]:
    """Have later lines of stdin given to `hearer`, in the job's event loop; the result ends that."""
    _hearers.append(hearer)
    return lambda: _hearers.remove(hearer)


def run_job[S: BaseModel](name: str, spec_type: type[S], main: JobMain[S]) -> int:
    """Run one job to its end and return the process's exit code (design §8)."""
    emit = _emitter(_claim_stdout())
    emit(Started(job=name, pid=os.getpid()))
    try:
        spec = spec_type.model_validate_json(_line_of_stdin())
        result = uvloop.run(_supervise(spec, main, emit))
    except WiretapeError as error:
        emit(Failed(problem=error.problem, hint=error.hint, exit_code=error.exit_code))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a job's outermost boundary: the parent must hear of every end
        traceback.print_exc()
        emit(Failed(problem=f"{name} failed unexpectedly: {type(error).__name__}: {error}",
                    hint="this is a bug in wiretape; the job's log holds the traceback"))  # fmt: skip
        return 3
    emit(Finished(result=result.model_dump(mode="json")))
    return 0


def _claim_stdout() -> BinaryIO:
    """Keep the real stdout for events and point descriptor 1 at stderr, so that no library can corrupt the stream."""
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return events


def _emitter(out: BinaryIO) -> Emit:
    lock = threading.Lock()

    def emit(event: Event) -> None:
        line = event.model_dump_json().encode() + b"\n"
        # The parent may be gone already; the end of stdin stops the job.
        with lock, suppress(BrokenPipeError):
            _write_all(out, line)

    return emit


def _write_all(out: BinaryIO, data: bytes) -> None:
    """One write may take only a part: a pipe holds 64 KiB, and uvloop's transports leave it non-blocking."""
    rest = memoryview(data)
    while rest:
        taken = out.write(rest)
        if taken is None:
            select.select([], [out], [])
        else:
            rest = rest[taken:]


def _line_of_stdin() -> bytes:
    """The next line, empty at the end. Unbuffered: a thread inside `sys.stdin` makes the interpreter abort at exit."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


async def _supervise[S: BaseModel](spec: S, main: JobMain[S], emit: Emit) -> BaseModel:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=_watch_parent, args=(loop, stop), daemon=True).start()
    return await main(spec, emit, stop)


def _tell(line: bytes) -> None:
    for hearer in tuple(_hearers):
        hearer(line)


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while line := _line_of_stdin():
        if line.strip() == b"stop":
            break
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, line)
    with suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)
