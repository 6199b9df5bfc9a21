"""Jobs of one project take turns on the app's port."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Event, Notice
from wiretape_capture.launch.port_lock import holder_of, port_held
from wiretape_capture.launch.spec import AppSpec, PortClaim


def claim(folder: Path, holder: str) -> AppSpec:
    lock = PortClaim(file=folder / "app-8000.lock", port=8000, holder=holder)
    return AppSpec(command=("app",), port=8000, claim=lock)


async def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    told: list[Event] = []
    waiting, order = asyncio.Event(), list[str]()

    def tell(event: Event) -> None:
        told.append(event)
        waiting.set()

    async def second() -> None:
        async with port_held(claim(tmp_path, "run b"), tell, asyncio.Event()):
            order.append("b")

    async with port_held(claim(tmp_path, "run a"), told.append, asyncio.Event()):
        task = asyncio.create_task(second())
        async with asyncio.timeout(60):
            await waiting.wait()
        held = holder_of(tmp_path / "app-8000.lock")
        order.append("a")
    async with asyncio.timeout(60):
        await task

    assert (order, held) == (["a", "b"], "run a")
    assert told == [Notice(message="waiting for run a, which has the app on port 8000")]
    assert holder_of(tmp_path / "app-8000.lock") == ""


async def test_a_recording_is_not_waited_for(tmp_path: Path) -> None:
    async with port_held(claim(tmp_path, "recording shop"), lambda _: None, asyncio.Event()):
        with pytest.raises(WiretapeError, match="recording shop has the app on port 8000; end that first"):
            async with port_held(claim(tmp_path, "run b"), lambda _: None, asyncio.Event()):
                pass


async def test_who_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    stop = asyncio.Event()
    stop.set()
    async with port_held(claim(tmp_path, "run a"), lambda _: None, asyncio.Event()):
        with pytest.raises(WiretapeError, match="stopped while waiting for run a"):
            async with port_held(claim(tmp_path, "run b"), lambda _: None, stop):
                pass


async def test_a_holder_that_died_leaves_the_port_free(tmp_path: Path) -> None:
    (tmp_path / "app-8000.lock").write_text('{"holder": "recording shop", "pid": 1}')

    assert holder_of(tmp_path / "app-8000.lock") == ""
    async with port_held(claim(tmp_path, "run b"), lambda _: None, asyncio.Event()):
        assert holder_of(tmp_path / "app-8000.lock") == "run b"
