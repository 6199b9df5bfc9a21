"""Whether the hosts of maps can be found, before the app is started: it could do nothing there.

It only asks the resolver; nothing is connected to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.spec import ServiceMap

PATIENCE = 5.0
"""Seconds for all names; who answers later is not waited for."""


async def check_hosts(maps: Iterable[ServiceMap]) -> list[str]:
    """What to tell of hosts that have no address. Raises WiretapeError where the user named one of them by `--map`."""
    services = [each for each in maps if not each.host.startswith("/")]
    problems = dict(zip(services, await asyncio.gather(*(_problem(each) for each in services)), strict=True))
    for service in (each for each in services if problems[each] and not each.found_in):
        raise WiretapeError(f"the host {service.host!r} of map '{service.name}' has no address ({problems[service]})",
                            f"correct --map {service.name}=…, or start what makes the name known first")  # fmt: skip
    return list(_told(services, problems))


def _told(services: Iterable[ServiceMap], problems: dict[ServiceMap, str]) -> Iterator[str]:
    for each in services:
        if problems[each]:
            yield (f"the host {each.host!r} that {each.found_in} names has no address ({problems[each]}); "
                   "connections to it will fail")  # fmt: skip


async def _problem(service: ServiceMap) -> str:
    """Why a host has no address; empty where it has one, or nobody knows in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            await loop.getaddrinfo(service.host, service.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return ""
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or "it is no name of a host"
    return ""
