"""What a TLS client asks for before anything is decided: its server name and its protocols. Pure (RFC 8446 §4.1.2)."""

from __future__ import annotations

from typing import NamedTuple

HANDSHAKE = 0x16
"""First byte of a TLS record that carries a handshake (RFC 8446 §5.1)."""
LIMIT = 64 * 1024
"""Bytes of a hello; real ones have at most a few thousand."""
_SERVER_NAME, _ALPN = 0, 16


class ClientHello(NamedTuple):
    """The two extensions that decide who carries the connection."""

    server_name: str
    protocols: tuple[str, ...]


class Unreadable(ValueError):
    """Bytes that are no hello."""


def client_hello(data: bytes) -> ClientHello | None:
    """The hello at the front of a connection; None when more bytes are needed. Raises Unreadable."""
    message = _message(data)
    if message is None:
        return None
    try:
        return _parse(_Cursor(message))
    except (IndexError, UnicodeDecodeError) as error:
        raise Unreadable("the hello is cut or garbled") from error


def _message(data: bytes) -> bytes | None:
    """The first handshake message, put together from as many records as it takes."""
    message, at = b"", 0
    while at + 5 <= len(data):
        if data[at] != HANDSHAKE or data[at + 1] != 3:
            raise Unreadable("this is no TLS handshake")
        size = int.from_bytes(data[at + 3 : at + 5])
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
        if len(message) >= 4:
            if message[0] != 1:
                raise Unreadable("the handshake does not begin with a hello")
            length = int.from_bytes(message[1:4])
            if length > LIMIT:
                raise Unreadable("the hello is too long")
            if len(message) >= 4 + length:
                return message[4 : 4 + length]
    return None


class _Cursor:
    """Reads length-prefixed fields; IndexError where one is cut."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """The next bytes."""
        piece = self._data[self._at : self._at + size]
        if len(piece) < size:
            raise IndexError
        self._at += size
        return piece

    def number(self, size: int) -> int:
        """The next number."""
        return int.from_bytes(self.take(size))

    def field(self, size: int) -> bytes:
        """The next field, whose length stands in front of it in `size` bytes."""
        return self.take(self.number(size))


def _parse(hello: _Cursor) -> ClientHello:
    hello.take(2 + 32)  # version and random
    hello.field(1)  # session
    hello.field(2)  # cipher suites
    hello.field(1)  # compression
    name: str = ""
    protocols: tuple[str, ...] = ()
    extensions = _Cursor(hello.field(2)) if hello else _Cursor(b"")
    while extensions:
        kind, content = extensions.number(2), _Cursor(extensions.field(2))
        if kind == _SERVER_NAME and content:
            name = _server_name(_Cursor(content.field(2)))
        elif kind == _ALPN:
            protocols = _protocols(_Cursor(content.field(2)))
    return ClientHello(name, protocols)


def _server_name(names: _Cursor) -> str:
    kind, name = names.number(1), names.field(2)
    return name.decode("ascii") if kind == 0 else ""


def _protocols(names: _Cursor) -> tuple[str, ...]:
    found: list[str] = []
    while names:
        found.append(names.field(1).decode("latin-1"))
    return tuple(found)
