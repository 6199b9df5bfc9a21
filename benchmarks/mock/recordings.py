"""What is recorded for the benchmark: endpoints of about a kilobyte that are only read, and sequences with writes.

Drawn by seed, so that every run mocks the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Headers, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter

HOST = "api.example.com"
SEED = 20261128
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "juniper", "kelp", "lagoon")
CARTS = 200
_AT_ONCE = 2_000
"""Exchanges put before the writer gets a turn."""


def endpoints(count: int, scheme: str = "http") -> Iterator[Exchange]:
    """`count` different GETs, each with an answer of its own of 0.2 to 1.5 KB of JSON."""
    draw = Random(SEED)
    for number in range(1, count + 1):
        lines = [{"sku": draw.getrandbits(40), "name": " ".join(draw.sample(WORDS, 4)), "price": draw.random()}
                 for _ in range(draw.randint(3, 20))]  # fmt: skip
        yield _exchange(number, "GET", f"/shop/items/{number}", {"id": number, "lines": lines}, scheme=scheme)


def sequences() -> Iterator[Exchange]:
    """Carts that are read, written and read again: the same GET has another answer after each write."""
    number = 0
    for cart in range(CARTS):
        path, lines = f"/carts/{cart}", list[dict[str, object]]()
        for step in range(3):
            for _ in range(2):
                number += 1
                yield _exchange(number, "GET", path, {"cart": cart, "lines": lines})
            line: dict[str, object] = {"item": WORDS[(cart + step) % len(WORDS)], "count": step + 1}
            lines = [*lines, line]
            number += 1
            yield _exchange(number, "POST", f"{path}/lines", {"added": line, "total": len(lines)}, line, 201)
        number += 1
        yield _exchange(number, "GET", path, {"cart": cart, "lines": lines})


async def write(path: Path, exchanges: Iterator[Exchange]) -> list[Exchange]:
    """Put a recording on tape."""
    written = []
    async with await TapeWriter.create(path, name=path.stem, created_ns=1) as tape:
        for number, exchange in enumerate(exchanges):
            tape.put(exchange)
            written.append(exchange)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
    return written


def distinct_bytes(exchanges: Sequence[Exchange]) -> int:
    """Bytes of the recorded heads, and of the bodies that differ."""
    bodies: dict[str, int] = {}
    heads = 0
    for each in exchanges:
        assert each.response is not None
        for message in (each.request, each.response):
            bodies[message.body.sha256] = message.body.size
            heads += sum(len(name) + len(value) + 4 for name, value in message.headers)
        heads += len(each.request.target) + len(each.request.method)
    return heads + sum(bodies.values())


def _exchange(number: int, method: str, target: str, answer: object, sent: object = None, status: int = 200,
              scheme: str = "http") -> Exchange:  # fmt: skip
    request: Headers = (("Host", HOST), ("Accept", "application/json"))
    body = Body() if sent is None else _body(sent)
    if sent is not None:
        request = (*request, ("Content-Type", "application/json"), ("Content-Length", str(body.size)))
    answered = _body(answer)
    response: Headers = (
        ("Server", "recorded"), ("Content-Type", "application/json"), ("Content-Length", str(answered.size)),
    )  # fmt: skip
    return Exchange(
        sequence=number, direction=Direction.OUTBOUND, scheme=scheme,
        service=f"{HOST}:{443 if scheme == 'https' else 80}", command=method, location=target,
        status=str(status), started_ns=number * 1_000_000, duration_us=900,
        request=Request(method=method, target=target, headers=request, body=body),
        response=Response(status=status, reason="OK", headers=response, body=answered),
    )  # fmt: skip


def _body(value: object) -> Body:
    data = json.dumps(value, separators=(",", ":")).encode()
    return Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data)
