"""A small app that was recorded by the real recorder, for clients that are not ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from workbench import Bench

APP = '''\
"""Orders over HTTP: python app.py PORT."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRICES = {"mug": 890, "lamp": 5999, "kettle": 3490}


def order(number, sku, quantity):
    return {"id": number, "sku": sku, "quantity": quantity, "total": PRICES[sku] * quantity, "currency": "EUR"}


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, route, *rest = self.path.split("/")
        if route == "health":
            return self.reply(200, {"ok": True})
        if route == "orders" and rest:
            return self.reply(200, order(int(rest[0]), "lamp", int(rest[0]) + 1))
        self.reply(404, {"error": "not found"})

    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Orders).serve_forever()
'''
GOOD = '"total": PRICES[sku] * quantity'
BROKEN = '"total": str(PRICES[sku] * quantity)'
SNAPSHOT = "orders"


@dataclass(frozen=True)
class SmallProject:
    """A folder with app.py, wiretape.toml and one snapshot."""

    root: Path
    port: int

    @property
    def app(self) -> Path:
        """The file that is edited."""
        return self.root / "app.py"

    def write(self) -> None:
        """The app as it was recorded."""
        self.app.write_text(APP, encoding="utf-8")

    def damage(self) -> None:
        """The app with a total that became text."""
        assert GOOD in APP
        self.app.write_text(APP.replace(GOOD, BROKEN), encoding="utf-8")


def recorded_project(root: Path, free_port: Callable[[], int]) -> SmallProject:
    """Write the app and record three requests to it."""
    project = SmallProject(root, free_port())
    root.mkdir(parents=True, exist_ok=True)
    project.write()
    command = [sys.executable, "app.py", str(project.port)]
    listed = ", ".join(f'"{word}"' for word in command)
    (root / "wiretape.toml").write_text(f'[app]\ncommand = [{listed}]\nport = {project.port}\nready = "/health"\n')
    with Bench(root, free_port).recording(SNAPSHOT, project.port, command) as base:
        for number in (1, 2, 3):
            httpx.get(f"{base}/orders/{number}", timeout=30, trust_env=False).raise_for_status()
    return project
