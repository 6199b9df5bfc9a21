"""The app as a running process: started in its own group, waited for until it answers, and ended as a whole.

Nothing of an app survives wiretape: not its children, and not when wiretape itself is killed.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch import ports
from wiretape_capture.launch.command import find_program, start_failure
from wiretape_capture.launch.leash import Leash, die_with_parent
from wiretape_capture.launch.readiness import LOOPBACKS, READY_BELOW, loopback_of, status_of
from wiretape_capture.launch.spec import AppSpec

TAIL_LINES = 12
"""Last lines of the app's output that an error repeats."""

_STYLES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colours and cursor movements (ECMA-48 §5.4), as development servers write them."""

TAIL_BYTES = 16 * 1024
POLL = 0.05
"""Seconds between two looks at an app that is not ready, or not gone, yet."""

KILL_WAIT = 2.0
"""Seconds until a group is given up after SIGKILL: only uninterruptible I/O lasts that long."""


class App:
    """One running app."""

    def __init__(self, spec: AppSpec, process: asyncio.subprocess.Process, leash: Leash) -> None:
        self.spec = spec
        self.host = LOOPBACKS[0]
        """Loopback address on which the app answered; known after `wait_ready`."""
        self._process = process
        self._leash: Leash | None = leash
        self._tail: deque[bytes] = deque(maxlen=TAIL_LINES)
        self._copy = asyncio.create_task(self._copy_output()) if process.stdout is not None else None

    @classmethod
    async def start(cls, spec: AppSpec, extra_env: Mapping[str, str]) -> Self:
        """Start the app with this process's environment, `spec.env` and `extra_env`, later ones winning."""
        environ = {**os.environ, **spec.env, **extra_env}
        cwd = (spec.cwd or Path.cwd()).absolute()
        program = find_program(spec.command, cwd, environ)
        if spec.port is not None and await loopback_of(spec.port) is not None:
            raise _port_taken(spec.port)
        process = await _spawn(spec, program, cwd, environ)
        return cls(spec, process, Leash.tie(process.pid))

    @property
    def pid(self) -> int:
        """Process id of the app, which is its process group too."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process that was started has not ended yet."""
        return self._process.returncode is None

    async def wait_ready(self, port: int | None = None) -> None:
        """Return when the app answers on `port` (its spec's by default); at once if it has none."""
        port = self.spec.port if port is None else port
        if port is None:
            return
        ended = asyncio.create_task(self._process.wait())
        answers = asyncio.create_task(self._answers(port))
        try:
            await asyncio.wait({ended, answers}, timeout=self.spec.ready_timeout, return_when=asyncio.FIRST_COMPLETED)
            if answers.done():
                self.host = answers.result()
            elif ended.done():
                raise await self._ended_early()
            else:
                raise self._not_ready(port)
        finally:
            ended.cancel()
            answers.cancel()
            await asyncio.gather(ended, answers, return_exceptions=True)

    async def wait(self) -> int:
        """Exit status of the app; negative for a signal, as in `subprocess`."""
        return await self._process.wait()

    async def stop(self, grace: float = 5.0) -> None:
        """End the app and its children: SIGTERM to the group, SIGKILL to what is left after `grace` seconds."""
        if self._leash is None:
            return
        leash, self._leash = self._leash, None
        try:
            if not await self._group_ended(signal.SIGTERM, grace):
                await self._group_ended(signal.SIGKILL, KILL_WAIT)
        finally:
            leash.release()
            await self._finish_output()

    def last_output(self) -> list[str]:
        """The last lines that the app wrote."""
        lines = _file_tail(self.spec.log) if self.spec.log is not None else b"".join(self._tail)
        return _STYLES.sub("", lines.decode(errors="replace")).splitlines()[-TAIL_LINES:]

    async def _group_ended(self, number: signal.Signals, seconds: float) -> bool:
        """Send a signal to the group; whether nothing of it was left within `seconds`."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # The kernel tells nobody when a group becomes empty.
                while self.running or ports.group_members(self.pid):  # noqa: ASYNC110
                    await asyncio.sleep(POLL)
                return True
        return False

    async def _answers(self, port: int) -> str:
        """Loopback address on which the app is ready."""
        while True:
            host = await loopback_of(port)
            if host is not None:
                status = await status_of(host, port, self.spec.ready) if self.spec.ready else 0
                if status is not None and status < READY_BELOW:
                    return host
            await asyncio.sleep(POLL)

    async def _ended_early(self) -> WiretapeError:
        await self._finish_output()
        code = self._process.returncode
        assert code is not None
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"exited with status {code}"
        return WiretapeError(f"the app {how} before it was ready", self._what_it_said())

    def _not_ready(self, port: int) -> WiretapeError:
        seconds = f"{self.spec.ready_timeout:g} s"
        others = ports.ports_of_group(self.pid)
        if port in others:
            what = f"did not answer GET {self.spec.ready} below {READY_BELOW}" if self.spec.ready else "accepted nobody"
            return WiretapeError(f"the app listens on port {port} but {what} within {seconds}", self._what_it_said())
        if others:
            listed = " and ".join(map(str, others))
            return WiretapeError(f"the app did not open port {port} within {seconds}",
                                 f"it listens on {listed}: correct --app-port")  # fmt: skip
        return WiretapeError(f"the app did not open port {port} within {seconds}",
                             f"correct --app-port or raise --ready-timeout; {self._what_it_said()}")  # fmt: skip

    def _what_it_said(self) -> str:
        lines = self.last_output()
        if not lines:
            return "it wrote nothing"
        return "its last output was:\n" + "\n".join(f"    {line}" for line in lines)

    async def _copy_output(self) -> None:
        """Repeat the app's output on our stderr and remember its end."""
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(64 * 1024):
            self._tail.extend(chunk[-TAIL_BYTES:].splitlines(keepends=True))
            with suppress(OSError):  # whoever read our stderr is gone; the app must not notice
                os.write(2, chunk)

    async def _finish_output(self) -> None:
        """Wait shortly for the rest of the output: a child outside the group may hold the pipe open for ever."""
        if self._copy is None:
            return
        await asyncio.wait({self._copy}, timeout=0.5)
        self._copy.cancel()
        with suppress(asyncio.CancelledError):
            await self._copy


async def _spawn(spec: AppSpec, program: Path, cwd: Path, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    log = None if spec.log is None else _open_log(spec.log)
    output = asyncio.subprocess.PIPE if log is None else log
    try:
        return await asyncio.create_subprocess_exec(
            spec.command[0], *spec.command[1:], executable=str(program), cwd=cwd, env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip
    except OSError as error:
        raise start_failure(error, program) from error
    finally:
        if log is not None:
            os.close(log)


def _open_log(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise WiretapeError(f"cannot write the app's log {path}: {error.strerror}",
                            "choose another file or make it writable") from error  # fmt: skip


def _file_tail(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        return file.read()


def _port_taken(port: int) -> WiretapeError:
    owner = ports.owner(port)
    by = f" by process {owner.pid} ({owner.command[:80]})" if owner else ""
    return WiretapeError(f"port {port} is already in use{by}", "stop it, or let the app listen elsewhere")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no name
        return f"signal {number}"
