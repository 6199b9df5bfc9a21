"""wrk for as much as a server takes, hey for a rate; and what they say at their end."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mock.pinned import CLIENT_CORE, on_core

NEEDED = ("nginx", "wrk", "hey", "taskset")
PACKAGES = "apt-get install -y nginx-light wrk hey util-linux"
SUSTAINED = 2_000
"""Requests a second of the sustained load."""
_USERS = 20

_SCRIPT = """
{change}
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{{"requests": %d, "seconds": %f, "p50_us": %f, "p99_us": %f, "failed": %d}}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run did."""

    requests: int
    per_second: float
    p50_us: float
    p99_us: float
    failed: int


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


def script(folder: Path, name: str, absolute: str = "") -> Path:
    """A script that sends one request over and over; `absolute` is the target that a forward proxy is given."""
    path = folder / f"{name}.lua"
    change = f'function request() return wrk.format("GET", "{absolute}") end' if absolute else ""
    path.write_text(_SCRIPT.format(change=change))
    return path


async def as_fast_as_it_goes(url: str, sends: Path, connections: int, seconds: float) -> Load:
    """Closed loop: each connection sends again when it is answered."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(sends), url]
    out = await _output(command)
    told = json.loads(out.strip().splitlines()[-1])
    return Load(told["requests"], told["requests"] / told["seconds"], told["p50_us"], told["p99_us"], told["failed"])


async def at_a_rate(url: str, requests: int) -> tuple[int, float]:
    """So many requests at `SUSTAINED` a second: how many were answered with 200, and the rate that was reached."""
    command = ["hey", "-n", str(requests), "-c", str(_USERS), "-q", str(SUSTAINED // _USERS), url]
    out = await _output(command)
    answered = re.search(r"\[200\]\s+(\d+) responses", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    return (int(answered[1]) if answered else 0), (float(rate[1]) if rate else 0.0)


async def _output(command: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(*on_core(CLIENT_CORE, command), stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed")
    return out.decode()
