"""What is told to a client that came to a database's port and speaks something else. Pure.

It is told at once, in its own protocol where that has a form for it, and its connection ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wiretape_capture.protocols.first_bytes import Spoken
from wiretape_capture.protocols.postgres.wire import error
from wiretape_capture.tee.client_hello import Unreadable, client_hello


class Stranger(Exception):
    """A client that does not speak what is spoken here. `spoken`: what it speaks, where that is known."""

    def __init__(self, problem: str, spoken: Spoken | None = None) -> None:
        super().__init__(problem)
        self.spoken = spoken


def _http(problem: str) -> bytes:
    body = f"{problem}\n".encode()
    return (b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (len(body), body))  # fmt: skip


_FAREWELLS: Mapping[Spoken, Callable[[str], bytes]] = {
    "HTTP": _http,
    "Redis": lambda problem: f"-ERR {problem}\r\n".encode(),
    "Postgres": lambda problem: error("08P01", problem, severity="FATAL"),
}


def farewell(stranger: Stranger) -> bytes:
    """The last words to a stranger; none where its protocol has none for this."""
    say = _FAREWELLS.get(stranger.spoken) if stranger.spoken is not None else None
    return say(f"wiretape: {stranger}") if say is not None else b""


def check_hello(data: bytes) -> None:
    """Raises Stranger for bytes that begin as TLS does and are no hello of a client: TLS would wait for their end."""
    try:
        client_hello(data)
    except Unreadable as problem:
        raise Stranger(f"it begins as TLS does, and {problem}") from problem
