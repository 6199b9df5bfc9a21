"""A workspace for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from workbench import Bench


@pytest.fixture
def bench(tmp_path: Path, free_port: Callable[[], int]) -> Bench:
    """A fresh workspace."""
    return Bench(tmp_path, free_port)
