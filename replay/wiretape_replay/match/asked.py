"""What a stored request asks, whatever its protocol: the one way from a request to the parts it is matched by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wiretape_capture.snapshot.exchange import Exchange, Protocol, Request
from wiretape_replay.match.commands import is_command, parts_of_stored
from wiretape_replay.match.database import DatabaseParts
from wiretape_replay.match.documents import is_document_command, parts_of_document_request
from wiretape_replay.match.parts import Parts, parts_of
from wiretape_replay.match.statements import is_statement, parts_of_request_for_sql

READERS: Mapping[str, Callable[[str, Request], DatabaseParts]] = {
    Protocol.POSTGRES: parts_of_request_for_sql,
    Protocol.MYSQL: parts_of_request_for_sql,
    Protocol.REDIS: parts_of_stored,
    Protocol.MONGODB: parts_of_document_request,
}
"""By the version of a request, how a database's are read."""

CALLS: Mapping[Protocol, Callable[[Exchange], bool]] = {
    Protocol.HTTP: lambda _: True,
    Protocol.POSTGRES: is_statement,
    Protocol.MYSQL: is_statement,
    Protocol.REDIS: is_command,
    Protocol.MONGODB: is_document_command,
}
"""Which outbound exchanges are calls that the app makes for what they do; of other protocols none is."""


def parts_of_request(service: str, request: Request) -> Parts:
    """The normalised form of a request to `service` (already a `service_key`)."""
    if (reader := READERS.get(request.version)) is not None:
        return reader(service, request)
    return parts_of(service, request.method, request.target, request.headers, request.body)


def is_call(exchange: Exchange) -> bool:
    """Whether an outbound exchange is judged."""
    return exchange.protocol in CALLS and CALLS[exchange.protocol](exchange)
