"""How long a coding agent waits for a server that it starts: for its handshake, and for the list of tools."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.verdict.recording import environment

COUNT = 12
_OPENING = (
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the process's start."""

    initialize_s: float
    tools_s: float


def cold_starts(folder: Path, count: int = COUNT) -> list[Start]:
    """Start `wiretape mcp` in a folder as often, one after the other; all files are in the machine's cache."""
    _start(folder)
    return [_start(folder) for _ in range(count)]


def told(starts: Sequence[Start]) -> str:
    """The medians and the machine's load."""
    return (f"Cold start of `wiretape mcp` until `initialize` is answered, median of {len(starts)}: "
            f"{statistics.median(each.initialize_s for each in starts):.2f} s; until the tools are listed: "
            f"{statistics.median(each.tools_s for each in starts):.2f} s (load of the machine: "
            f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores).")  # fmt: skip


def _start(folder: Path) -> Start:
    command = [str(Path(sys.executable).parent / "wiretape"), "mcp"]
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, env=dict(environment()), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in _OPENING))
        server.stdin.flush()
        seconds = []
        for number in (1, 2):
            answer = json.loads(server.stdout.readline())
            seconds.append(time.perf_counter() - began)
            assert (answer["id"], "result" in answer) == (number, True), answer
        server.stdin.close()
    return Start(*seconds)


if __name__ == "__main__":
    print(told(cold_starts(Path.cwd())))  # noqa: T201
