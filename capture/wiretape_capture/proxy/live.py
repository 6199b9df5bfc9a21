"""An exchange while it is still on the wire, and what it becomes on the tape. Reads no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from mitmproxy import http
from mitmproxy.proxy.mode_specs import ReverseMode

from wiretape_capture.protocols.http import header
from wiretape_capture.proxy import translate
from wiretape_capture.proxy.authority import authority
from wiretape_capture.proxy.body_tap import BodyTap
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.order import Ticket
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Exchange, Headers, Protocol, StreamMessage

STREAM_LIMIT = 64 * 1024 * 1024
"""Bytes of WebSocket messages kept for one exchange."""


@dataclass
class LiveExchange:
    """One exchange in progress."""

    ticket: Ticket
    listening: Listening
    connection: str
    begun: int
    """Monotonic nanoseconds at which the request was ready to be sent."""
    flow: http.HTTPFlow
    headers: Headers
    request_body: BodyTap
    response_body: BodyTap
    started_ns: int = 0
    """The same on the wall clock, Unix epoch; known when it has ended."""
    ended: int = 0
    request_done: bool = False
    response_done: bool = False
    error: str = ""
    stream: list[StreamMessage] = field(default_factory=list)
    stream_bytes: int = 0
    stream_dropped: int = 0

    @property
    def small(self) -> bool:
        """Whether both bodies are in memory."""
        return self.request_body.small and self.response_body.small

    def hear(self, from_client: bool, kind: str, content: bytes, now: int) -> None:
        """Take a WebSocket message."""
        if self.stream_bytes + len(content) > STREAM_LIMIT:
            self.stream_dropped += 1
            return
        self.stream_bytes += len(content)
        offset = max(now - self.begun, 0) // 1000
        self.stream.append(StreamMessage(from_client=from_client, offset_us=offset, kind=kind, body=body_of(content)))

    def in_memory(self) -> Exchange:
        """The finished exchange of small bodies."""
        return self.exchange(
            self.request_body.in_memory(complete=self.request_done),
            self.response_body.in_memory(complete=self.response_done),
        )

    async def bodies(self) -> tuple[Body, Body]:
        """Both bodies, once they are on the tape."""
        return (await self.request_body.finish(complete=self.request_done),
                await self.response_body.finish(complete=self.response_done))  # fmt: skip

    def exchange(self, request_body: Body, response_body: Body) -> Exchange:
        """The finished exchange with these bodies."""
        request = translate.recorded_request(self.flow.request, self.headers, request_body)
        answer = self.flow.response
        response = None if answer is None else translate.recorded_response(answer, response_body)
        return Exchange(
            sequence=self.ticket.number,
            direction=self.listening.direction,
            protocol=Protocol.HTTP if self.flow.websocket is None else Protocol.WEBSOCKET,
            scheme=self.flow.request.scheme,
            service=self._service(),
            command=request.method,
            location=request.target,
            status="" if response is None else str(response.status),
            started_ns=self.started_ns,
            duration_us=max(self.ended - self.begun, 0) // 1000,
            connection=self.connection,
            session=header(self.headers, translate.SESSION_HEADER) or "",
            trace=translate.trace(self.headers),
            error=self.error,
            request=request,
            response=response,
            stream=tuple(self.stream),
        )

    def _service(self) -> str:
        if self.listening.service:
            return self.listening.service
        request = self.flow.request
        if isinstance(self.flow.client_conn.proxy_mode, ReverseMode):
            return authority(request.host, request.port)
        return translate.named_authority(request.host, request.port, self.headers)
