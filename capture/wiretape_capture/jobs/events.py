"""What a job says: JSON lines on its standard output, drawn by the CLI and turned into progress by MCP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Event(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class Started(_Event):
    """The job's process runs."""

    event: Literal["started"] = "started"
    job: str
    pid: int


class Ready(_Event):
    """Listeners are open and the app, where there is one, answers."""

    event: Literal["ready"] = "ready"
    endpoints: dict[str, str] = Field(default_factory=dict)
    """URL by role: `inbound`, `proxy`, `map:NAME`, `target`."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables that an app started elsewhere needs to reach this job."""
    wants: tuple[int, ...] = ()
    """A mock: inbound exchanges of which it wants to be told when they begin, end, and what numbers they made."""


class Progress(_Event):
    """Work moved on; `done` never decreases within one `unit`."""

    event: Literal["progress"] = "progress"
    done: int
    total: int | None = None
    unit: str
    message: str = ""


class Notice(_Event):
    """Something the user should know that did not end the job."""

    event: Literal["notice"] = "notice"
    message: str


class Heard(_Event):
    """A job has taken in what its parent told it."""

    event: Literal["heard"] = "heard"
    number: int


class Counted(_Event):
    """A worker of a load tells its job what it has counted since it told last."""

    event: Literal["counted"] = "counted"
    counts: str
    at: float
    """The last moment that they are of, in seconds after the beginning."""


class Finished(_Event):
    """The job's result, the JSON form of its result model."""

    event: Literal["finished"] = "finished"
    result: dict[str, Any]


class Failed(_Event):
    """The job could not do what was asked."""

    event: Literal["failed"] = "failed"
    problem: str
    hint: str = ""
    exit_code: int = 3


type Event = Annotated[
    Started | Ready | Progress | Notice | Heard | Counted | Finished | Failed, Field(discriminator="event")
]
type Emit = Callable[[Event], None]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
