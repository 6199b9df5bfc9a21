"""Connections that an app's processes opened past the recorder, as far as Linux shows them. Never touches a socket.

A look sees the sockets that are open at that moment: one that lived between two looks is missed, so the numbers are
lower bounds. Where there is no /proc nothing is seen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from wiretape_capture.launch.ports import group_members
from wiretape_capture.proxy.authority import authority

LISTEN = "0A"
"""TCP_LISTEN in include/net/tcp_states.h."""
EVERY = 0.2
"""Seconds between two looks."""
MEMBERS_EVERY = 5
"""Looks after which the group's processes are listed again."""
TRIES = 5
"""Looks after which a socket that is in no TCP table is taken for one of another kind."""
REMEMBERED = 10_000
"""Connections counted apart; beyond it the counts stop growing."""


class Socket(NamedTuple):
    """One row of /proc/net/tcp or tcp6."""

    inode: str
    local: tuple[str, int]
    remote: tuple[str, int]
    listening: bool


class Bypass:
    """Counts what an app's process group connected to that is none of our ports."""

    def __init__(self, own_ports: Iterable[int]) -> None:
        self._own = frozenset(own_ports)
        self._seen: dict[str, tuple[str, int]] = {}
        self._looks = 0
        self._members: list[int] = []
        self._tried: Counter[str] = Counter()

    async def watch(self, group: int) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.to_thread(self.look, group)
            await asyncio.sleep(EVERY)

    def look(self, group: int) -> None:
        """Look once at the sockets of a process group; costs milliseconds, so only at what is new."""
        if self._looks % MEMBERS_EVERY == 0:
            self._members = group_members(group)
        self._looks += 1
        held = {inode for pid in self._members for inode in inodes(pid)}
        new = {inode for inode in held if self._tried[inode] < TRIES}
        self._tried = Counter({inode: self._tried[inode] for inode in held})
        if not new:
            return
        self._tried.update(new)
        for pid in self._members[:1]:  # one network namespace, one table
            rows = [row for text in tables(pid) for row in parse(text, held)]
            self._tried.update({row.inode: TRIES for row in rows if row.listening or row.remote[1]})
            self.take(rows)

    def take(self, sockets_of_app: Sequence[Socket]) -> None:
        """Count the direct connections among the app's sockets."""
        for row in direct(sockets_of_app, self._own):
            if len(self._seen) < REMEMBERED:
                self._seen.setdefault(row.inode, row.remote)

    def notes(self) -> list[str]:
        """One sentence a destination."""
        return [
            f"the app opened {count} direct connection{'s' if count > 1 else ''} to {authority(*remote)} "
            f"that {'were' if count > 1 else 'was'} not recorded"
            for remote, count in Counter(self._seen.values()).items()
        ]


def direct(app: Sequence[Socket], own_ports: frozenset[int]) -> list[Socket]:
    """The sockets that the app opened to somewhere else than to us or to itself."""
    listening = {row.local[1] for row in app if row.listening}
    return [
        row for row in app
        if not row.listening
        and row.remote[1] != 0
        and row.local[1] not in listening
        and not (ip_address(row.remote[0]).is_loopback and row.remote[1] in own_ports | listening)
    ]  # fmt: skip


def parse(table: str, held: Set[str]) -> Iterator[Socket]:
    """The rows of a /proc/net/tcp or tcp6 table that these inodes name; closed connections have none."""
    for line in table.splitlines()[1:]:
        fields = line.split(maxsplit=10)
        if len(fields) > 9 and fields[9] in held:
            yield Socket(fields[9], endpoint(fields[1]), endpoint(fields[2]), fields[3] == LISTEN)


def endpoint(text: str) -> tuple[str, int]:
    """`0100007F:1F90` as address and port: 32-bit words in the machine's byte order (little-endian on Linux today)."""
    words, _, port = text.partition(":")
    packed = b"".join(bytes.fromhex(words[start : start + 8])[::-1] for start in range(0, len(words), 8))
    address = ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address), int(port, 16)


def tables(pid: int) -> Iterator[str]:
    """The TCP tables of a process's network namespace."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            yield Path(f"/proc/{pid}/net/{name}").read_text()


def inodes(pid: int) -> Iterator[str]:
    """The sockets that a process holds."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]
