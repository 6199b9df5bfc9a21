"""A shop that calls many services, for the tests of outbound calls: `calling_app.py [--services] PORT`.

It caches, retries, polls, calls in parallel, after its answer and in the background. `VARIANT` names what was broken.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

VARIANT = os.environ.get("VARIANT", "")
SERVICES = os.environ.get("SERVICES", "")
PRICES = {"ink": 3, "pen": 2, "pad": 5, "cap": 7}


class Answering(BaseHTTPRequestHandler):
    """JSON in, JSON out."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def read(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")

    def answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Services(Answering):
    """What the shop depends on. Every answer takes a while, as over a network."""

    seen: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            self.seen[self.path] += 1
            times = self.seen[self.path]
        threading.Event().wait(0.008)
        name = self.path.split("/")[1]
        self.answer(200, {
            "config": {"currency": "EUR", "vat": 19}, "prices": PRICES, "weather": {"sky": "grey"},
            "news": ["one", "two"], "users": {"id": self.path.rpartition("/")[2], "tier": "gold"},
            "jobs": {"state": "done" if times > 2 else "pending"},
        }[name])  # fmt: skip

    def do_POST(self) -> None:
        sent = self.read()
        with self.lock:
            self.seen[f"{self.path} {sent}"] += 1
            times = self.seen[f"{self.path} {sent}"]
        threading.Event().wait(0.008)
        if self.path == "/oauth/token":
            self.answer(200, {"access_token": "t0k3n-0123456789abcdef", "expires_in": 3600})
        elif self.path == "/charges" and sent["order"] == "ord-2b" and times == 1:
            self.answer(503, {"error": "busy"})
        else:
            self.answer(201, {"ok": True})


class Shop(Answering):
    """The app."""

    kept: ClassVar[dict[str, Any]] = {}
    lock = threading.Lock()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/quotes":
            wanted = self.path.partition("skus=")[2].split("-")
            prices = [call("GET", "/prices") for _ in (wanted if VARIANT == "n+1" else [0])][-1]
            self.answer(200, {"items": [{"sku": sku, "price": prices[sku]} for sku in wanted]})
        elif path == "/dashboard":
            with ThreadPoolExecutor() as pool:
                track = pool.submit(call, "POST", "/views", {"page": "dashboard"})
                news, weather = pool.submit(call, "GET", "/news"), pool.submit(call, "GET", "/weather")
            track.result()
            self.answer(200, {"news": news.result(), "sky": weather.result()["sky"]})
        elif path.startswith("/profile/"):
            self.answer(200, remembered(f"/users/{path.rpartition('/')[2]}"))
        elif path == "/job":
            while (job := call("GET", "/jobs/7"))["state"] == "pending":
                pass
            self.answer(200, job)
        else:
            self.answer(200, {"up": True})

    def do_POST(self) -> None:
        order = self.read()
        try:
            self.answer(201, place(order))
        except urllib.error.HTTPError as error:
            self.answer(500, {"error": error.code})


def place(order: dict[str, Any]) -> dict[str, Any]:
    """Take an order: reserve, charge, audit; a mail follows later."""
    currency = remembered("/config")["currency"]
    amount = sum(PRICES[sku] for sku in order["skus"]) + (1 if VARIANT == "amount" else 0)
    steps = [lambda: call("POST", "/reservations", {"order": order["id"], "skus": order["skus"]}),
             lambda: charge(order["id"], amount)]  # fmt: skip
    for step in reversed(steps) if VARIANT == "swapped" else steps:
        step()  # type: ignore[no-untyped-call]
    if VARIANT == "twice" or (VARIANT == "twice once" and order["id"] == "ord-1c"):
        charge(order["id"], amount)
    if VARIANT != "no audit":
        call("POST", "/audit", {"kind": "order"})
    if VARIANT != "no mail":
        threading.Timer(0.05, call, ("POST", "/mails", {"order": order["id"]})).start()
    return {"id": order["id"], "amount": amount if VARIANT != "amount" else amount - 1, "currency": currency}


def charge(order: str, amount: int) -> None:
    """Charge, and again when the service is busy."""
    for _ in range(1 if VARIANT == "no retry" else 2):
        try:
            call("POST", "/charges", {"order": order, "amount": amount}, bearer())
            return
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise


def bearer() -> dict[str, str]:
    """The token, fetched once per process."""
    with Shop.lock:
        if "token" not in Shop.kept:
            Shop.kept["token"] = call("POST", "/oauth/token", {"client": "shop"})["access_token"]
    return {"Authorization": f"Bearer {Shop.kept['token']}"}


def remembered(path: str) -> Any:
    """What is read once per process."""
    with Shop.lock:
        if path not in Shop.kept or VARIANT == "no cache":
            Shop.kept[path] = call("GET", path)
    return Shop.kept[path]


def call(method: str, path: str, value: Any = None, headers: dict[str, str] | None = None) -> Any:
    """One call of a service."""
    data = json.dumps(value).encode() if value is not None else None
    sent = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(SERVICES + path, data, {**sent, **(headers or {})}, method=method)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def beat() -> None:
    """Tell that we live, for ever."""
    while not threading.Event().wait(0.1):
        call("POST", "/heartbeat", {"up": True})


if __name__ == "__main__":
    if sys.argv[1] == "--services":
        server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Services)
        print("ready", flush=True)  # noqa: T201
        server.serve_forever()
    else:
        call("POST", "/registrations", {"app": "shop"})
        threading.Thread(target=beat, daemon=True).start()
        ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
