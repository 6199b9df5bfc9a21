"""The dependency of all apps: charges, mail, stock, holds and rates, by tenant.

Run: `python -m benchmarks.apps.services PORT`.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.apps import life

RATES = {"EUR": 1.0, "USD": 1.0873, "CHF": 0.9541, "GBP": 0.8577, "SEK": 11.402, "PLN": 4.3115}
HOLDS: dict[str, dict[str, Any]] = {}


def stock(sku: str, warehouse: str) -> dict[str, Any]:
    """What lies on the shelf: by seed, so that each SKU has its own."""
    source = life.domain(f"stock:{sku}:{warehouse}")
    return {
        "sku": sku,
        "warehouse": warehouse,
        "available": source.randint(2, 40),
        "aisle": f"{source.choice('ABCD')}{source.randint(1, 9)}",
    }


def answer(method: str, target: str, body: Any) -> tuple[int, Any]:
    """Status and body."""
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    _, _, tenant, *words = parts.path.split("/")
    match (method, words):
        case ("POST", ["charges" | "refunds" as kind]):
            if body["amount"] > 900_000:
                return 402, {"error": "limit", "tenant": tenant}
            return 201, {
                "id": f"{kind[:2]}_{life.token(12)}",
                "status": "succeeded",
                "amount": body["amount"],
                "currency": body["currency"],
                "reference": body["reference"],
                "created": int(life.now()),
            }
        case ("POST", ["messages"]):
            return 202, {"message_id": f"<{life.uuid4()}@mail.test>", "accepted": [body["to"]], "queued_at": life.iso()}
        case ("GET", ["stock", sku]):
            return 200, stock(sku, query.get("warehouse", "main"))
        case ("POST", ["holds"]):
            hold = {"hold_id": life.uuid4(), "sku": body["sku"], "quantity": body["quantity"], "state": "held"}
            HOLDS[hold["hold_id"]] = hold
            return 201, hold
        case ("GET", ["rates", base]):
            quote = query["quote"]
            return 200, {"base": base, "quote": quote, "rate": round(RATES[quote] / RATES[base], 5)}
    return 404, {"error": "no such resource"}


class Services(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer any method."""
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, value = answer(self.command, self.path, body)
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Request-Id", life.uuid4())
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Services).serve_forever()
