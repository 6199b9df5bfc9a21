"""Tells how far a run is: at most twice a second, and at least every ten seconds while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from wiretape_capture.jobs.events import Emit, Progress

PERIOD = 0.5
SILENCE_LIMIT = 10.0


@dataclass(slots=True)
class Stage:
    """What the run does now and how far it is."""

    doing: str
    total: int | None = None
    done: Callable[[], int] = lambda: 0

    def told(self) -> Progress:
        """The event that says so."""
        return Progress(done=self.done(), total=self.total, unit="exchanges", message=self.doing)


@asynccontextmanager
async def telling(stage: Stage, emit: Emit) -> AsyncIterator[None]:
    """Emit the stage while the body runs, and its last state at the end."""
    teller = asyncio.create_task(_tell(stage, emit))
    try:
        yield
    finally:
        teller.cancel()
        with suppress(asyncio.CancelledError):
            await teller
        emit(stage.told())


async def _tell(stage: Stage, emit: Emit) -> None:
    last, silent = None, 0.0
    while True:
        told = stage.told()
        if told != last or silent >= SILENCE_LIMIT:
            emit(told)
            last, silent = told, 0.0
        await asyncio.sleep(PERIOD)
        silent += PERIOD
