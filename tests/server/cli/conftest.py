"""A workspace with one small snapshot, and the real command line in a process of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_server.cli.main import run

WIRETAPE = Path(sys.executable).parent / "wiretape"
STARTED = 1_795_000_000_000_000_000
"""2026-11-18 11:06:40 UTC."""

type Run = Callable[..., subprocess.CompletedProcess[str]]

BOUND = 120.0
"""Seconds for one step: far more than it takes, for a machine that is busy with other things."""


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return {**kept, "TZ": "UTC", **extra}


@pytest.fixture
def wiretape(tmp_path: Path) -> Run:
    """Run `wiretape ARGUMENTS` in the test's own directory and wait for its end."""

    def call(*arguments: str, cwd: Path = tmp_path, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [WIRETAPE, *arguments], cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=BOUND,
            check=False,
        )  # fmt: skip

    return call


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The same without a process of its own: for many short calls."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        code = run(arguments)
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, out, err)

    return call


class Terminal:
    """One `wiretape` on a pseudo-terminal of 80 columns."""

    def __init__(self, arguments: tuple[str, ...], cwd: Path, extra: dict[str, str]) -> None:
        self._screen, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [WIRETAPE, *arguments], cwd=cwd, env=environment(TERM="xterm", **extra), stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.output = ""

    def wait_for(self, text: str, seconds: float = BOUND) -> None:
        """Read until `text` has been shown."""
        end = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < end, f"{text!r} was never shown:\n{self.output}"
            assert self._read(), f"it ended without showing {text!r}:\n{self.output}"

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self._screen, b"\x03")

    def finish(self) -> int:
        """Read all there is and give the exit code."""
        while self._read():
            pass
        return self.process.wait(BOUND)

    @property
    def lines(self) -> list[str]:
        """What was shown, without control sequences; a line that was drawn again counts once for each time."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.output)
        return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._screen], [], [], BOUND)
        assert ready, f"nothing was shown for {BOUND:.0f} s:\n{self.output}"
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.output += data.decode()
        return bool(data)

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._screen)
        self._screen = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(BOUND)
        if self._screen >= 0:
            os.close(self._screen)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start `wiretape ARGUMENTS` on a terminal."""
    opened: list[Terminal] = []

    def start(*arguments: str, **extra: str) -> Terminal:
        opened.append(Terminal(arguments, tmp_path, extra))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def exchange(sequence: int, direction: Direction, command: str, location: str, status: int, body: bytes) -> Exchange:
    json = (("Content-Type", "application/json"),)
    return Exchange(
        sequence=sequence,
        direction=direction,
        service="127.0.0.1:8000" if direction is Direction.INBOUND else "payments:443",
        command=command,
        location=location,
        status=str(status),
        started_ns=STARTED + sequence * 1_000_000_000,
        duration_us=1500 * sequence,
        request=Request(method=command, target=location, headers=(("Host", "shop"),)),
        response=Response(status=status, reason="OK", headers=json, body=body_of(body)),
    )


EXCHANGES = (
    exchange(1, Direction.INBOUND, "GET", "/orders/1", 200, b'{"id":1,"price":1.10,"note":"\\u001b[31m"}'),
    exchange(2, Direction.OUTBOUND, "POST", "/charge?amount=110", 502, b'{"error":"declined"}'),
    exchange(3, Direction.INBOUND, "GET", "/search?q=" + "long" * 30, 200, b"[]"),
)


@pytest.fixture
async def checkout(tmp_path: Path) -> Path:
    """The snapshot `checkout` in the workspace of the test's directory."""
    folder = tmp_path / ".wiretape" / "snapshots"
    folder.mkdir(parents=True, mode=0o700)
    tape = folder / "checkout.tape"
    async with await TapeWriter.create(tape, name="checkout", created_ns=STARTED) as writer:
        for each in EXCHANGES:
            writer.put(each)
    return tape
