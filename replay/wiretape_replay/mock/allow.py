"""Which hosts may be reached for real. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AllowList:
    """`host`, `host:port` or `*.domain`; everything else stays on this machine."""

    entries: tuple[str, ...]

    def __contains__(self, authority: object) -> bool:
        if not isinstance(authority, str) or not self.entries:
            return False
        authority = authority.lower()
        host = authority.rpartition(":")[0] or authority
        return any(_admits(entry, authority, host) for entry in self.entries)


def allow_list(entries: Sequence[str]) -> AllowList:
    """The list as the user wrote it."""
    return AllowList(tuple(entry.strip().lower() for entry in entries if entry.strip()))


def _admits(entry: str, authority: str, host: str) -> bool:
    if entry.startswith("*."):
        return host.endswith(entry[1:])
    return entry in (host, authority)


def split_authority(authority: str, default_port: int) -> tuple[str, int]:
    """Host and port to dial; an IPv6 address loses its brackets."""
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdecimal() or host.endswith(":"):
        host, port = authority, str(default_port)
    return host.removeprefix("[").removesuffix("]"), int(port)
