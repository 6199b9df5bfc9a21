"""From what a follower saw to the exchange that is stored: the same model for every database. Pure."""

from __future__ import annotations

import orjson
from pydantic import JsonValue

from wiretape_capture.protocols.observed import Observed
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Headers, Protocol, Request, Response

JSON: Headers = (("content-type", "application/json"),)
STATUSES = (200, 400, 500)
"""The response's status by `Observed.failed`, in HTTP's sense: fine, the command's fault, the service's fault."""


def exchange_of(seen: Observed, *, sequence: int, protocol: Protocol, service: str, connection: str,
                started_ns: int) -> Exchange:  # fmt: skip
    """The exchange. `started_ns` is the moment of its start since the Unix epoch, UTC."""
    version = protocol.value
    response = None if seen.answer is None else Response(
        status=STATUSES[seen.failed], reason=seen.reason[:200], version=version, headers=JSON,
        body=_body(seen.answer, complete=seen.complete),
    )  # fmt: skip
    return Exchange(
        sequence=sequence, direction=Direction.OUTBOUND, protocol=protocol, scheme=protocol.value, service=service,
        command=seen.command, location=seen.location, status=seen.status, started_ns=started_ns,
        duration_us=max(seen.ended - seen.started, 0) // 1000, connection=connection, error=seen.error,
        request=Request(method=seen.command, target=seen.location, version=version, headers=JSON,
                        body=_body(seen.question)),
        response=response,
    )  # fmt: skip


def _body(document: JsonValue, *, complete: bool = True) -> Body:
    return body_of(orjson.dumps(document), complete=complete)
