"""What it takes to start an app and to reach its services: plain values that travel to jobs as JSON."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class _Spec(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class PortClaim(_Spec):
    """The one job of a project that may have its app on a port."""

    file: Path
    """Lock file, shared by all jobs that start the app there."""
    port: int
    holder: str
    """Who claims it, told to those that wait: `run 20261123-170427`, `recording checkout`, `mock mock-1`."""


class AppSpec(_Spec):
    """The app under test: how it starts and how it shows that it is ready."""

    command: tuple[str, ...]
    """argv; never passed through a shell."""
    cwd: Path | None = None
    env: dict[str, str] = Field(default_factory=dict)
    port: int | None = None
    """Where the app listens on loopback; None for an app without an inbound side."""
    ready: str = ""
    """Path that answers below 500 when the app is ready, such as `/health`; empty: the port accepts connections."""
    ready_timeout: float = 30.0
    """Seconds."""
    claim: PortClaim | None = None
    """Held by the job that starts the app, from before the start until after the end."""
    log: Path | None = None
    """Where the app's stdout and stderr go; None: this process's own stderr."""


class ServiceMap(_Spec):
    """One `--map NAME=URL[@PORT]`: a listener of ours that stands for one service."""

    name: str
    scheme: str
    """`http`, `https`, a database's protocol such as `postgres`, or `tcp`."""
    host: str
    """For a database also the directory of its Unix socket."""
    port: int
    url: str = Field(default="", repr=False)
    """For a database: the URL that names it, with its login. Only who connects to it reads this."""
    found_in: str = ""
    """The variable of the app that names the service; empty where the user does, by `--map`."""
    listen: int = 0
    """Local port; 0 picks a free one, told in the `Ready` event as endpoint `map:NAME`."""
