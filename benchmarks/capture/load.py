"""wrk for as much as a server takes, hey for a rate; and what they say at their end."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from benchmarks.mock.wrk import DONE, Load, load_of, output

NEEDED = ("nginx", "wrk", "hey", "taskset", "proxychains4")
PACKAGES = "apt-get install -y nginx-light wrk hey util-linux proxychains4"
SUSTAINED = 2_000
"""Requests a second of the sustained load."""
_USERS = 20


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


def script(folder: Path, name: str, absolute: str = "") -> Path:
    """A script that sends one request over and over; `absolute` is the target that a forward proxy is given."""
    path = folder / f"{name}.lua"
    change = f'function request() return wrk.format("GET", "{absolute}") end' if absolute else ""
    path.write_text(f"{change}\n{DONE}")
    return path


async def as_fast_as_it_goes(url: str, sends: Path, connections: int, seconds: float,
                             through: Path | None = None) -> Load:  # fmt: skip
    """Closed loop: each connection sends again when it is answered; `through` is a configuration of proxychains."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(sends), url]
    return load_of(await output(command if through is None else ["proxychains4", "-q", "-f", str(through), *command]))


async def at_a_rate(url: str, requests: int) -> tuple[int, float]:
    """So many requests at `SUSTAINED` a second: how many were answered with 200, and the rate that was reached."""
    command = ["hey", "-n", str(requests), "-c", str(_USERS), "-q", str(SUSTAINED // _USERS), url]
    out = await output(command)
    answered = re.search(r"\[200\]\s+(\d+) responses", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    return (int(answered[1]) if answered else 0), (float(rate[1]) if rate else 0.0)
