"""Names of hosts as they are written: in any case, and with a way out for whoever uses one that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MISDIRECTED = 421
UNKNOWN = b"this server does not go by the name in the Host header; start it with --allow-host NAME\n"


class HostNames:
    """Puts Host and Origin into lower case, which the SDK compares letter by letter, and explains its refusal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with lower-case names."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = False

        async def explained(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == MISDIRECTED:
                refused = True
                length = str(len(UNKNOWN)).encode()
                message = {**message, "headers": [(b"content-type", b"text/plain"), (b"content-length", length)]}
            elif refused and message["type"] == "http.response.body":
                message = {**message, "body": UNKNOWN}
            await send(message)

        headers = [(name, value.lower() if name in (b"host", b"origin") else value) for name, value in scope["headers"]]
        await self._app({**scope, "headers": headers}, receive, explained)
