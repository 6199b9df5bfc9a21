"""One job of a project at a time starts its app on a port. The lock is a file that the system lets go when a job dies.

It knows who holds a port, and nothing of what a holder does with it.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Emit, Notice
from wiretape_capture.launch.spec import AppSpec, PortClaim

POLL = 0.1
"""Seconds between two looks at a port that is held: flock can wait, but not for a stop as well."""
WAIT_SECONDS = 300.0
"""How long a job waits for a run that has the port."""
ENDS_BY_ITSELF = "run "
"""Beginning of the holders that are worth waiting for; a recording goes on until somebody ends it."""
SOMEBODY = "another job"


@asynccontextmanager
async def port_held(app: AppSpec | None, emit: Emit, stop: asyncio.Event) -> AsyncIterator[None]:
    """Hold the app's port, after waiting for a run that has it; refuse where the holder stays until it is ended."""
    claim = app.claim if app is not None else None
    if claim is None:
        yield
        return
    descriptor = os.open(claim.file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await _wait_for(descriptor, claim, emit, stop)
        _write(descriptor, claim.holder)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder_of(file: Path) -> str:
    """Who holds the port of this lock file, such as `recording checkout`; empty when nobody does."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return ""
    try:
        return "" if _locked(descriptor) else _read(descriptor)
    finally:
        os.close(descriptor)


async def _wait_for(descriptor: int, claim: PortClaim, emit: Emit, stop: asyncio.Event) -> None:
    told = ""
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            while not _locked(descriptor):
                holder = _read(descriptor)
                if stop.is_set():
                    raise WiretapeError(f"stopped while waiting for {holder}", "run it again")
                if not holder.startswith((ENDS_BY_ITSELF, SOMEBODY)):
                    raise _refusal(claim, holder)
                if holder not in (told, SOMEBODY):
                    told = holder
                    emit(Notice(message=f"waiting for {holder}, which has the app on port {claim.port}"))
                await asyncio.sleep(POLL)
            return
    raise _refusal(claim, told or SOMEBODY)


def _refusal(claim: PortClaim, holder: str) -> WiretapeError:
    return WiretapeError(f"{holder} has the app on port {claim.port}", "end that first, or try again later")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(descriptor: int, holder: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"holder": holder, "pid": os.getpid()}).encode(), 0)


def _read(descriptor: int) -> str:
    """The holder; one that has not written its name yet is somebody."""
    try:
        return str(json.loads(os.pread(descriptor, 4096, 0))["holder"])
    except ValueError:
        return SOMEBODY
