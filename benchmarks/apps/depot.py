"""A shipping depot on the standard library: KSUIDs, maps keyed by ids, CSV, NDJSON, stock.

Run: `python -m benchmarks.apps.depot PORT`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.apps import life

type Answer = tuple[int, str, bytes]


class Depot:
    """All that the depot remembers."""

    def __init__(self) -> None:
        source = life.domain("depot")
        self.tenant = source.choice(("harbor", "inland"))
        self.carriers = {
            code: {
                "label": f"{code} Express",
                "base_cents": source.randint(300, 900),
                "per_kg": round(source.uniform(0.5, 4), 2),
                "countries": sorted(source.sample(["DE", "FR", "PL", "SE", "PT", "CH"], 3)),
            }
            for code in source.sample(["DHX", "UPZ", "FDQ", "GLK", "PST"], 3)
        }
        self.shipments: dict[str, dict[str, Any]] = {}
        self.last = life.counter()
        self.started = life.iso()


depot = Depot()


def as_json(status: int, value: Any) -> Answer:
    """A JSON answer."""
    return status, "application/json; charset=utf-8", json.dumps(value, ensure_ascii=False).encode()


def create(wanted: dict[str, Any]) -> Answer:
    """Hold the stock, then make a shipment."""
    parcels = []
    for index, item in enumerate(wanted["items"]):
        _, stock = life.call("GET", f"/t/{depot.tenant}/stock/{item['sku']}?warehouse={wanted['warehouse']}")
        status, hold = life.call("POST", f"/t/{depot.tenant}/holds", {"sku": item["sku"], "quantity": item["quantity"]})
        if status != 201:
            return as_json(409, {"error": "out of stock", "sku": item["sku"]})
        parcels.append(
            {
                "no": index + 1,
                "sku": item["sku"],
                "quantity": item["quantity"],
                "aisle": stock["aisle"],
                "hold_id": hold["hold_id"],
                "weight_kg": round(0.35 * item["quantity"], 2),
            }
        )
    depot.last += 1
    carrier = depot.carriers[wanted["carrier"]]
    weight = sum(parcel["weight_kg"] for parcel in parcels)
    shipment = {
        "shipment_id": life.ksuid(),
        "reference": f"SHP-{depot.last:06d}",
        "carrier": wanted["carrier"],
        "state": "created",
        "cost_cents": carrier["base_cents"] + round(weight * carrier["per_kg"] * 100),
        "parcels": parcels,
        "to": wanted["to"],
        "created_at": life.now(),
        "label_url": f"https://labels.test/{life.token(12)}.pdf",
        "insured": wanted.get("insured", False),
    }
    depot.shipments[shipment["shipment_id"]] = shipment
    return as_json(201, shipment)


def advance(shipment: dict[str, Any], wanted: dict[str, Any]) -> Answer:
    """Move a shipment to its next state."""
    shipment["state"] = wanted["state"]
    shipment.setdefault("events", []).append(
        {"state": wanted["state"], "at": life.iso(style="second"), "by": wanted["scanner"]}
    )
    return as_json(
        200, {"shipment_id": shipment["shipment_id"], "state": shipment["state"], "events": shipment["events"]}
    )


def listing(query: dict[str, str]) -> Answer:
    """The shipments by id, and how they are spread."""
    wanted = [one for one in depot.shipments.values() if query.get("state", one["state"]) == one["state"]]
    by_id = {
        one["shipment_id"]: {"state": one["state"], "cost_cents": one["cost_cents"], "carrier": one["carrier"]}
        for one in wanted
    }
    return as_json(200, {"shipments": by_id, "count": len(by_id), "elapsed_ms": life.measured(0.4, 30)})


def table(_: dict[str, str]) -> Answer:
    """A CSV export."""
    rows = [
        f"{one['reference']},{one['carrier']},{one['state']},{one['cost_cents']},{one['to']['city']}"
        for one in depot.shipments.values()
    ]
    return 200, "text/csv; charset=utf-8", "\r\n".join(["reference,carrier,state,cost_cents,city", *rows, ""]).encode()


def stream(_: dict[str, str]) -> Answer:
    """All events as NDJSON."""
    lines = [
        json.dumps({"shipment_id": one["shipment_id"], "carrier": one["carrier"], **event})
        for one in depot.shipments.values()
        for event in one.get("events", [])
    ]
    return 200, "application/x-ndjson", "".join(f"{line}\n" for line in lines).encode()


def status(_: dict[str, str]) -> Answer:
    """What this process is."""
    return as_json(
        200,
        {
            "service": "depot",
            "version": "4.2.1",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": depot.started,
            "load": life.measured(0.01, 0.99),
            "carriers": sorted(depot.carriers),
            "healthy": True,
        },
    )


def answer(method: str, target: str, wanted: Any) -> Answer:
    """Route one request."""
    global depot
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    match (method, parts.path.split("/")[1:]):
        case ("POST", ["__reset"]):
            depot = Depot()
            return 204, "", b""
        case ("GET", ["status"]):
            return status(query)
        case ("GET", ["carriers"]):
            return as_json(200, depot.carriers)
        case ("POST", ["shipments"]):
            return create(wanted)
        case ("GET", ["shipments"]):
            return listing(query)
        case ("GET", ["shipments.csv"]):
            return table(query)
        case ("GET", ["events"]):
            return stream(query)
        case (_, ["shipments", number, *rest]) if number in depot.shipments:
            shipment = depot.shipments[number]
            return advance(shipment, wanted) if rest else as_json(200, shipment)
    return as_json(404, {"error": "not found", "path": parts.path})


class Requests(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer any method."""
        length = int(self.headers.get("Content-Length") or 0)
        wanted = json.loads(self.rfile.read(length)) if length else None
        if self.headers.get("X-Api-Key") != "depot-key-1" and not self.path.startswith("/__"):
            code, kind, data = as_json(401, {"error": "an API key is needed"})
        else:
            code, kind, data = answer(self.command, self.path, wanted)
        self.send_response(code)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("X-Trace-Id", life.uuid4().replace("-", ""))
        self.send_header("X-Depot-Tenant", depot.tenant)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Requests).serve_forever()
