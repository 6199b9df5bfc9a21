"""Ports for servers that begin to listen a moment later."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from wiretape_capture.launch.free_port import CHOICE, free_port


def test_ports_are_free_and_different() -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_no_outgoing_connection_takes_one() -> None:
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not given.exists():
        pytest.skip("this system has no /proc/sys/net/ipv4/ip_local_port_range to compare with")
    first, last = map(int, given.read_text().split())
    if first <= CHOICE.stop:
        pytest.skip(f"this machine gives ports {first} to {last} to outgoing connections, and leaves few")
    assert not {free_port() for _ in range(100)} & set(range(first, last + 1))


def test_a_port_that_somebody_listens_on_is_not_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(range(port, port + 1)) != port
