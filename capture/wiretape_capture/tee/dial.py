"""Connections to services, as sockets that nothing has read from."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

from wiretape_capture.proxy.authority import is_address


async def dial(host: str, port: int) -> socket.socket:
    """Connect to the first address that accepts. Raises OSError of the last that did not."""
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, address in await _addresses(loop, host, port):
        dialled = socket.socket(family, socket.SOCK_STREAM)
        try:
            dialled.setblocking(False)
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(dialled, address)
        except OSError as error:
            dialled.close()
            failure = error
        except BaseException:
            dialled.close()
            raise
        else:
            return dialled
    raise failure or OSError("no address associated with the host name")


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[tuple[int, Any]]:
    if is_address(host):
        return [(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))]
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("name or service not known") from error
    return [(family, address) for family, _, _, _, address in found]


async def readable(*sockets: socket.socket) -> None:
    """Wait until one of the sockets has something to read, be it its end."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    for one in sockets:
        loop.add_reader(one, _ready, ready)
    try:
        await ready
    finally:
        for one in sockets:
            loop.remove_reader(one)


def _ready(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def peek(sock: socket.socket, size: int) -> bytes | None:
    """What lies there unread; empty at the end of the connection, None when there is nothing yet. Raises OSError."""
    with suppress(BlockingIOError):
        return sock.recv(size, socket.MSG_PEEK)
    return None


def has_ended(sock: socket.socket) -> bool:
    """Whether the peer sends no more: TCP_INFO begins with the state, of which 1 is ESTABLISHED (tcp(7))."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1
