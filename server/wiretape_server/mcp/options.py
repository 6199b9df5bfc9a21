"""How the MCP server was started: the choices that tool arguments can never widen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

type Transport = Literal["stdio", "http", "sse"]

DEFAULT_PORT = 7070


@dataclass(frozen=True)
class ServeOptions:
    """What the person who starts the server allows."""

    transport: Transport = "stdio"
    directory: Path = field(default_factory=Path.cwd)
    """Where the search for wiretape.toml begins."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 picks a free one; the address is printed to stderr."""
    token: str = ""
    """Bearer token for http and sse; empty: none on loopback, a generated one elsewhere."""
    allow_hosts: tuple[str, ...] = ()
    """Further names that the Host header may carry, for a server that other machines reach."""
    allow_commands: bool = False
    """Whether start_recording and start_mock may start a command given by the agent."""
    idle_seconds: float = 30 * 60
    """How long http and sse keep recordings and mocks without any client; 0: until they are stopped."""
    allow_targets: tuple[str, ...] = ()
    """Hosts beyond loopback that run_replay may send requests to."""
