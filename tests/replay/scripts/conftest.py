"""The shop, and a recording of it made by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from mock_kit import answer, call
from order_shop import Shop

from wiretape_capture.snapshot.exchange import Direction, Exchange


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def recorded() -> list[Exchange]:
    token, visit = "tok_5d41402abc4b2a76b9719d911017c592", "295c710119d9179b67a2b4cba20414d5_kot"
    own = (("Host", "shop"), ("Authorization", f"Bearer {token}"), ("Cookie", f"visit={visit}"))
    json_ = (("Content-Type", "application/json"),)
    made = answer(201, {"id": 17, "note": 'a "quoted" word'}, (*json_, ("Location", "/orders/17?fresh=yes")))

    def inbound(sequence: int, method: str, target: str, told: Any, **more: Any) -> Exchange:
        return call(sequence, method, target, told, direction=Direction.INBOUND, service="127.0.0.1:8000",
                    connection="c1", duration_us=200_000, **more)  # fmt: skip

    return [
        inbound(1, "POST", "/login", answer(200, {"token": token}, (*json_, ("Set-Cookie", f"visit={visit}; Path=/")))),
        inbound(2, "POST", "/orders", made, body={"note": "a \"quoted\" word"},
                headers=(*own, *json_, ("Idempotency-Key", "6f1b1c1e-7d0c-4c59-9a53-1f6f0f2b7a11"))),
        inbound(3, "GET", "/orders/17", answer(200, {"id": 17}), headers=own),
    ]  # fmt: skip
