"""Where node and the npm packages of this folder are; tests without them skip, or fail where they must be there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_project import SmallProject, recorded_project

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
INSTALL = "npm install --no-save --ignore-scripts --prefix tests/outside"
REQUIRED = "WIRETAPE_TEST_OUTSIDE"
"""Set to 1 where a skip would hide that something was not installed, as CI does."""


@dataclass(frozen=True)
class Node:
    """A node that is new enough, with the packages that it runs."""

    binary: Path

    def run(self, script: str, *words: str, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a script of a package, or one of this folder."""
        path = MODULES / script
        command = [str(self.binary), str(path if path.exists() else HERE / script), *words]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="session")
def node() -> Node:
    """Node with the packages of package-lock.json."""
    found = sorted(MODULES.glob("node-linux-*/bin/node"))
    if found and (MODULES / "@modelcontextprotocol").is_dir():
        return Node(found[0])
    missing = f"the npm packages of tests/outside are not installed: {INSTALL}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def listening(module: str, *flags: str, cwd: Path) -> Iterator[str]:
    """A server on a free port, and its URL."""
    support = str(HERE.parent / "support")
    process = subprocess.Popen(
        [sys.executable, "-m", module, *flags], cwd=cwd, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": support},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "http://" in line, line
        yield line.rpartition(" ")[2].strip()
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def serve() -> Callable[..., object]:
    """Starts a server over HTTP."""
    return listening


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> SmallProject:
    """One recorded app for all tests of a worker."""
    return recorded_project(tmp_path_factory.mktemp("orders"), free_port)
