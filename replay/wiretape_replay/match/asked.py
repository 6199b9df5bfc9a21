"""What a stored request asks, whatever its protocol: the one way from a request to the parts it is matched by. Pure."""

from __future__ import annotations

from wiretape_capture.snapshot.exchange import Request
from wiretape_replay.match.parts import Parts, parts_of
from wiretape_replay.match.statements import POSTGRES, document_of, parts_of_statement


def parts_of_request(service: str, request: Request) -> Parts:
    """The normalised form of a request to `service` (already a `service_key`)."""
    if request.version == POSTGRES:
        return parts_of_statement(service, document_of(request))
    return parts_of(service, request.method, request.target, request.headers, request.body)
