"""A real app whose order numbers begin elsewhere, replayed against its mock: every call finds its own recording."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from mock_kit import CLOCK, answer, call, write_tape

from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.model import Run

APP = """
import json, sys, threading, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

number, lock, orders = int(sys.argv[2]) - 1, threading.Lock(), {}

def ask(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request("http://pay.test" + path, data, headers, method=method)
    return json.load(urllib.request.urlopen(request))

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        global number
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            number += 1
            mine = number
        charge = ask("POST", "/payments", {"order_id": mine, "amount": sent["amount"]})
        orders[mine] = charge["charge"]
        self.answer(201, {"id": mine, "charge": charge["charge"], "note": charge["note"]})

    def do_GET(self):
        mine = int(self.path.rpartition("/")[2])
        state = ask("GET", f"/payments?order_id={mine}")
        self.answer(200, {"id": mine, "charge": orders.get(mine), "state": state["state"], "amount": 17})

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
"""

JSON = (("Content-Type", "application/json"),)
HOST = (("Host", "127.0.0.1:8000"), *JSON)


def order(place: int, number: int, client: str) -> list[Exchange]:
    """One client's order: created and paid for, then polled twice. The clients come at the same time."""
    at = 20 * place + 1
    begin = CLOCK + place * 50_000_000
    shown = {"id": number, "charge": f"ch_{place}", "amount": 17}
    note = f"Order {number}, 17 EUR"
    made = {"id": number, "charge": f"ch_{place}", "note": note}

    def inbound(step: int, method: str, target: str, told: object, status: int, body: object = None) -> Exchange:
        return call(
            at + step, method, target, answer(status, told), body=body, headers=HOST, direction=Direction.INBOUND,
            service="127.0.0.1:8000", connection=client, duration_us=400_000, session=client,
        ).model_copy(update={"started_ns": begin + step * 500_000_000})  # fmt: skip

    def outbound(step: int, method: str, target: str, told: object, body: object = None) -> Exchange:
        made = call(at + step, method, target, answer(200, told), body=body, service="pay.test:80")
        return made.model_copy(update={"started_ns": begin + (step - 1) * 500_000_000 + 100_000_000})

    return [
        inbound(0, "POST", "/orders", made, 201, {"amount": 5 + place}),
        outbound(1, "POST", "/payments", {"charge": f"ch_{place}", "order_id": number, "note": note},
                 {"order_id": number, "amount": 5 + place}),
        inbound(2, "GET", f"/orders/{number}", shown | {"state": "new"}, 200),
        outbound(3, "GET", f"/payments?order_id={number}", {"state": "new", "order_id": number}),
        inbound(4, "GET", f"/orders/{number}", shown | {"state": "paid"}, 200),
        outbound(5, "GET", f"/payments?order_id={number}", {"state": "paid", "order_id": number}),
    ]  # fmt: skip


async def verified(folder: Path, port: int, first: int, exchanges: Sequence[Exchange],
                   sequences: tuple[int, ...] = ()) -> tuple[Run, list[tuple[str, str, str]]]:  # fmt: skip
    tape = await write_tape(folder / "shop.tape", exchanges)
    (folder / "app.py").write_text(textwrap.dedent(APP))
    app = AppSpec(
        command=(sys.executable, str(folder / "app.py"), str(port), str(first)), port=port, log=folder / "app.log"
    )
    spec = ReplaySpec(
        tape=tape, run=folder / "r1.run", app=app, mock=MockSpec(tape=tape, ca_dir=folder / "ca"), sequences=sequences
    )
    run = await replay(spec, lambda _event: None, asyncio.Event())
    async with await RunReader.open(folder / "r1.run") as reader:
        return run, [(each.tier, each.command, each.location) for each in await reader.journal()]


@pytest.mark.parametrize("first", [17, 18, 16, 40])
async def test_orders_of_three_clients_at_once(tmp_path: Path, free_port: Callable[[], int], first: int) -> None:
    exchanges = [each for place in range(3) for each in order(place, 17 + place, f"client-{place}")]
    run, journal = await verified(tmp_path, free_port(), first, exchanges)
    assert (run.verdict.verdict, [each.message for each in run.verdict.findings]) == ("pass", [])
    assert run.mock is not None
    assert (run.mock.miss, run.mock.hits) == (0, 9)
    assert len(journal) == 9
    if first == 40:
        assert {tier for tier, _, _ in journal} == {"normalized"}


@pytest.mark.parametrize("first", [16, 5])
async def test_part_of_a_recording(tmp_path: Path, free_port: Callable[[], int], first: int) -> None:
    """The second client's order with the writes before it. Counted from 16, the race may give it its recorded 18."""
    exchanges = [each for place in range(3) for each in order(place, 17 + place, f"client-{place}")]
    run, journal = await verified(tmp_path, free_port(), first, exchanges, sequences=(21, 23, 25))
    assert (run.verdict.verdict, [each.message for each in run.verdict.findings]) == ("pass", [])
    exact = {location for tier, _, location in journal if tier == "exact"}
    assert {tier for tier, _, _ in journal} <= {"normalized", "exact"}
    assert exact <= ({"/payments", "/payments?order_id=18"} if first == 16 else set())
