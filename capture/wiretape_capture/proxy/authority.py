"""How a host and a port are written as one word."""

from __future__ import annotations


def authority(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_address(host: str) -> bool:
    """Whether a host is an IP address and not a name."""
    return ":" in host or host.replace(".", "").isdigit()
