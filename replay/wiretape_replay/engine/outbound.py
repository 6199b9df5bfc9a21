"""Brings the recording's outbound calls and the mock's journal together and has them judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from wiretape_capture.protocols.http import header, json_body
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.engine.ends import live_fates, recorded_fates, takes_part
from wiretape_replay.engine.played import Played
from wiretape_replay.leaves import leaf_name, walk
from wiretape_replay.match.asked import is_call
from wiretape_replay.match.content import BODY_LIMIT, content_of
from wiretape_replay.match.lanes import trace_of
from wiretape_replay.mock.redis.desk import DISCARD
from wiretape_replay.mock.spec import MockAnswer, MockResult
from wiretape_replay.outbound.calls import Call, Catalogue, made_by, values_of, words_of
from wiretape_replay.outbound.evidence import Evidence, Handled
from wiretape_replay.outbound.fault import Fault
from wiretape_replay.outbound.faults import find_faults
from wiretape_replay.outbound.findings import collect_faults, with_causes, with_faults
from wiretape_replay.outbound.newcomers import settled
from wiretape_replay.outbound.owners import attribute_live, attribute_recorded
from wiretape_replay.outbound.returned import Contradicted, Returned, Told
from wiretape_replay.outbound.transactions import Fate
from wiretape_replay.outbound.windows import Window
from wiretape_replay.verdict.model import ExchangeResult, Finding

CREDENTIALS = ("authorization", "cookie", "x-api-key", "x-auth-token")
SECRET = 12
"""Characters of an answer's value that is recognised as a credential of later calls."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one run, judged."""

    evidence: Evidence
    faults: list[Fault]
    inbound: Mapping[int, Exchange]
    causes: Mapping[int, Fault]

    def findings(self, target: str, reproduce: Callable[[Sequence[int]], str]) -> list[Finding]:
        """What was wrong, by route."""
        return collect_faults(self.faults, self.evidence, self.inbound, target=target, reproduce=reproduce)

    def followed(self, findings: Sequence[Finding]) -> list[Finding]:
        """Findings in what the app answered, each with the call that it follows from."""
        return with_causes(findings, self.causes, self.evidence)

    def contradicted(self, told: Iterable[Told], outbound: Iterable[Exchange]) -> list[Contradicted]:
        """Of values that an exchange gave out first, those that are not what its call returned."""
        known = {one.sequence: one for one in outbound}
        return list(Returned(self.evidence, known, lambda one: self.inbound[one].response).contradicted(told))

    def results(self, results: Sequence[ExchangeResult]) -> list[ExchangeResult]:
        """The results of the exchanges with what was wrong with their calls."""
        return with_faults(results, self.faults, self.evidence)


async def load_outbound(tape: TapeReader, *, with_transactions: bool = False) -> list[Exchange]:
    """Every outbound call that is judged, and what its transactions show; larger bodies stay in the tape, as in the
    mock."""
    return [exchange async for exchange in tape.stream(Query(direction=Direction.OUTBOUND), max_body=BODY_LIMIT)
            if is_call(exchange) or (with_transactions and takes_part(exchange))]  # fmt: skip


def judge_calls(inbound: Sequence[Exchange], outbound: Sequence[Exchange], route: Callable[[Exchange], str],
                played: Iterable[Played], live: Mapping[int, Response], result: MockResult,
                answers: Sequence[MockAnswer], aliases: Mapping[str, str], *, cold: bool,
                differing: Collection[int] = ()) -> Calls:  # fmt: skip
    """Whose calls they were, and what was wrong with them; `outbound` may hold what is no call but begins or ends
    transactions."""
    ends = recorded_fates(outbound)
    outbound = list(filter(is_call, outbound))
    by_sequence = {one.sequence: one for one in inbound}
    values = {one.sequence: values_of(one, route(one)) for one in inbound}
    catalogue = Catalogue.of(outbound, aliases)
    recorded = _recorded(catalogue, outbound, ends, inbound, route, values)
    sent = {one.exchange.sequence: one for one in played if one.started_ns}
    known = {call.sequence: call for call in recorded}
    calls = _live(catalogue, answers, known)
    windows = [_live_window(one, route(one.exchange), values[sequence]) for sequence, one in sent.items()]
    discarded = [catalogue.live(one, {}) for one in answers if one.command == DISCARD and one.request is not None]
    attribute_live([*calls, *discarded], windows, recorded)
    evidence = settled(Evidence(
        {one.sequence: _handled(one, route(one), values[one.sequence], sent, live) for one in inbound},
        recorded, calls, perishable(outbound, catalogue), cold,
        max((*(one.ended_ns for one in sent.values()), *(one.at_ns for one in answers)), default=0), discarded,
    ))  # fmt: skip
    faults = find_faults(
        evidence, unheard={one.service for one in answers if one.tier == "passthrough"},
        complete=len(answers) >= result.tally.total, lengths=lambda sequence: _lengths(by_sequence[sequence]),
        differing=differing,
        answers=lambda sequence: (by_sequence[sequence].response, live.get(sequence)),
    )  # fmt: skip
    return Calls(evidence, faults.all, by_sequence, faults.causes)


def recorded_calls(inbound: Sequence[Exchange], outbound: Sequence[Exchange],
                   route: Callable[[Exchange], str]) -> list[Call]:  # fmt: skip
    """The recorded calls with whose they were, where no run is judged by them."""
    values = {one.sequence: values_of(one, route(one)) for one in inbound}
    made = list(filter(is_call, outbound))
    return _recorded(Catalogue.of(outbound, {}), made, recorded_fates(outbound), inbound, route, values)


def _recorded(catalogue: Catalogue, outbound: Iterable[Exchange], ends: Mapping[int, Fate],
              inbound: Iterable[Exchange], route: Callable[[Exchange], str],
              values: Mapping[int, frozenset[str]]) -> list[Call]:  # fmt: skip
    """The recorded calls with what became of their transactions and whose they were."""
    calls = [catalogue.recorded(one) for one in outbound]
    for call in calls:
        call.fate = ends.get(call.sequence)
    attribute_recorded(calls, [recorded_window(one, route(one), values[one.sequence]) for one in inbound])
    return calls


def _live(catalogue: Catalogue, answers: Sequence[MockAnswer], known: Mapping[int, Call]) -> list[Call]:
    """What the mock was asked, without what it answers of itself, with what became of it."""
    calls = []
    for answer, fate in zip(answers, live_fates(answers), strict=True):
        if answer.tier not in ("passthrough", "simulated"):
            call = catalogue.live(answer, known)
            call.fate = fate
            calls.append(call)
    return calls


def recorded_window(exchange: Exchange, route: str, values: frozenset[str]) -> Window:
    """When a recorded exchange was handled, and what it is about."""
    ended_ns = exchange.started_ns + exchange.duration_us * 1000
    trace = exchange.trace or trace_of(exchange.request.headers)
    return Window(exchange.sequence, exchange.started_ns, ended_ns, trace, route, values, words_of(exchange),
                  made_by(exchange), exchange.status)  # fmt: skip


def _live_window(played: Played, route: str, values: frozenset[str]) -> Window:
    recorded = recorded_window(played.exchange, route, values)
    return replace(recorded, started_ns=played.started_ns, ended_ns=played.ended_ns)


def _handled(exchange: Exchange, route: str, values: frozenset[str], sent: Mapping[int, Played],
             live: Mapping[int, Response]) -> Handled:  # fmt: skip
    played, sequence = sent.get(exchange.sequence), exchange.sequence
    until_ns = exchange.started_ns + exchange.duration_us * 1000
    if played is None or sequence not in live:
        return Handled(sequence, route, exchange.status, values, answered=False, until_ns=until_ns,
                       from_ns=exchange.started_ns)  # fmt: skip
    alike = exchange.status[:1] == str(live[sequence].status)[:1]
    return Handled(sequence, route, exchange.status, values, alike, played.started_ns, played.ended_ns, until_ns,
                   exchange.started_ns)  # fmt: skip


def perishable(outbound: Iterable[Exchange], catalogue: Catalogue) -> frozenset[str]:
    """Places whose answers are credentials of other calls or say when they end."""
    exchanges = list(outbound)
    told = " ".join(header(one.request.headers, name) or "" for one in exchanges for name in CREDENTIALS)
    sent = set(told.replace(";", " ").replace("=", " ").split())
    return frozenset(catalogue.recorded(one).place for one in exchanges if _ends(one.response, sent))


def _ends(response: Response | None, sent: set[str]) -> bool:
    if response is None or response.status >= 400:
        return False
    if header(response.headers, "expires") is not None:
        return True
    try:
        answer = json_body(response.headers, response.body.data or b"null")
    except ValueError:
        return False
    for pointer, value in walk(answer):
        name = leaf_name(pointer).lower().replace("_", "")
        if (
            "expir" in name
            or name == "accesstoken"
            or (isinstance(value, str) and len(value) >= SECRET and value in sent)
        ):
            return True
    return False


def _lengths(exchange: Exchange) -> dict[str, int]:
    """The arrays of an exchange's bodies, by pointer."""
    lengths: dict[str, int] = {}
    messages: list[Request | Response] = [exchange.request, *([exchange.response] if exchange.response else [])]
    for message in messages:
        for place, _ in content_of(message.headers, message.body).leaves:
            steps = place.split("/")
            for at, step in enumerate(steps):
                if step.isdecimal() and at:
                    pointer = "/" + "/".join(steps[1:at])
                    lengths[pointer] = max(lengths.get(pointer, 0), int(step) + 1)
    return lengths
