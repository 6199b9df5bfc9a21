"""What a load needs to know: a replay's spec and how its sessions arrive. Plain values that travel to the load job."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from wiretape_replay.engine.spec import ReplaySpec

type Arrivals = Literal["recorded", "poisson", "constant", "closed"]
type Connections = Literal["pool", "session"]
type Compare = Literal["full", "bytes"]

LARGEST_SCALE = 100_000.0
LARGEST_RATE = 1_000_000.0
LARGEST_SPEED = 1_000_000.0
LONGEST_SECONDS = 7 * 24 * 3600.0
MOST_WORKERS = 64


class Stage(BaseModel):
    """A stretch of time at whose end the scale has become `scale`, on a straight line."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    seconds: float = Field(ge=0, le=LONGEST_SECONDS)
    scale: float = Field(ge=0, le=LARGEST_SCALE)


class LoadSpec(BaseModel):
    """One load run. Run by `python -m wiretape_replay.load`; its result is a `Run`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    replay: ReplaySpec
    """What is sent, where to and how it is judged; timing, concurrency and mocks of a replay are not used."""
    arrivals: Arrivals = "recorded"
    rate: float | None = Field(default=None, gt=0, le=LARGEST_RATE)
    """Sessions a second for `poisson` and `constant`, sessions at once for `closed`."""
    scale: float = Field(default=1.0, gt=0, le=LARGEST_SCALE)
    """How many clones of each session, or how many times `rate`."""
    speed: float = Field(default=1.0, gt=0, le=LARGEST_SPEED)
    """What recorded times are divided by: those between sessions and those inside of them."""
    stages: tuple[Stage, ...] = ()
    """The scale over time; empty: `scale` throughout."""
    seconds: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)
    """How long sessions arrive, the recording being repeated; None: as long as it is."""
    warmup: float = Field(default=0.0, ge=0, le=LONGEST_SECONDS)
    """Seconds at the beginning whose requests stay out of the response times."""
    workers: int | None = Field(default=None, ge=1, le=MOST_WORKERS)
    """Processes; None: one for each core that this process may use, but one, or for each worker of the cluster."""
    cluster: str = ""
    """`dask://HOST:PORT` of the scheduler whose workers send; empty: processes of this machine do."""
    connections: Connections = "pool"
    compare: Compare = "full"
    max_lag_ms: float = Field(default=10.0, gt=0)
    """p99 of the schedule lag above which nothing is said of response times."""
    allow_writes: tuple[str, ...] = ()
    """Hosts beyond loopback that requests which write may be sent to."""


class WorkerSpec(BaseModel):
    """One worker's share of a load. Run by `python -m wiretape_replay.load.worker`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    load: LoadSpec
    scenario: Path
    """The pickled `Scenario`, in a folder of the job's own."""
    findings: Path
    """Where the worker leaves what it compared."""
    target: str
    shard: int
    of: int


class Go(BaseModel):
    """Tells a worker when the schedule begins."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    start_ns: int
    """On the monotonic clock that all processes of a machine share."""
    wall_ns: int
    """The same moment since the Unix epoch."""


class WorkerResult(BaseModel):
    """What a worker says at its end; its counts were told before."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    memory_bytes: int
    """Most memory that it held."""
    cpu_s: float = 0.0
    """Processor time that it took to send and to receive."""
    stopped: bool = False
    """Whether it was told to end before its schedule did."""
    notes: tuple[str, ...] = ()
