"""Fixtures every wing's tests share."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from postgres_server import MISSING, Server, binaries, running

# What a busy machine takes to draw an example says nothing about the code.
settings.register_profile("wiretape", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wiretape")


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that gives a loopback port nobody listened on a moment ago."""

    def pick() -> int:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
            return port

    return pick


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A private Postgres server with SCRAM and TLS. Tests that use it belong to the group `postgres`."""
    folder = binaries()
    if folder is None:
        pytest.skip(MISSING)
    with running(folder) as server:
        yield server
