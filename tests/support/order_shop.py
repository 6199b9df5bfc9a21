"""A shop whose tokens, ids and idempotency keys are of one run only."""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from http.server import ThreadingHTTPServer
from typing import Any

from json_app import JsonHandler


class Shop(ThreadingHTTPServer):
    """Counts its answers by method, path without ids, and status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.tokens: set[str] = set()
        self.keys: set[str] = set()
        self.orders: dict[int, Any] = {}
        self.answers: Counter[tuple[str, str, int]] = Counter()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Requests(JsonHandler):
    server: Shop

    def tell(self, status: int, body: Any, **headers: str) -> None:
        parts = [part for part in self.path.split("/") if part and not part.isdecimal()]
        with self.server.lock:
            self.server.answers[self.command, "/".join(parts), status] += 1
        self.send_json(status, json.dumps(body).encode(), **headers)

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path == "/login":
            token = f"tok_{uuid.uuid4().hex}"
            self.server.tokens.add(token)
            self.tell(200, {"token": token}, Set_Cookie=f"visit={token[::-1]}; Path=/; HttpOnly")
        elif not self.known():
            self.tell(401, {})
        elif (key := self.headers.get("Idempotency-Key", "")) in self.server.keys:
            self.tell(409, {})
        else:
            with self.server.lock:
                self.server.keys.add(key)
                number = 900 + len(self.server.orders)
                self.server.orders[number] = sent
            self.tell(201, {"id": number, "note": sent["note"]}, Location=f"/orders/{number}?fresh=yes")

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2].partition("?")[0])
        if not self.known():
            self.tell(401, {})
        elif number not in self.server.orders:
            self.tell(404, {})
        else:
            self.tell(200, {"id": number})

    def known(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return token in self.server.tokens and f"visit={token[::-1]}" in self.headers.get("Cookie", "")
