"""What a server speaks that gives no answer in the protocol that its map names: a wrong URL is told, not waited out.

Asked only where the server stays quiet, hangs up or says something strange: on connections of its own, with nothing
that changes anything.
"""

from __future__ import annotations

import asyncio
import re

from wiretape_capture.databases.side import Side
from wiretape_capture.databases.upstream import dial
from wiretape_capture.protocols.postgres.wire import SSL_REQUEST

QUIET_SECONDS = 1.5
"""For a server's first answer; drivers wait for 5 s and more."""
GREETING_SECONDS = 0.5
ANSWER_SECONDS = 1.0
_MYSQL_VERSIONS = (9, 10, 255)
"""Of a greeting's protocol, and what begins an error in its place."""
_REDIS = re.compile(rb"\+PONG\r\n|-(?:ERR|NOAUTH|NOPERM|DENIED|LOADING|MISCONF|MASTERDOWN|BUSY) ")
_TLS_ALERT = re.compile(rb"\x15\x03[\x00-\x04]")


class OtherSpoken(ConnectionError):
    """The server speaks another protocol."""

    def __init__(self, spoken: str, protocol: str) -> None:
        super().__init__(f"it speaks {spoken}, not {protocol}: correct the map's URL")
        self.spoken = spoken


async def first_answer(server: Side, address: tuple[str, int], protocol: str) -> None:
    """Wait until a server that was asked something begins to answer, or is quiet for long. Raises OtherSpoken."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            await server.arrived()
    except TimeoutError:
        pass
    spoken = await spoken_at(*address) if server.idle else spoken_in(server.ahead)
    if spoken not in ("", protocol):
        raise OtherSpoken(spoken, protocol)


async def spoken_at(host: str, port: int) -> str:
    """The protocol of a server, found out by asking; empty where that cannot be told."""
    found = await asyncio.gather(
        _answer(host, port, (8).to_bytes(4) + SSL_REQUEST.to_bytes(4)), _answer(host, port, b"PING\r\n")
    )
    if found[0] in (b"S", b"N"):
        return "Postgres"
    return spoken_in(found[0]) or spoken_in(found[1])


def spoken_in(answer: bytes) -> str:
    """The protocol of a server's first bytes; empty where they do not tell."""
    if _REDIS.match(answer):
        return "Redis"
    if answer.startswith(b"HTTP/1."):
        return "HTTP"
    if answer.startswith(b"SSH-"):
        return "SSH"
    if _TLS_ALERT.match(answer):
        return "TLS"
    if len(answer) > 4 and answer[2:4] == b"\0\0" and answer[4] in _MYSQL_VERSIONS:
        return "MySQL"
    return ""


async def _answer(host: str, port: int, question: bytes) -> bytes:
    """What a server says of itself, else to a question."""
    try:
        server = await dial(host, port)
    except (OSError, TimeoutError):
        return b""
    try:
        await _heard(server, GREETING_SECONDS)
        if server.idle:
            server.write(question)
            await _heard(server, ANSWER_SECONDS)
        return server.ahead
    finally:
        server.abort()


async def _heard(server: Side, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await server.arrived()
    except TimeoutError:
        return
