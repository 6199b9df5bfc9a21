"""wrk as the load: which requests it sends, and what it says at its end."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.mock.pinned import CLIENT_CORE, on_core
from benchmarks.mock.recordings import HOST, SEED
from wiretape_capture.snapshot.exchange import Exchange

NEEDED = ("nginx", "wrk", "proxychains4", "taskset")
PACKAGES = "apt-get install -y nginx-light wrk proxychains4 util-linux"
CONNECTIONS = 64
TLS_CONNECTIONS = 16

_SCRIPT = """
local requests = {{}}
for line in io.lines("{lines}") do
  local method, target, body = line:match("([^\\t]*)\\t([^\\t]*)\\t(.*)")
  local headers = {{["Host"] = "{host}"}}
  if body == "" then body = nil else headers["Content-Type"] = "application/json" end
  requests[#requests + 1] = {{method, target, headers, body}}
end
local next_one = 0
function init(args)
  for at = 1, #requests do
    local r = requests[at]
    requests[at] = wrk.format(r[1], r[2], r[3], r[4])
  end
end
function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
"""
DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "seconds": %f, "p50_us": %f, "p99_us": %f, "failed": %d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
"""The end of each script: what `load_of` reads."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk did."""

    requests: int
    per_second: float
    p50_us: float
    p99_us: float
    failed: int


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


def script(folder: Path, name: str, exchanges: Sequence[Exchange], *, prefix: str = "", shuffled: bool = True) -> Path:
    """A script that sends the recorded requests, over and over."""
    lines = [
        f"{each.request.method}\t{prefix}{each.request.target}\t{(each.request.body.data or b'').decode()}"
        for each in exchanges
    ]
    if shuffled:
        Random(SEED).shuffle(lines)
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    path = folder / f"{name}.lua"
    path.write_text(_SCRIPT.format(lines=folder / f"{name}.txt", host=HOST) + DONE)
    return path


async def run(url: str, sends: Path, seconds: int, through: Path | None = None) -> Load:
    """Load a server; `through` is a configuration of proxychains."""
    # wrk's time begins before its connections do, and each TLS handshake takes a part of it.
    connections = TLS_CONNECTIONS if url.startswith("https") else CONNECTIONS
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(sends), url]
    if through is not None:
        # It only makes the connections; what is sent over them is wrk's own.
        command = ["proxychains4", "-q", "-f", str(through), *command]
    return load_of(await output(command))


def load_of(out: str) -> Load:
    """What wrk said at its end."""
    told = json.loads(out.strip().splitlines()[-1])
    return Load(told["requests"], told["requests"] / told["seconds"], told["p50_us"], told["p99_us"], told["failed"])


async def output(command: Sequence[str]) -> str:
    """What a client on the clients' core wrote. Raises RuntimeError when it failed."""
    process = await asyncio.create_subprocess_exec(*on_core(CLIENT_CORE, command), stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed")
    return out.decode()
