"""Who listens where on this machine, read from /proc; empty answers where there is no /proc.

It only looks: it never opens, closes or reserves a port.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

LISTEN_STATE = "0A"  # TCP_LISTEN in include/net/tcp_states.h


class Listener(NamedTuple):
    """A process that holds a listening TCP socket."""

    port: int
    pid: int
    command: str


def listeners() -> list[Listener]:
    """Every listening TCP socket whose process this user may see."""
    inodes = dict(_listening_inodes())
    return [
        Listener(inodes[inode], int(process.name), _command(process))
        for process in _processes()
        for inode in _sockets(process)
        if inode in inodes
    ]


def owner(port: int) -> Listener | None:
    """Who listens on `port`."""
    return next((listener for listener in listeners() if listener.port == port), None)


def ports_of_group(group: int) -> list[int]:
    """Ports on which members of a process group listen."""
    members = set(group_members(group))
    return sorted({listener.port for listener in listeners() if listener.pid in members})


def group_members(group: int) -> list[int]:
    """Living processes of a process group; zombies are not living."""
    stats = ((int(process.name), *_group_and_state(process)) for process in _processes())
    return [pid for pid, its_group, state in stats if its_group == group and state not in "ZX"]


def _processes() -> Iterator[Path]:
    root = Path("/proc")
    if root.is_dir():
        yield from (entry for entry in root.iterdir() if entry.name.isdigit())


def _group_and_state(process: Path) -> tuple[int, str]:
    with suppress(OSError):
        # The command, in parentheses, may hold spaces and parentheses; state and group follow the last one.
        state, _parent, group = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
        return int(group), state
    return -1, ""


def _listening_inodes() -> Iterator[tuple[str, int]]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN_STATE:
                    yield f"socket:[{fields[9]}]", int(fields[1].rpartition(":")[2], 16)


def _sockets(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _command(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""
