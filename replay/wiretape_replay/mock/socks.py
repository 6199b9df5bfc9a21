"""SOCKS5 without authentication, the CONNECT command only (RFC 1928). Pure: bytes in, what to do out."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

VERSION = 5
ACCEPT_METHOD = b"\x05\x00"
NO_METHOD = b"\x05\xff"
CONNECTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
NOT_SUPPORTED = b"\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Step:
    """What a piece of the dialogue asks for."""

    reply: bytes
    used: int
    """Bytes of the input it took."""
    authority: str = ""
    """Where the client wants to go, once it has said so."""
    refused: bool = False


def greet(data: bytes) -> Step | None:
    """The client's choice of methods; None when more bytes are needed."""
    if len(data) < 2 or len(data) < 2 + data[1]:
        return None
    used = 2 + data[1]
    accepted = 0 in data[2:used]
    return Step(ACCEPT_METHOD if accepted else NO_METHOD, used, refused=not accepted)


def connect(data: bytes) -> Step | None:
    """The client's request; None when more bytes are needed."""
    if len(data) < 7:
        return None
    size = {1: 4, 3: 1 + data[4], 4: 16}.get(data[3])
    if data[0] != VERSION or data[1] != 1 or size is None:
        return Step(NOT_SUPPORTED, len(data), refused=True)
    end = 4 + size
    if len(data) < end + 2:
        return None
    (port,) = struct.unpack_from(">H", data, end)
    return Step(CONNECTED, end + 2, authority=f"{_host(data[3], data[4:end])}:{port}")


def _host(kind: int, address: bytes) -> str:
    if kind == 3:
        return address[1:].decode("latin-1")
    host = str(ipaddress.ip_address(address))
    return f"[{host}]" if kind == 4 else host
