"""Tests that share an expensive recording run in one worker."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("groups")
def test_group_of_a_test_reaches_the_scheduler(request: pytest.FixtureRequest) -> None:
    """It reads the group from the test's name; without one, each worker records everything again."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("runs without --dist loadgroup")
    assert request.node.nodeid.endswith("@groups")
