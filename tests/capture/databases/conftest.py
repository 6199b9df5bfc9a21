"""One private Postgres server for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres_server import MISSING, Server, binaries, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server with SCRAM and TLS."""
    folder = binaries()
    if folder is None:
        pytest.skip(MISSING)
    with running(folder) as server:
        yield server
