"""What the traffic of one route looks like, as plain values for people, `--json` and agents."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class Times(_Value):
    """Recorded durations in milliseconds; percentiles by nearest rank."""

    n: int
    p50: float
    p95: float
    max: float


class RouteRow(_Value):
    """One route of a snapshot."""

    route: str
    requests: int
    statuses: dict[str, int]
    """Answers by status; `none` where no answer came."""
    times: Times | None = None
    example: int
    """A sequence number."""


class Sample(_Value):
    """One recorded request that is worth a look, and what for."""

    sequence: int
    line: str
    """`GET /orders/17 -> 404`."""
    why: tuple[str, ...]


class Field(_Value):
    """The values of one place."""

    place: str
    """`path id`, `query page`, `header x-shop`, `body /sku` of the request; `200 body /total` of an answer."""
    types: dict[str, int]
    present: int
    of: int
    """Objects, requests or answers that could have had it."""
    values: dict[str, int] = {}
    """Its different texts, most frequent first, where they are few; values named like credentials are left out."""
    formats: dict[str, int] = {}
    numbers: tuple[str, ...] = ()
    """Least, median and most."""
    length: tuple[str, ...] = ()
    """Of texts: the shortest and the longest, in characters."""
    items: tuple[str, ...] = ()
    """Of arrays: the fewest and the most elements."""


class CallRow(_Value):
    """One kind of call to a service that requests of the route make."""

    call: str
    """`GET prices.test:80/price`."""
    calls: int
    requests: int
    """Requests of the route that made it, as far as that is certain."""
    possibly: int = 0
    """Further requests that may have made it: several were under way at once."""
    statuses: dict[str, int]
    times: Times | None = None
    example: int
    """Sequence number of one."""


class RouteTraffic(_Value):
    """Everything about one route."""

    route: str
    requests: int
    statuses: dict[str, int]
    times: Times | None = None
    samples: tuple[Sample, ...] = ()
    calls: tuple[CallRow, ...] = ()
    fields: tuple[Field, ...] = ()
