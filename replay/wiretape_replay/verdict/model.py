"""Finding, eval, verdict, run: one model each, for the engine, `--json`, MCP and reports (design §2, §7, §8)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema

from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.mock.spec import MockTally
from wiretape_replay.verdict.basis import Basis, Integrity
from wiretape_replay.verdict.histogram import Histogram


class _Value(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class FindingClass(StrEnum):
    """What kind of difference a finding is."""

    VALUE = "value"
    TYPE = "type"
    NULL = "null"
    REMOVED = "removed"
    ADDED = "added"
    FORMAT = "format"
    ORDER = "order"
    STATUS = "status"
    HEADER = "header"
    SCHEMA = "schema"
    LATENCY = "latency"
    BODY = "body"
    """Bytes that are no structured text differ."""
    ERROR = "error"
    """No response came: refused, reset, timed out."""
    OUTBOUND = "outbound"
    """A call to a service that the recording does not have, or that was not made."""


class Severity(StrEnum):
    """How much a finding matters; `error` fails the exchange, the others are told."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Part(StrEnum):
    """Which part of the exchange a finding lies in."""

    STATUS = "status"
    HEADER = "header"
    BODY = "body"
    TRAILER = "trailer"
    EXCHANGE = "exchange"
    """The whole of it: no response came."""
    OUTBOUND = "outbound"


class Finding(_Value):
    """One difference that matters, the same in every exchange it was seen in.

    `id` is `F-` and eight hex digits of a hash over class, route, part and pointer, never over values or order:
    the same fault keeps its id from run to run.
    """

    id: str
    kind: FindingClass
    severity: Severity
    breaking: bool
    route: str
    """`GET /orders/{id}`."""
    part: Part
    pointer: str
    """JSON Pointer (RFC 6901) into the body with `*` for array positions; a header's name; empty for the status."""
    example_pointer: str = ""
    """The exact pointer in the first exchange."""
    expected: JsonValue = None
    actual: JsonValue = None
    """Values of the first exchange; long ones are cut."""
    message: str
    """One sentence: what was recorded and what came instead."""
    sequences: tuple[int, ...]
    """The recorded exchanges it was seen in, at most fifty."""
    count: int
    """In how many exchanges it was seen."""
    of: int
    """How many exchanges of this route were compared."""
    dependants: tuple[int, ...] = ()
    """Exchanges that failed because they need a value which this one did not produce."""
    evidence: str = ""
    curl: str = ""
    """A shell line that sends the first exchange's request."""
    reproduce: str = ""
    """The wiretape command that replays just these exchanges."""
    inputs: str = ""
    """Which requests show it, where one value of the request tells: `only with ?tag: 3 of 3 …`."""
    look_at: tuple[str, ...] = ()
    """What to look for in the code: names of fields and headers, literal parts of paths."""
    follows: str = ""
    """Id of the finding that it follows from: a call to a service that came out otherwise before it."""


def _plain(number: float) -> float:
    """A count is written as one: `12`, not `12.0`."""
    return int(number) if number.is_integer() else number


_Number = Annotated[
    float, PlainSerializer(_plain, return_type=int | float, when_used="json"), WithJsonSchema({"type": "number"})
]


class Eval(_Value):
    """One `--fail-if` condition and what was observed."""

    expression: str
    """In canonical form: `latency.p95 > 50.00`."""
    observed: _Number | None
    """None when the metric could not be measured."""
    passed: bool | None
    """None when it could not be judged: the verdict is then inconclusive."""
    note: str = ""
    """For instance that there were fewer samples than the percentile needs."""


class Outcome(StrEnum):
    """How one live response compares with the recorded one (design §7)."""

    BYTES_EQUAL = "bytes-equal"
    SEMANTICALLY_EQUAL = "semantically-equal"
    """Equal but for key order, whitespace, number spelling, compression, or differences proven to be noise."""
    DIFFERENT = "different"
    ERROR = "error"
    """No response came."""
    BLOCKED = "blocked"
    """It needs a value that an earlier exchange failed to produce."""


class Suppressed(_Value):
    """Differences taken as noise at one leaf: counted, never silent."""

    route: str
    part: Part
    pointer: str
    reason: str
    """Why it is noise: `uuid`, `timestamp`, `bound to POST /login /token`."""
    count: int
    example_expected: JsonValue = None
    example_actual: JsonValue = None


class LatencySummary(_Value):
    """Response times in milliseconds; percentiles by nearest rank, never below the true one."""

    count: int
    min: float
    avg: float
    max: float
    p50: float
    p75: float
    p90: float
    p95: float
    p99: float


class RouteSummary(_Value):
    """One route of a run."""

    route: str
    requests: int
    failed: int
    errors: int = 0
    blocked: int = 0
    """Of the requests and of the failed ones: never sent, for want of a value of an earlier answer."""
    contract_violations: int = 0
    latency: LatencySummary | None = None
    recorded_latency: LatencySummary | None = None
    histogram: Histogram | None = None
    """The response times again; histograms of routes and of runs merge by adding counts."""

    @property
    def sent(self) -> int:
        """Requests that were sent."""
        return self.requests - self.blocked


class AgainstBaseline(_Value):
    """Response times of one route, measured in turn on the app and its baseline."""

    route: str
    pairs: int
    app: LatencySummary
    baseline: LatencySummary


class ExchangeResult(_Value):
    """One replayed exchange, as kept in the run file."""

    sequence: int
    route: str
    session: str
    outcome: Outcome
    expected_status: str
    actual_status: str
    latency_ms: float | None
    warmup: bool = False
    """One of its route's first requests: not in the response times."""
    findings: tuple[str, ...] = ()
    """Ids of the findings it belongs to."""
    error: str = ""
    blocked_by: int | None = None


class Counts(_Value):
    """Totals of a run. An exchange fails when it is different, in error or blocked."""

    total: int
    bytes_equal: int = 0
    semantically_equal: int = 0
    different: int = 0
    errors: int = 0
    blocked: int = 0
    unchecked: int = 0
    """Under load: answered with the recorded status and other bytes, and not among those compared in full."""

    @property
    def failed(self) -> int:
        """Exchanges that did not come out equal."""
        return self.different + self.errors + self.blocked

    @property
    def sent(self) -> int:
        """Exchanges whose request was sent."""
        return self.total - self.blocked


class Cause(_Value):
    """Findings that one edit explains; a finding that stands alone is its own cause."""

    id: str
    message: str
    severity: Severity
    breaking: bool
    findings: tuple[str, ...]
    """Ids, most severe first."""
    routes: tuple[str, ...]
    look_at: tuple[str, ...] = ()


class PastFinding(_Value):
    """A finding of an earlier run that this one does not have."""

    id: str
    route: str
    message: str


class Since(_Value):
    """The findings against those of the run before, by their ids."""

    run: str
    new: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    fixed: tuple[PastFinding, ...] = ()
    not_replayed: tuple[PastFinding, ...] = ()
    """Their routes were not replayed: nothing is known of them."""


class Verdict(_Value):
    """The answer to "is this change safe?"."""

    verdict: Literal["pass", "fail", "inconclusive"]
    reason: str
    """One sentence."""
    evals: tuple[Eval, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Most severe first."""
    causes: tuple[Cause, ...] = ()


class BindingUse(_Value):
    """One way that values take from responses into requests, and how it went: the states add up to `count` in a run."""

    producer: str
    """Route whose response had the value first."""
    produced_at: str
    """JSON Pointer with `*` for array positions, `cookie:NAME` or `header:NAME`; ` > ` leads inside of a text there."""
    consumer: str
    consumed_at: str
    """The same, or `path:N`, `query:NAME`."""
    count: int
    ok: int = 0
    """Another value than the recorded one came and was sent."""
    same: int = 0
    """The recorded value came again."""
    not_found: int = 0
    """The live response had no value there."""
    unused: int = 0
    """The request was not sent."""
    confirmed: int = 0
    """Those of `ok` whose request got the recorded status."""
    example: tuple[int, int] = (0, 0)
    """Sequences of a producer and its consumer."""

    @property
    def unconfirmed(self) -> bool:
        """Nothing changed on this way, so the run says nothing about it."""
        return self.same > 0 and self.ok == 0


class LoadPoint(_Value):
    """A stretch of a load: what was answered then, and how fast."""

    at_s: float
    """When it began, in seconds after the load did."""
    per_second: float
    errors: int
    """Requests without an answer."""
    other_status: int = 0
    """Answers with another status than recorded. Whether a body is wrong is known only after the load."""
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class LoadSummary(_Value):
    """How a load was made, and whether its generator kept to the schedule."""

    arrivals: Literal["recorded", "poisson", "constant", "closed"]
    rate: float | None
    """Sessions a second, or sessions at once where one follows the other (`closed`)."""
    scale: float
    speed: float
    stages: tuple[tuple[float, float], ...] = ()
    """Seconds, and the scale at their end."""
    warmup_s: float = 0.0
    connections: Literal["pool", "session"]
    workers: int
    workers_lost: int = 0
    sessions_recorded: int = 0
    """Sessions of the recording of which clones were sent; 0 in files of older versions."""
    sessions_lost: int = 0
    """Of lost workers: those of which nobody knows what became, those included that did not begin."""
    sessions_started: int
    sessions_ended: int
    sessions_cut: int = 0
    """Under way when the load ended."""
    sessions_unanswered: int = 0
    """Of those that came to their end: in which no request got an answer."""
    sessions_dropped: int = 0
    """Not begun, because too many were under way."""
    sessions_compared: int = 0
    """Sessions that were chosen to be compared in full."""
    requests_sent: int
    requests_unconnected: int = 0
    """Not sent, because there was no connection to be had."""
    requests_late: int = 0
    """Sent more than 10 ms after their moment."""
    requests_resent: int = 0
    """Sent again because an idle connection turned out to be closed."""
    connections_opened: int = 0
    lag: LatencySummary | None = None
    """Schedule lag: from a request's moment until its worker saw to it."""
    lag_bound_ms: float
    """p99 of the lag above which the run is inconclusive."""
    service: LatencySummary | None = None
    """From the first byte sent to the last byte received; the run's latency counts from the intended moment."""
    shape_fidelity: float | None = None
    """The share of sessions that began in the stretch of time in which they should have, from 0 to 1."""
    worker_cpu_s: float = 0.0
    """Processor time of all workers while they sent."""
    worker_memory_bytes: int = 0
    """Most memory of one worker."""
    timeline: tuple[LoadPoint, ...] = ()


class Run(_Value):
    """One replay, as kept in its `.run` file and printed by `--json`."""

    id: str
    snapshot: str
    snapshot_sha256: str
    target: str
    started_ns: int
    duration_ms: float
    basis: Basis | None = None
    """What the verdict rests on beside the app's code; None in files of older versions."""
    integrity: Integrity | None = None
    """What of it changed; None where there is neither a lock nor an earlier run."""
    verdict: Verdict
    counts: Counts
    latency: LatencySummary | None = None
    routes: tuple[RouteSummary, ...] = ()
    against_baseline: tuple[AgainstBaseline, ...] = ()
    since: Since | None = None
    """None where no earlier run of this snapshot is known."""
    suppressed: tuple[Suppressed, ...] = ()
    baseline_answers: int = 0
    """Answers of unchanged code that were counted for the place that was seen most often; 0 without a baseline."""
    noise: tuple[LearnedRule, ...] = ()
    """What varied in the replays of unchanged code; `wiretape noise learn` writes it down."""
    bindings: int = 0
    """Values followed from a response into later requests."""
    binding_uses: tuple[BindingUse, ...] = ()
    """The ways of these values, at most five hundred."""
    contract_violations: int = 0
    """Places where a live response breaks the contract inferred from the recording."""
    mock: MockTally | None = None
    """None when no mock took part."""
    load: LoadSummary | None = None
    """None for a replay, which sends each request once."""
    notes: tuple[str, ...] = ()
    wiretape_version: str = ""
    command: str = Field(default="", description="The command line that repeats this run.")

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 4 inconclusive (design §8)."""
        return {"pass": 0, "fail": 1, "inconclusive": 4}[self.verdict.verdict]
