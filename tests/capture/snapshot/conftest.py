"""A tape with a bit of everything, and a way to write any exchanges into one."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import (
    Direction,
    Exchange,
    Protocol,
    Request,
    Response,
    SnapshotInfo,
    StreamMessage,
)
from wiretape_capture.snapshot.tape_writer import TapeWriter

type WriteTape = Callable[[Path, Sequence[Exchange]], Awaitable[SnapshotInfo]]

SECOND = 1_000_000_000


def made(sequence: int, target: str = "/orders/42?full=1", *, status: int = 200, service: str = "shop.local:8000",
         direction: Direction = Direction.INBOUND, method: str = "GET",
         body: bytes = b'{"id": 42}') -> Exchange:  # fmt: skip
    """A plain JSON exchange."""
    return Exchange(
        sequence=sequence, direction=direction, service=service, command=method, location=target, status=str(status),
        started_ns=1_700_000_000 * SECOND + sequence, duration_us=1500 + sequence,
        request=Request(method=method, target=target, headers=(("Host", service), ("Accept", "*/*"))),
        response=Response(status=status, reason="OK", headers=(("Content-Type", "application/json"),),
                          body=body_of(body)),
    )  # fmt: skip


def varied() -> list[Exchange]:
    """Duplicates, case, raw bytes, gzip, trailers, a failed peer, an absent answer, a WebSocket."""
    zipped = gzip.compress(b'{"name": "J\xc3\xbcrgen"}', mtime=0)
    first = Exchange(
        sequence=1, direction=Direction.INBOUND, scheme="https", service="shop.local:443", command="POST",
        location="/orders?a=%20b&a=2#x", status="201", started_ns=1_700_000_000_123_456_789, duration_us=987_654_321,
        connection="c1", session="s", trace="4bf92f3577b34da6a3ce929d0e0e4736",
        request=Request(
            method="POST", target="/orders?a=%20b&a=2#x", version="HTTP/1.0",
            headers=(("set-Cookie", "a=1"), ("SET-COOKIE", "b=2"), ("x-raw", "\xe9\x80\xff"), ("x-empty", ""),
                     ("x-space", "  two  "), ("we:ird", "a: b"), ("back\\slash", "\\x41")),
            body=body_of(b"\x00\xff\xfe binary\r\n"), trailers=(("X-Sum", "1"), ("x-sum", "2")),
        ),
        response=Response(status=201, reason="Created  it\xe9", version="HTTP/2",
                          headers=(("Content-Type", "application/json"), ("Content-Encoding", "gzip")),
                          body=body_of(zipped), trailers=(("grpc-status", "0"),)),
    )  # fmt: skip
    cut = made(2).model_copy(update={
        "error": "peer reset", "direction": Direction.OUTBOUND,
        "response": Response(status=200, headers=(("Content-Type", "text/plain"),),
                             body=body_of(b"ha", complete=False)),
    })  # fmt: skip
    silent = made(3).model_copy(update={"response": None, "status": "", "error": "connection refused"})
    frames = (
        StreamMessage(from_client=True, offset_us=5, kind="text", body=body_of("grüß".encode())),
        StreamMessage(from_client=False, offset_us=9, kind="binary", body=body_of(b"\xff\x00")),
        StreamMessage(from_client=False, offset_us=10, kind="text", body=body_of(b"", complete=False)),
    )
    socket = made(7, status=101).model_copy(update={"protocol": Protocol.WEBSOCKET, "stream": frames, "command": "WS"})
    return [first, cut, silent, socket]


async def write_tape(path: Path, exchanges: Sequence[Exchange]) -> SnapshotInfo:
    """A closed tape that holds the exchanges."""
    tape = await TapeWriter.create(path, name=path.stem, created_ns=1_700_000_000 * SECOND, app_command=("run", "it"))
    for exchange in exchanges:
        tape.put(exchange)
    tape.note("frames dropped", 3)
    return await tape.close()


@pytest.fixture
def tape_of() -> WriteTape:
    return write_tape


@pytest.fixture
def exchanges() -> list[Exchange]:
    return varied()


@pytest.fixture
def plain() -> Callable[..., Exchange]:
    return made
