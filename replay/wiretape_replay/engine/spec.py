"""What a replay needs to know: plain values that travel to the replay job. Its result is a `Run`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from wiretape_capture.launch.spec import AppSpec
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.signing.spec import SignRule
from wiretape_replay.verdict.basis import LockInUse


class NoiseRule(BaseModel):
    """A place the user declared to be noise: it is still checked for its shape."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    route: str = "*"
    """`GET /orders/{id}`; `*` stands for every route."""
    pointer: str
    """JSON Pointer with `*` for one segment, or `header:NAME`."""
    reason: str = ""


class BaselineSpec(BaseModel):
    """An instance of unchanged code that the same snapshot is replayed against, in turns with the candidate.

    What differs there is noise; what never differs there is not. The engine plays one pass for each of `runs`, some
    before and some after the candidate's own, each with an app and a mock of its own unless `target` names them.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    target: str | None = None
    """Base URL of a running instance; None: `app` is started anew for each pass."""
    app: AppSpec | None = None
    mock: MockSpec | None = None
    runs: int | None = Field(default=None, ge=1, le=100)
    """Passes; None: three, but one where a running instance would keep what a pass wrote."""
    commit: str = ""
    """What is known of the code's version, for the evidence."""


class ReplaySpec(BaseModel):
    """One run. Run by `python -m wiretape_replay.engine`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    tape: Path
    run: Path
    """The `.run` file to write; its stem is the run's id."""
    target: str | None = None
    """Base URL; None: the port of `app` on loopback."""
    app: AppSpec | None = None
    mock: MockSpec | None = None
    """Its `app` is None: this job starts the app itself, with the mock's environment."""
    fail_if: tuple[str, ...] = ("requests.failed > 0",)
    sequences: tuple[int, ...] = ()
    """Only these exchanges and those they depend on; empty: all inbound exchanges."""
    routes: tuple[str, ...] = ()
    """Only these routes, as `METHOD /path/*` globs."""
    route_templates: tuple[str, ...] = ()
    """Routes that the user wrote down: `/orders/{id}` or `GET /orders/{id}`."""
    openapi: Path | None = None
    """An OpenAPI 3.0 or 3.1 description that live responses are checked against as well."""
    openapi_requests: bool = False
    """Check the recorded requests against it too."""
    timing: str = "asap"
    """`asap`, `recorded`, or a multiple such as `2x`."""
    concurrency: int = 8
    """Sessions under way at once."""
    timeout: float = 30.0
    """Seconds for one response."""
    noise: tuple[NoiseRule, ...] = ()
    client_values: Literal["fresh", "keep"] = "fresh"
    """Whether idempotency keys, nonces and clock headers of the client are made anew."""
    seed: str = ""
    """What they are made from; empty: the run's id."""
    sign: tuple[SignRule, ...] = ()
    """Signatures that are made again."""
    sign_dir: Path = Path()
    """Where key files lie that are named without a directory."""
    learned: tuple[LearnedRule, ...] = ()
    """Noise learned earlier from unchanged code, or accepted by somebody."""
    learned_file: str = "wiretape-noise.toml"
    """What `learned` was read from, to be named in notes."""
    baseline: Path | None = None
    """A `.run` file that `baseline` in an eval refers to."""
    against: BaselineSpec | None = None
    """Unchanged code that is replayed too, for evidence of noise."""
    latency_seconds: float = Field(default=10.0, ge=0)
    """How long response times are measured against `against`; 0: not at all."""
    warmup: int = Field(default=0, ge=0)
    """So many first requests of each route stay out of the response times; they are compared like all others."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Keys that can change the verdict, as the user wrote them: what the run is told to rest on."""
    lock: LockInUse | None = None
    """What was reviewed; None: earlier runs are what this one is compared with."""
    locked: bool = False
    """Refuse a pass when anything is not as in `lock`."""
    command: str = ""
    """The command line that repeats this run, for the report."""
