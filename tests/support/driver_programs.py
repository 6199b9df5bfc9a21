"""Programs that use one driver each, run three times: against the server, through the recorder, against the mock."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from database_kit import Command, exchanges, journal, mocking, recording, run

from wiretape_replay.mock.spec import MockTally

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "replay" / "databases" / "programs"
NODE_MODULES = TESTS / "outside" / "node_modules"


def python(name: str, *words: str) -> Command:
    """A program of this Python."""
    return (sys.executable, str(PROGRAMS / name), *words)


def node(package: str, name: str, *words: str) -> Command:
    """A program of Node.js with a package of npm; skipped where either is not there, unless it has to be."""
    binary = shutil.which("node")
    if binary is None or not (NODE_MODULES / package).is_dir():
        missing = f"needs node and the package {package}: npm install --no-save --ignore-scripts --prefix tests/outside"
        if os.environ.get("WIRETAPE_TEST_OUTSIDE") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return (binary, str(PROGRAMS / name), *words)


def shell(needed: str, package: str, name: str) -> Command:
    """A script for a client of Debian."""
    if shutil.which(needed) is None:
        pytest.skip(f"needs {needed}: install Debian's {package}")
    return ("sh", str(PROGRAMS / name))


def reading(url: str) -> dict[str, str]:
    """What programs read of their environment."""
    return {"DB_URL": url, "NODE_PATH": str(NODE_MODULES)}


async def same_three_ways(
    command: Command, url: str, nowhere: str, folder: Path, environment: Callable[[str], Mapping[str, str]] = reading
) -> MockTally:
    """The mock's tally, once the program printed the same each time; `nowhere` is a server that is not there."""
    direct = await run(command, environment(url))
    async with recording(folder, url) as job:
        recorded = await run(command, environment(job.environment["WIRETAPE_DB_URL"]))
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    async with mocking(folder, nowhere) as mock:
        mocked = await run(command, environment(mock.environment["WIRETAPE_DB_URL"]))
    assert mocked == recorded
    assert mock.result is not None
    assert mock.result.tally.miss == 0
    answered = {each.sequence for each in journal(folder) if each.sequence}
    assert answered <= {each.sequence for each in await exchanges(folder / "tape.tape")}
    return mock.result.tally
