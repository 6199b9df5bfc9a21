"""An app whose ordinary fields vary by themselves, its recording, and what can be wrong with it.

`python noisy_app.py PORT [CHANGE]`: CHANGE is a statement over `body`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import uuid
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STOCK = [{"sku": f"S{n:03}", "name": f"Tea {n}", "price": 3 + n / 4} for n in range(40)]
TAGS = ["green", "black", "white", "herbal", "rooibos", "oolong"]


class Shop(BaseHTTPRequestHandler):
    """Each process counts from another start, as an app does that has lived for a while."""

    protocol_version = "HTTP/1.1"
    change = ""
    hits = random.randrange(100, 9000)

    def do_GET(self) -> None:
        """Whatever is asked for. One promo in ten is null, from another answer on in each process."""
        Shop.hits += 1
        body: dict[str, Any] = {
            "item": self.path.rpartition("/")[2], "price": 12.5, "unit": "3f2b8c1e-9a4d-4c57-8a11-5d0f7be1a001",
            "served_by": f"web-{random.randrange(1, 60)}", "hits": Shop.hits, "tags": random.sample(TAGS, 6),
            "score": round(random.gauss(0.87, 0.004), 6), "picks": random.sample(STOCK, 4),
            "promo": None if Shop.hits % 10 == 0 else "spring sale", "trace": str(uuid.uuid4()),
        }  # fmt: skip
        exec(Shop.change)  # noqa: S102 - the fault that a test plants
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def command(port: int, change: str = "") -> tuple[str, ...]:
    """How to start it."""
    return (sys.executable, str(Path(__file__).resolve()), str(port), change)


def answers(port: int, count: int, change: str = "") -> list[tuple[str, int, bytes]]:
    """Paths, moments and bodies of so many answers of a process of its own."""
    with subprocess.Popen(command(port, change)) as app:
        try:
            return [_answer(port, f"/items/{n}") for n in range(count)]
        finally:
            app.kill()


def _answer(port: int, path: str) -> tuple[str, int, bytes]:
    for _ in range(400):
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path)
            return path, time.time_ns(), connection.getresponse().read()
        except ConnectionRefusedError:
            subprocess.run([sys.executable, "-c", ""], check=True)  # a pause as long as a start takes
        finally:
            connection.close()
    raise AssertionError("the app did not start")


if __name__ == "__main__":
    Shop.change = sys.argv[2] if len(sys.argv) > 2 else ""
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
