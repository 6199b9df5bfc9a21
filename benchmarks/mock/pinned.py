"""Processes that are held to one core, and what they cost: processor time and resident memory, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

SERVER_CORE, CLIENT_CORE = 0, 1
_TICK = 1 / os.sysconf("SC_CLK_TCK")


def on_core(core: int, command: Sequence[str]) -> list[str]:
    """The command, held to one core where there are several."""
    return ["taskset", "-c", str(core if (os.cpu_count() or 1) > core else 0), *command]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children."""
    return sum(_cpu(each) for each in _family(pid))


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its children."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) * page for each in _family(pid))


def machine() -> str:
    """The machine in one line."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor")  # fmt: skip
    return f"{os.cpu_count()} cores of {model}, Linux {os.uname().release.partition('-')[0]}"


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _family(int(child))
