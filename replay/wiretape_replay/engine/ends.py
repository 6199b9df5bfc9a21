"""What became of the statements of a recording and of a run: their transactions followed by the same rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.match.asked import is_call
from wiretape_replay.match.documents import command_of
from wiretape_replay.match.statements import document_of, spoken, statement_in
from wiretape_replay.mock.mongodb.recording import thread_of
from wiretape_replay.mock.spec import MockAnswer
from wiretape_replay.outbound.evidence import often
from wiretape_replay.outbound.transactions import FINE, KINDS, Fate, Step, fates

SETTINGS_TOLD = 5
UNANSWERED = "unanswered"
"""Stands for the status of a statement without an answer."""


def takes_part(exchange: Exchange) -> bool:
    """Whether an exchange may begin, end or be part of a transaction."""
    return exchange.protocol in KINDS


def recorded_fates(exchanges: Iterable[Exchange]) -> dict[int, Fate]:
    """What became of each recorded statement, by its sequence; the exchanges are all of a database's, in order."""
    some = [one for one in exchanges if takes_part(one)]
    found = fates(map(_recorded, some))
    return {one.sequence: fate for one, fate in zip(some, found, strict=True) if fate is not None}


def live_fates(answers: Sequence[MockAnswer]) -> list[Fate | None]:
    """What became of each answer of the mock."""
    return fates(Step(one.at_ns, one.protocol, f"{one.service} {one.thread}" if one.thread else "", one.command,
                      one.location, one.status) for one in answers)  # fmt: skip


def settings_gone(exchanges: Iterable[Exchange], answers: Iterable[MockAnswer]) -> list[str]:
    """Settings, and ways to begin a transaction, that the app ran when it was recorded and does not run at all."""
    run = {(one.protocol, one.location) for one in answers}
    gone = Counter((one.service, one.location) for one in exchanges
                   if one.protocol in KINDS and not is_call(one) and _sets(one) and one.status in FINE
                   and (one.protocol, one.location) not in run)  # fmt: skip
    return [f"{text} of {service} was recorded {often(times)} and is not run any more; what it did is not judged"
            for (service, text), times in gone.most_common(SETTINGS_TOLD)]  # fmt: skip


def _sets(exchange: Exchange) -> bool:
    if exchange.command in ("BEGIN", "START"):
        return any(word in exchange.location for word in (" isolation ", " read ", " deferrable"))
    return exchange.command == "SET"


def _recorded(exchange: Exchange) -> Step:
    thread, command, text = f"{exchange.service} {exchange.connection}", exchange.command, exchange.location
    if exchange.protocol is Protocol.MONGODB:
        transaction = thread_of(command_of(exchange.request))
        thread = f"{exchange.service} {transaction}" if transaction else ""
    elif command == "SET":
        text = spoken(statement_in(document_of(exchange.request), exchange.protocol))
    elif command in ("COMMIT", "END") and exchange.response is not None and exchange.response.reason == "ROLLBACK":
        command = "ROLLBACK"  # how Postgres answers the COMMIT of a transaction that has failed
    return Step(exchange.started_ns, exchange.protocol, thread, command, text, exchange.status or UNANSWERED)
