"""Which recorded exchanges a run sends: the filters, what they depend on, and what cannot be replayed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from wiretape_capture.errors import UsageError
from wiretape_capture.protocols.http import SAFE, header_values
from wiretape_capture.snapshot.exchange import Exchange, Protocol, Request

NAMED_IN_NOTE = 3
_VERSIONS = frozenset({"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3"})
_CONTROLS = frozenset("\0\r\n")


@dataclass(frozen=True, slots=True)
class Selection:
    """The exchanges to send, in the order in which they began, and what was left out."""

    exchanges: tuple[Exchange, ...]
    notes: tuple[str, ...]
    whole: bool
    """Whether every inbound exchange of the snapshot is in it."""


def select(inbound: Sequence[Exchange], *, sequences: Sequence[int], routes: Sequence[str],
           route: Callable[[Exchange], str], producers: Callable[[int], Iterable[int]]) -> Selection:  # fmt: skip
    """Apply the filters, add what the chosen exchanges need, drop what cannot be replayed.

    They need the exchanges whose values they use, and every earlier write: an answer may rest on any of them.
    """
    chosen = _chosen(inbound, sequences, routes, route)
    chosen |= _earlier_writes(inbound, chosen)
    chosen |= _closure(chosen, producers)
    kept = [exchange for exchange in inbound if exchange.sequence in chosen]
    obstacles = {exchange.sequence: obstacle(exchange) for exchange in kept}
    playable = [exchange for exchange in kept if not obstacles[exchange.sequence]]
    return Selection(
        exchanges=tuple(sorted(playable, key=lambda one: (one.started_ns, one.sequence))),
        notes=tuple(_notes(kept, obstacles)),
        whole=len(playable) == len(inbound),
    )


def obstacle(exchange: Exchange) -> str:
    """Why an exchange cannot be replayed and compared; empty when it can."""
    if exchange.protocol is Protocol.WEBSOCKET or exchange.status == "101":
        return "a WebSocket or another upgrade"
    if exchange.command == "CONNECT":
        return "a tunnel"
    if not exchange.request.body.complete:
        return "recorded with an incomplete request"
    if exchange.protocol is Protocol.HTTP and exchange.status >= "400" and (why := _malformed(exchange.request)):
        return f"the request is malformed, {why}, and would be sent well-formed"
    if exchange.response is None or not exchange.response.body.complete:
        return "recorded without a complete response"
    return ""


def _malformed(request: Request) -> str:
    """What is wrong with a request's head that is put right when it is sent again (RFC 9112 §3.2, §5, §6.3)."""
    lengths, codings = header_values(request.headers, "content-length"), header_values(
        request.headers, "transfer-encoding")  # fmt: skip
    if lengths and codings:
        return "with both Content-Length and Transfer-Encoding"
    if len(lengths) > 1:
        return "with several Content-Lengths"
    if lengths and not (lengths[0].isascii() and lengths[0].isdigit()):
        return "with a Content-Length that is no number"
    if request.version not in _VERSIONS:
        return f"of version {request.version}"
    if request.version == "HTTP/1.1" and len(header_values(request.headers, "host")) != 1:
        return "without one Host"
    if any(not _CONTROLS.isdisjoint(value) for _, value in request.headers):
        return "with control characters in a header"
    return ""


def _chosen(inbound: Sequence[Exchange], sequences: Sequence[int], routes: Sequence[str],
            route: Callable[[Exchange], str]) -> set[int]:  # fmt: skip
    if not sequences and not routes:
        return {exchange.sequence for exchange in inbound}
    wanted = set(sequences)
    # Numbers in between are outbound exchanges, which ranges run over.
    last = max((exchange.sequence for exchange in inbound), default=0)
    if beyond := sorted(number for number in wanted if not 1 <= number <= last):
        raise _beyond(beyond, last)
    chosen = {exchange.sequence for exchange in inbound
              if exchange.sequence in wanted or _fits(exchange, routes, route(exchange))}  # fmt: skip
    if not chosen and inbound:
        raise _nothing_chosen(inbound, sequences, routes, route)
    return chosen


def _earlier_writes(inbound: Sequence[Exchange], chosen: set[int]) -> set[int]:
    latest = max((one.started_ns for one in inbound if one.sequence in chosen), default=0)
    return {one.sequence for one in inbound if one.command not in SAFE and one.started_ns < latest}


def _fits(exchange: Exchange, globs: Sequence[str], route: str) -> bool:
    path = exchange.location.partition("?")[0]
    names = (route, f"{exchange.command} {path}", f"{exchange.command} {exchange.location}")
    return any(glob == name or fnmatchcase(name, glob) for glob in globs for name in names)


def _beyond(numbers: Sequence[int], last: int) -> UsageError:
    named = ", ".join(map(str, numbers[:5])) + (" and others" if len(numbers) > 5 else "")
    hint = f"its inbound exchanges go up to {last}" if last else "it has no inbound exchange at all"
    return UsageError(f"the snapshot has no inbound exchange {named}", hint)


def _nothing_chosen(inbound: Sequence[Exchange], sequences: Sequence[int], routes: Sequence[str],
                    route: Callable[[Exchange], str]) -> UsageError:  # fmt: skip
    asked = ", ".join([*map(str, sequences[:5]), *routes])
    known = sorted({route(exchange) for exchange in inbound})
    nearest = get_close_matches(routes[0], known, n=1, cutoff=0.3) if routes else []
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    hint = f"did you mean {nearest[0]}?" if nearest else f"its routes are {', '.join(known[:8])}{more}"
    return UsageError(f"no inbound exchange of the snapshot matches {asked}", hint)


def _closure(chosen: set[int], producers: Callable[[int], Iterable[int]]) -> set[int]:
    found: set[int] = set()
    pending = list(chosen)
    while pending:
        fresh = set(producers(pending.pop())) - found - chosen
        found |= fresh
        pending.extend(fresh)
    return found


def _notes(kept: Sequence[Exchange], obstacles: dict[int, str]) -> list[str]:
    notes = []
    for reason, count in Counter(filter(None, obstacles.values())).items():
        names = list(dict.fromkeys(
            f"{one.command} {one.location}" for one in kept if obstacles[one.sequence] == reason
        ))  # fmt: skip
        more = f" and {len(names) - NAMED_IN_NOTE} more" if len(names) > NAMED_IN_NOTE else ""
        subject = "1 exchange" if count == 1 else f"{count} exchanges"
        notes.append(f"{subject} not replayed ({reason}): {', '.join(names[:NAMED_IN_NOTE])}{more}")
    return notes
