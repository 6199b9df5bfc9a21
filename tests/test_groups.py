"""Tests that share an expensive recording run in one worker, and what takes longest begins first."""

from __future__ import annotations

from pathlib import Path

import pytest
from longest_first import SECONDS, seconds_of


@pytest.mark.xdist_group("groups")
def test_group_of_a_test_reaches_the_scheduler(request: pytest.FixtureRequest) -> None:
    """It reads the group from the test's name; without one, each worker records everything again."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("runs without --dist loadgroup")
    assert request.node.nodeid.endswith("@groups")


def test_workers_begin_with_what_takes_longest(request: pytest.FixtureRequest) -> None:
    if not hasattr(request.config, "workerinput"):
        pytest.skip("runs without workers")
    order = [seconds_of(item.nodeid) for item in request.session.items]
    assert order == sorted(order, reverse=True)


def test_the_files_that_take_longest_are_there() -> None:
    assert [file for file in SECONDS if not (Path(__file__).parents[1] / file).is_file()] == []
