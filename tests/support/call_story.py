"""A recording and a run of it told in milliseconds, to see what is found wrong with the app's calls."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Headers, Request, Response
from wiretape_replay.engine.outbound import Calls, judge_calls
from wiretape_replay.engine.played import Played
from wiretape_replay.mock.spec import Candidate, MockAnswer, MockResult, MockTally
from wiretape_replay.routes import RouteTable
from wiretape_replay.verdict.model import ExchangeResult, Finding, Outcome

RECORDED_NS = 1_790_000_000 * 10**9
LIVE_NS = RECORDED_NS + 86_400 * 10**9
JSON: Headers = (("Content-Type", "application/json"),)
SERVICE = "pay:80"


def ms(number: float) -> int:
    return round(number * 1_000_000)


@dataclass
class Story:
    """Times are milliseconds since the recording or the run began."""

    inbound: list[Exchange] = field(default_factory=list)
    outbound: list[Exchange] = field(default_factory=list)
    played: list[Played] = field(default_factory=list)
    live: dict[int, Response] = field(default_factory=dict)
    answers: list[MockAnswer] = field(default_factory=list)

    def asked(self, at: float, took: float, command: str, body: Any = None, status: int = 200, **more: Any) -> int:
        """One recorded inbound exchange."""
        return self._add(self.inbound, Direction.INBOUND, at, took, command, body, status, **more)

    def called(self, at: float, took: float, command: str, body: Any = None, status: int = 200, **more: Any) -> int:
        """One recorded call."""
        return self._add(self.outbound, Direction.OUTBOUND, at, took, command, body, status, **more)

    def _add(self, to: list[Exchange], direction: Direction, at: float, took: float, command: str, body: Any,
             status: int, answer: Any = None, headers: Headers = (), trace: str = "") -> int:  # fmt: skip
        method, _, target = command.partition(" ")
        sequence = len(self.inbound) + len(self.outbound) + 1
        to.append(Exchange(
            sequence=sequence, direction=direction, service=SERVICE, command=method, location=target, trace=trace,
            status=str(status or ""), started_ns=RECORDED_NS + ms(at), duration_us=round(took * 1000),
            request=Request(method=method, target=target, headers=(*JSON, *headers), body=_body(body)),
            response=Response(status=status, headers=JSON, body=_body(answer)) if status else None,
        ))  # fmt: skip
        return sequence

    def plays(self, sequence: int, at: float, took: float, status: int = 200) -> None:
        """An inbound exchange is replayed."""
        exchange = next(one for one in self.inbound if one.sequence == sequence)
        start = LIVE_NS + ms(at)
        self.played.append(Played(exchange, start + ms(took), took, started_ns=start))
        self.live[sequence] = Response(status=status)

    def answered(self, sequence: int, answer: Any) -> None:
        """An inbound exchange got this answer in the run."""
        self.live[sequence] = self.live[sequence].model_copy(update={"headers": JSON, "body": _body(answer)})

    def hits(self, *hits: tuple[int, float]) -> None:
        """Calls that the mock answers from the recording: sequence and time."""
        known = {one.sequence: one for one in self.outbound}
        for sequence, at in hits:
            one = known[sequence]
            self.answers.append(MockAnswer(
                at_ns=LIVE_NS + ms(at), service=SERVICE, command=one.command, location=one.location, tier="exact",
                sequence=sequence, status=one.status,
            ))  # fmt: skip

    def misses(self, at: float, command: str, body: Any = None, near: int = 0) -> None:
        """A call that the recording does not answer."""
        method, _, target = command.partition(" ")
        closest = (Candidate(sequence=near, command="", location="", status="", differences=()),) if near else ()
        self.answers.append(MockAnswer(
            at_ns=LIVE_NS + ms(at), service=SERVICE, command=method, location=target, tier="miss", status="502",
            closest=closest, request=Request(method=method, target=target, headers=JSON, body=_body(body)),
        ))  # fmt: skip

    def replayed(self) -> None:
        """Everything happens again as it was recorded."""
        for one in self.inbound:
            at = (one.started_ns - RECORDED_NS) / 1_000_000
            self.plays(one.sequence, at, one.duration_us / 1000, int(one.status))
        self.hits(*((one.sequence, (one.started_ns - RECORDED_NS) / 1_000_000) for one in self.outbound))

    def without(self, *sequences: int) -> None:
        """The app did not make these calls in the run."""
        self.answers = [one for one in self.answers if one.sequence not in sequences]

    def judged(self, *, cold: bool = True, unlisted: int = 0) -> Calls:
        """What is found wrong."""
        routes = RouteTable.infer((one.command, one.location) for one in self.inbound)
        result = MockResult(snapshot="s", tally=MockTally(exact=len(self.answers) + unlisted))
        return judge_calls(
            self.inbound, self.outbound, lambda one: routes.route(one.command, one.location), self.played, self.live,
            result, self.answers, {}, cold=cold,
        )  # fmt: skip

    def findings(self, **how: Any) -> list[Finding]:
        """As findings."""
        return self.judged(**how).findings("http://app", lambda some: f"replay {list(some)}")

    def told(self, **how: Any) -> list[str]:
        """Findings in one line each: `error POST /orders duplicated POST /charges 2/3`."""
        return [f"{one.severity} {one.route}: {one.pointer} {one.count}/{one.of}".replace(SERVICE, "")
                for one in self.findings(**how)]  # fmt: skip

    def outcomes(self) -> dict[int, Outcome]:
        """How the exchanges came out, all of which were answered as recorded."""
        results = [ExchangeResult(
            sequence=one.sequence, route="", session="", outcome=Outcome.BYTES_EQUAL, expected_status="",
            actual_status="", latency_ms=1,
        ) for one in self.inbound]  # fmt: skip
        return {one.sequence: one.outcome for one in self.judged().results(results)}


def _body(value: Any) -> Any:
    return body_of(json.dumps(value).encode()) if value is not None else body_of(b"")
