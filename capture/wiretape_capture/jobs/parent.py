"""Outside of a job: start it, follow its events, stop it. Used by the CLI, the MCP server and jobs themselves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import BaseModel

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.events import EVENT, Event, Failed, Finished, Ready

LINE_LIMIT = 16 * 1024 * 1024
"""Longest event line in bytes; a result is a summary and stays far below it."""


class Job:
    """A running job process. `module` is run with `python -m`; it ends when this process ends."""

    def __init__(self, process: asyncio.subprocess.Process, module: str) -> None:
        self._process = process
        self._module = module

    # -P: the working directory is a user's project, whose `queue.py` must not be imported instead of Python's.
    @classmethod
    async def start(cls, module: str, spec: BaseModel, *, log: Path | None = None,
                    env: Mapping[str, str] | None = None) -> Self:  # fmt: skip
        """Start `python -m module` with `spec`; its stderr goes to `log` or to this process's own."""
        stderr = None if log is None else log.open("ab")
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=stderr, limit=LINE_LIMIT, start_new_session=True, env=None if env is None else dict(env),
            )  # fmt: skip
        finally:
            if stderr is not None:
                stderr.close()
        assert process.stdin is not None
        process.stdin.write(spec.model_dump_json().encode() + b"\n")
        with suppress(ConnectionError):  # a job that died at once is reported by events()
            await process.stdin.drain()
        return cls(process, module)

    @property
    def pid(self) -> int:
        """Process id of the job."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.returncode is None

    async def events(self) -> AsyncIterator[Event]:
        """Every event until the job ends; a job that dies without a last word yields a `Failed`."""
        assert self._process.stdout is not None
        last: Event | None = None
        try:
            async for line in self._process.stdout:
                last = EVENT.validate_json(line)
                yield last
        except ValueError:  # a line that is no event, such as one cut by a kill, or one beyond LINE_LIMIT
            self.kill()
            yield Failed(problem=f"{self._module} wrote an event that cannot be read",
                         hint="its log may say why; run the command again")  # fmt: skip
            return
        code = await self._process.wait()
        if not isinstance(last, Finished | Failed):
            yield Failed(problem=f"{self._module} ended without a result (exit status {code})",
                         hint="its log says why; run the command again")  # fmt: skip

    def tell(self, message: BaseModel) -> None:
        """Send the job a line; a job that is gone hears nothing."""
        assert self._process.stdin is not None
        if self.running and not self._process.stdin.is_closing():
            self._process.stdin.write(message.model_dump_json().encode() + b"\n")

    def request_stop(self) -> None:
        """Ask the job to finish and write its result; `events()` goes on until it has."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(b"stop\n")

    def kill(self) -> None:
        """End the job at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """End the job if it still runs and let go of its pipes; nothing may be reading its events any more."""
        assert self._process.stdin is not None
        if self.running:
            self.kill()
        self._process.stdin.close()
        await self._process.communicate()

    async def stop(self, grace: float = 10.0) -> Finished | None:
        """Ask to finish, drain events for up to `grace` seconds, then kill. Returns the result if there was one."""
        self.request_stop()
        result: Finished | None = None
        try:
            async with asyncio.timeout(grace):
                async for event in self.events():
                    if isinstance(event, Finished):
                        result = event
        except TimeoutError:
            self.kill()
            await self._process.wait()
        return result

    async def ready(self) -> Ready:
        """Wait for the job's `Ready`; raises the job's own error if it fails first."""
        async for event in self.events():
            if isinstance(event, Ready):
                return event
            if isinstance(event, Failed):
                raise failure(event)
        raise WiretapeError(f"{self._module} ended before it was ready", "its log says why")


def failure(event: Failed) -> WiretapeError:
    """The error that a `Failed` event stands for, with its exit code."""
    return (UsageError if event.exit_code == UsageError.exit_code else WiretapeError)(event.problem, event.hint)
