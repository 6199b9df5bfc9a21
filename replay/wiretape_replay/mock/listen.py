"""The mock's open ports and what looks after their connections. It answers nothing itself."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.spec import ServiceMap
from wiretape_replay.mock.connection import Connection
from wiretape_replay.mock.conversation import House
from wiretape_replay.mock.databases.protocols import Hall
from wiretape_replay.mock.origin import PROXY, Origin, mapped

HOST = "127.0.0.1"
BACKLOG = 4096
FILES = 65_536
"""Open files, of which each connection takes one."""
TRIES = 200
"""Ports that are looked at for a free one."""
SWEEP_SECONDS = 0.25


@asynccontextmanager
async def listening(house: House, proxy: tuple[int, int], maps: Iterable[ServiceMap],
                    on_sweep: Callable[[], None]) -> AsyncIterator[dict[str, str]]:  # fmt: skip
    """Open the proxy and the maps; yields URL by role. `on_sweep` is called a few times a second.

    `proxy` is its port and, where that is 0, the port from which on the first free one is taken.
    """
    connections: set[Connection] = set()
    async with AsyncExitStack() as stack:
        wanted, first = proxy
        ports = (*range(first, first + TRIES), 0) if first and not wanted else (wanted,)
        opened = _port(house, connections, PROXY, ports, "the proxy")
        endpoints = {"proxy": await stack.enter_async_context(opened)}
        for each in maps:
            if each.scheme not in ("http", "https"):
                continue
            port = _port(house, connections, mapped(each), (each.listen,), f"map '{each.name}'")
            url = endpoints[f"map:{each.name}"] = await stack.enter_async_context(port)
            for host in (HOST, "localhost"):
                house.desk.opened(f"{host}:{url.rpartition(':')[2]}", mapped(each))
        stack.callback(_abort_all, connections)
        sweep = asyncio.create_task(_sweep(house, connections, on_sweep))
        stack.callback(sweep.cancel)
        yield endpoints


@asynccontextmanager
async def _port(house: House, connections: set[Connection], origin: Origin, ports: Sequence[int],
                role: str) -> AsyncIterator[str]:  # fmt: skip
    server = await _server(lambda: Connection(house, connections, origin), ports, role)
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def databases_listening(maps: Iterable[ServiceMap], halls: Mapping[str, Hall]) -> AsyncIterator[dict[str, str]]:
    """Open a port for each map that stands for a database; yields URL by role."""
    endpoints = {}
    servers = []
    try:
        for each in maps:
            if (hall := halls.get(each.name)) is not None:
                server = await _server(hall.connection, (each.listen,), f"map '{each.name}'")
                servers.append(server)
                port = server.sockets[0].getsockname()[1]
                endpoints[f"map:{each.name}"] = f"{each.scheme}://{HOST}:{port}"
        yield endpoints
    finally:
        for server in servers:
            server.close()
        for hall in halls.values():
            for client in tuple(hall.clients):
                client.abort()
        for server in servers:
            await server.wait_closed()


async def _server(connection: Callable[[], asyncio.Protocol], ports: Sequence[int], role: str) -> asyncio.Server:
    """Listen on the first of the ports that is free: bound while looking, so that two mocks never pick the same."""
    loop = asyncio.get_running_loop()
    *others, last = ports
    for port in others:
        with suppress(OSError):
            return await loop.create_server(connection, HOST, port, backlog=BACKLOG)
    try:
        return await loop.create_server(connection, HOST, last, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise WiretapeError(f"port {last} for {role} cannot be opened: {reason}",
                            "stop what listens there or choose another port") from error  # fmt: skip


def allow_many_connections() -> None:
    """Raise this process's own limit on open files as far as it may, up to `FILES`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _abort_all(connections: set[Connection]) -> None:
    for connection in list(connections):
        connection.abort()


async def _sweep(house: House, connections: set[Connection], on_sweep: Callable[[], None]) -> None:
    """Give up half-sent requests and write the journal."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in [each for each in connections if 0 < each.deadline < now]:
            connection.expire()
        await house.desk.journal.flush()
        on_sweep()
