"""What a recording needs to know and what it reports: plain values that travel to and from the record job."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from wiretape_capture.launch.spec import AppSpec, ServiceMap

type Engine = Literal["tee", "mitmproxy"]
"""What carries HTTP/1.1: the tee, which gives everything else to mitmproxy, or mitmproxy alone."""
type Overflow = Literal["wait", "drop"]
"""What happens when the tape cannot be written fast enough: traffic waits, or exchanges are dropped and counted."""


class RecordSpec(BaseModel):
    """One recording. Run by `python -m wiretape_capture.record`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    tape: Path
    name: str
    ca_dir: Path
    app: AppSpec | None = None
    app_port: int | None = None
    """Where the app listens; None records outbound traffic only."""
    listen: int = 0
    """Port of the inbound reverse listener; 0 picks a free one."""
    listen_from: int = 0
    """With `listen` 0: the first free port from here on, which people can remember; 0 picks any."""
    proxy_port: int = 0
    """Port of the outbound forward proxy (HTTP and SOCKS5); 0 picks a free one."""
    proxy_from: int = 0
    """As `listen_from`, for the proxy."""
    maps: tuple[ServiceMap, ...] = ()
    engine: Engine = "tee"
    overflow: Overflow = "wait"


class CommandStats(BaseModel):
    """One row of the summary: the exchanges of one command on one service."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    direction: str
    service: str
    command: str
    count: int
    errors: int
    """Responses of 500 and above, errors of databases and exchanges without a response."""
    p50_ms: float
    p95_ms: float
    """Nearest-rank percentiles of the durations."""


class RecordResult(BaseModel):
    """How a recording ended."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    name: str
    tape: Path | None
    """None when nothing was recorded, for an empty tape is not kept."""
    exchanges: int
    inbound: int
    outbound: int
    sha256: str
    summary: tuple[CommandStats, ...]
    notes: tuple[str, ...]
    """What could not be recorded, counted and named."""
    app_exit: int | None = None
    """Exit status of the app when it ended by itself; None when wiretape stopped it or did not start it."""
