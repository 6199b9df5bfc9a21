"""JSON bodies of a given size and what was changed in them, and how long each takes to compare.

Every figure is CPU time of the one thread that compares, as the median of interleaved repetitions; the reference reads
both texts with the standard library, which any comparison has to do first.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from random import Random
from statistics import median
from typing import Any, NamedTuple

import jsonpatch

from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Request, Response
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.response import compare
from wiretape_replay.formats import Window
from wiretape_replay.routes import RouteTable

SEED = 20261128
START_NS = 1_790_000_000 * 10**9
PATCHED = 200_000
"""Bytes above which jsonpatch, whose time grows with the square of an array, is not tried."""

type Rows = list[dict[str, Any]]


class Cell(NamedTuple):
    """One size and one change; milliseconds of CPU."""

    size: int
    change: str
    ours: float
    read: float
    """The standard library reads both texts."""
    patch: float | None
    """jsonpatch renders the difference of two values that were read already."""
    differences: int


def one_value(rows: Rows) -> None:
    """A price in the middle."""
    rows[len(rows) // 2]["price"] += 1


def every_value(rows: Rows) -> None:
    """The price of each row."""
    for row in rows:
        row["price"] += 1


def dropped(rows: Rows) -> None:
    """A row is gone."""
    del rows[len(rows) // 3]


def shuffled(rows: Rows) -> None:
    """Another order."""
    Random(SEED).shuffle(rows)


def keyless(rows: Rows) -> None:
    """One row went and one came, and nothing identifies a row."""
    del rows[len(rows) // 2]
    rows.insert(3, {"name": "new one", "price": 1})


CHANGES: dict[str, Callable[[Rows], None]] = {
    "one value": one_value, "one row gone": dropped, "other order": shuffled, "every row": every_value,
    "no key, one row gone, one new": keyless,
}  # fmt: skip


def rows_of(size: int) -> Rows:
    """Rows that take about `size` bytes."""
    draw = Random(SEED)
    rows: Rows = []
    written = 0
    while written < size:
        number = len(rows)
        rows.append({
            "id": number, "name": f"item {number}", "price": draw.randrange(1, 9_900) / 100, "active": True,
            "tags": ["a", "b", "c"], "nested": {"x": number * 2, "y": None, "text": "some text here"},
            "created_at": "2026-09-21T14:13:20Z",
        })  # fmt: skip
        written += len(json.dumps(rows[-1])) + 2
    return rows


def measured(size: int, change: str, repetitions: int) -> Cell:
    """Compare a body with its changed copy."""
    rows = rows_of(size)
    if change.startswith("no key"):
        rows = [{"name": row["name"], "price": row["price"]} for row in rows]
    live = json.loads(json.dumps(rows))
    CHANGES[change](live)
    texts = [json.dumps({"rows": each}) for each in (rows, live)]
    recorded, answer = (_response(text) for text in texts)
    exchange = _exchange(recorded)
    plan = find_bindings([exchange])
    noise = NoiseModel.learn([exchange], plan, routes=RouteTable.infer([("GET", "/things")]))
    window = Window(START_NS, START_NS + 10**9)
    ours, read, patch = list[float](), list[float](), list[float]()
    found = 0
    for _ in range(repetitions):
        began = time.thread_time()
        result = compare(exchange, answer, route="GET /things", noise=noise, session=LiveSession(plan),
                         live_window=window)  # fmt: skip
        ours.append(time.thread_time() - began)
        found = len(result.differences)
        began = time.thread_time()
        values = [json.loads(text) for text in texts]
        read.append(time.thread_time() - began)
        if size <= PATCHED:
            began = time.thread_time()
            jsonpatch.make_patch(*values)
            patch.append(time.thread_time() - began)
    return Cell(len(texts[0]), change, 1000 * median(ours), 1000 * median(read),
                1000 * median(patch) if patch else None, found)  # fmt: skip


def _response(text: str) -> Response:
    data = text.encode()
    body = Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data)
    return Response(status=200, headers=(("Content-Type", "application/json"),), body=body)


def _exchange(recorded: Response) -> Exchange:
    return Exchange(
        sequence=1, direction=Direction.INBOUND, service="127.0.0.1:8000", command="GET", location="/things",
        status="200", started_ns=START_NS, duration_us=1000, connection="c1",
        request=Request(method="GET", target="/things", headers=(("Host", "127.0.0.1:8000"),)), response=recorded,
    )  # fmt: skip
