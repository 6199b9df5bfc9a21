"""Other load generators against the same URL: 32 connections, one core, as fast as they can."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.origin import cores

CONNECTIONS = 32
LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Tea(FastHttpUser):
    wait_time = constant(0)

    @task
    def tea(self):
        self.client.get("/tea")
"""


@dataclass(frozen=True)
class Sent:
    """What one run of a generator gave."""

    per_second: float
    cpu_us: float
    """Processor time of the generator for one request."""


def run(name: str, path: str, base: str, seconds: int, folder: Path) -> Sent:
    """Run one of them."""
    url = f"{base}/tea"
    before = _cpu()
    if name == "wrk":
        rate = _found(_said(path, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", url), r"Requests/sec:\s+([\d.]+)")
    elif name == "hey":
        said = _said(path, "-cpus", "1", "-c", str(CONNECTIONS), "-z", f"{seconds}s", url)
        rate = _found(said, r"Requests/sec:\s+([\d.]+)")
    elif name == "vegeta":
        rate = _vegeta(path, url, seconds, folder)
    else:
        rate = _locust(path, base, seconds, folder)
    return Sent(rate, (_cpu() - before) / max(rate * seconds, 1) * 1e6)


def _vegeta(path: str, url: str, seconds: int, folder: Path) -> float:
    results = folder / "vegeta.bin"
    _said(path, "attack", "-rate=0", f"-max-workers={CONNECTIONS}", f"-duration={seconds}s", f"-output={results}",
          stdin=f"GET {url}\n")  # fmt: skip
    return float(json.loads(_said(path, "report", "-type=json", str(results)))["throughput"])


def _locust(path: str, base: str, seconds: int, folder: Path) -> float:
    source = folder / "locustfile.py"
    source.write_text(LOCUSTFILE)
    for patience in (seconds, 4 * seconds):
        said = _said(path, "-f", str(source), "--headless", "-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t",
                     f"{patience}s", "--host", base, "--json", "--only-summary", "--loglevel", "ERROR")  # fmt: skip
        if told := json.loads(said[said.index("[") :]):
            break
    else:
        raise RuntimeError(f"locust sent nothing within {patience} s: the machine is too busy to measure")
    (stats,) = told
    return float(stats["num_requests"] / (stats["last_request_timestamp"] - stats["start_time"]))


def _said(*command: str, stdin: str = "") -> str:
    _, client = cores()
    ran = subprocess.run(["taskset", "-c", str(client), *command], input=stdin, capture_output=True, text=True,
                         timeout=120, check=False)  # fmt: skip
    return ran.stdout


def _found(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"nothing like {pattern} in: {text[-500:]}")
    return float(found[1])


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
