"""A workspace with one small snapshot, and the real command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter

WIRETAPE = Path(sys.executable).parent / "wiretape"
STARTED = 1_795_000_000_000_000_000
"""2026-11-18 11:06:40 UTC."""

type Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return {**kept, "TZ": "UTC", **extra}


@pytest.fixture
def wiretape(tmp_path: Path) -> Run:
    """Run `wiretape ARGUMENTS` in the test's own directory and wait for its end."""

    def run(*arguments: str, cwd: Path = tmp_path, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [WIRETAPE, *arguments], cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    return run


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
