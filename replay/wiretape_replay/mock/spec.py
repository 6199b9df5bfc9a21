"""What a mock needs to know and what it reports: plain values that travel to and from the mock job."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.snapshot.exchange import Protocol, Request

type Tier = Literal["exact", "normalized", "nearest", "miss", "passthrough", "simulated"]
"""How a live request found its recorded exchange; `passthrough` went to an allowed host for real, `simulated` is what a
database answers without any data: transactions, settings, probes."""


class _Value(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class MockSpec(_Value):
    """One mock. Run by `python -m wiretape_replay.mock`."""

    tape: Path
    ca_dir: Path
    proxy_port: int = 0
    """Port of the forward proxy (absolute-form and CONNECT); 0 picks a free one."""
    proxy_from: int = 0
    """With `proxy_port` 0: the first free port from here on, which people can remember; 0 picks any."""
    maps: tuple[ServiceMap, ...] = ()
    app: AppSpec | None = None
    allow: tuple[str, ...] = ()
    """Hosts (`host`, `host:port` or `*.domain`) that may be reached for real; everything else fails closed."""
    timing: str = "none"
    """`none`, `recorded`, or a multiple such as `2x` (twice as fast)."""
    at_end: Literal["repeat", "cycle", "fail"] = "repeat"
    """What an identical request gets after its last recorded answer."""
    journal: Path | None = None
    """JSON-lines file of `MockAnswer`, one line for every answer."""


class LeafDifference(_Value):
    """One leaf in which a live request differs from a recorded one."""

    where: str
    """`method`, `path`, `query/NAME`, `header/NAME` or `body` followed by a JSON Pointer."""
    recorded: str | None
    """None: not in the recording. Long values are cut."""
    live: str | None
    """None: not in the live request."""


class Candidate(_Value):
    """A recorded exchange near a request that matched nothing."""

    sequence: int
    command: str
    location: str
    status: str
    differences: tuple[LeafDifference, ...]


class MockAnswer(_Value):
    """One line of the journal."""

    at_ns: int
    service: str
    protocol: Protocol = Protocol.HTTP
    command: str
    location: str
    tier: Tier
    sequence: int | None = None
    """The recorded exchange that answered; None for a miss."""
    status: str = ""
    session: str = ""
    request_body_sha256: str = ""
    normalized: tuple[LeafDifference, ...] = ()
    """For tier `normalized`: the leaves that were taken as volatile."""
    closest: tuple[Candidate, ...] = ()
    """For a miss: at most three, nearest first."""
    trace: str = ""
    """Trace or request id of the live request, kept where the recording knows such ids."""
    request: Request | None = None
    """For a miss: what was asked, with the headers that name the operation and a body of at most 64 KiB; for a DISCARD
    of Redis what was discarded."""
    thread: str = ""
    """What transactions of a database follow: the client's connection, of MongoDB the transaction itself."""


class MockTally(_Value):
    """How many requests ended in each tier."""

    exact: int = 0
    normalized: int = 0
    nearest: int = 0
    miss: int = 0
    passthrough: int = 0
    simulated: int = 0
    """Statements that concern only a database's connection; they are no hits and no misses."""

    @property
    def hits(self) -> int:
        """Requests answered from the recording."""
        return self.exact + self.normalized + self.nearest

    @property
    def total(self) -> int:
        """All requests that reached the mock."""
        return self.hits + self.miss + self.passthrough


class MockResult(_Value):
    """How a mock ended."""

    snapshot: str
    tally: MockTally
    misses: tuple[MockAnswer, ...] = Field(default=())
    """The first hundred misses, one for each distinct request."""
    unused: tuple[str, ...] = ()
    """Recorded outbound requests (`COMMAND service location`) that were never asked for; at most a hundred."""
    refused: int = 0
    """Requests that never were one: malformed, too large, too slow, or broken off."""
    notes: tuple[str, ...] = ()
    """Why clients of databases were refused, with how often."""
    app_exit: int | None = None
