"""Requests that came before skip the parser and much of the matching. Nobody may be able to tell from what comes back,
from the journal or from what later requests get.
"""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mock_kit import answer, call

from wiretape_capture.launch.ca import load_or_create
from wiretape_capture.snapshot.exchange import Direction, Exchange, Headers
from wiretape_replay.match.causal import AtEnd
from wiretape_replay.match.index import build_index
from wiretape_replay.match.knowledge import Knowledge, Number
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.match.numbered import NumberedMatcher
from wiretape_replay.match.serials import learn_serials
from wiretape_replay.mock.allow import allow_list
from wiretape_replay.mock.answer import AnswerBuilder
from wiretape_replay.mock.connection import Connection
from wiretape_replay.mock.conversation import House, Seconds
from wiretape_replay.mock.desk import Desk
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.origin import Origin
from wiretape_replay.mock.seen import Seen
from wiretape_replay.mock.tls import Certificates

API = Origin("http", "api.example.com:80")
A = "5f0c8f3e-5b1e-4c59-9f6e-0a1b2c3d4e5f"
B = "0d9a1d52-7c3b-4b7e-8a53-3c2f1e0d9b8a"
LAST = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Sent:
    """One request, recorded or live."""

    method: str
    path: str
    body: Any = None
    headers: Headers = ()

    def raw(self, mark: str = "") -> bytes:
        """On the wire; a mark makes the bytes new without making it another request."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            "Host: x",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        if self.body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, *([f"User-Agent: {mark}"] if mark else []), "", ""]).encode() + body


@cache
def _certificates() -> Certificates:
    with tempfile.TemporaryDirectory() as folder:
        return Certificates(load_or_create(Path(folder), {}))


async def _no_bodies(sha256: str) -> AsyncIterator[bytes]:
    """No answer here is so large that it would be streamed from a tape."""
    raise AssertionError(sha256)
    yield b""


class Mock:
    """What answers from some exchanges, without a port: connections are handed to it."""

    def __init__(self, exchanges: Sequence[Exchange], journal: Path, at_end: AtEnd = "repeat") -> None:
        index, builder = build_index(exchanges), AnswerBuilder()
        answers = {each.sequence: builder.build(each, 1 << 20) for each in exchanges}
        matcher, self.knowledge = Matcher(index, at_end), Knowledge()
        numbered = NumberedMatcher(matcher, learn_serials(index, exchanges), self.knowledge)
        self._file = journal
        self.journal, self.seen = Journal(journal), Seen()
        desk = Desk(index, matcher, answers, self.journal, numbered=numbered)
        self._house = House(desk, _certificates(), allow_list(()), _no_bodies, print, Seconds(), self.seen)
        self._connections: set[Connection] = set()

    async def ask(self, *pieces: bytes, apart: bool = False) -> bytes:
        """Send the pieces over one connection, and all that comes back until it ends.

        Apart: each piece is a request that is sent when the one before was answered.
        """
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Connection(self._house, self._connections, API), theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        answered = self.journal.total
        async with asyncio.timeout(30):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                answered += 1
                await asyncio.sleep(0)
                while apart and self.journal.total < answered:  # noqa: ASYNC110 - nobody tells of an answer
                    await asyncio.sleep(0)
            data = await reader.read()
        writer.close()
        return data

    async def lines(self) -> list[dict[str, Any]]:
        """The journal without its times."""
        await self.journal.close()
        lines = [json.loads(line) for line in self._file.read_bytes().splitlines()]
        return [{name: value for name, value in line.items() if name != "at_ns"} for line in lines]


def recorded(sequence: int, sent: Sent, told: Any, status: int, chunked: bool) -> Exchange:
    framing = (("Transfer-Encoding", "chunked"),) if chunked else ()
    return call(sequence, sent.method, sent.path, answer(status, told, (("X-Id", A), *framing)), body=sent.body,
                headers=(*sent.headers, ("Content-Type", "application/json")))  # fmt: skip


def order(number: int) -> list[Exchange]:
    """The app creates an order and makes calls that carry its number."""
    app: dict[str, Any] = {
        "direction": Direction.INBOUND, "service": "127.0.0.1:8000", "duration_us": 900_000,
    }  # fmt: skip
    return [
        call(1, "POST", "/orders", answer(201, {"id": number}), body={"amount": 5}, **app),
        call(2, "POST", "/pay", answer(200, {"order_id": number}), body={"order_id": number}),
        call(3, "GET", f"/ships/order-{number}", answer(200, {"order": {"id": number}})),
        call(4, "GET", "/a", answer(200, {"last": {"order_id": number}})),
    ]


BODIES = st.sampled_from([None, {"n": 1}, {"n": 2}, {"id": A}, {"id": B}])
SENT = st.builds(
    Sent, st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE"]),
    st.sampled_from(["/a", "/a/b", f"/a/{A}", f"/a/{B}", "/c?x=1", "/pay", "/ships/order-17", "/ships/order-18"]),
    BODIES,
    st.sampled_from([(), (), (("wiretape-session", "s1"),), (("wiretape-session", "s2"),), (("X-Tenant", "t"),)]),
)  # fmt: skip
RECORDED = st.tuples(
    SENT, st.sampled_from([{"n": 1}, {"id": A}, None]), st.sampled_from([200, 204, 503]), st.booleans()
)
TOLD: st.SearchStrategy[Number] = st.sampled_from([("order", "17", "18"), ("order", "17", "19")])


@settings(deadline=None, max_examples=60)
@given(
    recording=st.lists(RECORDED, min_size=1, max_size=12), numbered=st.booleans(),
    live=st.lists(st.one_of(SENT, SENT, SENT, st.integers(0, 11), TOLD), min_size=1, max_size=12),
    at_end=st.sampled_from(["repeat", "repeat", "cycle", "fail"]), together=st.integers(1, 5), apart=st.booleans(),
)  # fmt: skip
def test_remembered_requests_get_what_new_ones_get(
    recording: list[tuple[Sent, Any, int, bool]], numbered: bool, live: list[Sent | int | Number], at_end: AtEnd,
    together: int, apart: bool,
) -> None:  # fmt: skip
    first = order(17) if numbered else []
    calls = [recorded(number, *each) for number, each in enumerate(recording, 1 + len(first))]
    asked = [recording[each % len(recording)][0] if isinstance(each, int) else each for each in live] * 3
    asyncio.run(_same(first + calls, asked, at_end, together, apart=apart))


FEW = st.builds(
    Sent, st.sampled_from(["GET", "GET", "POST"]), st.sampled_from(["/a", "/a/b", "/c"]),
    st.sampled_from([None, None, {"n": 1}]),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    recording=st.lists(st.tuples(FEW, st.sampled_from([{"n": 1}, {"n": 2}, None]), st.just(200), st.booleans()),
                       min_size=1, max_size=8),
    live=st.lists(st.integers(0, 7), min_size=1, max_size=6), at_end=st.sampled_from(["repeat", "cycle", "fail"]),
)  # fmt: skip
def test_what_is_asked_over_and_over_gets_what_new_requests_get(
    recording: list[tuple[Sent, Any, int, bool]], live: list[int], at_end: AtEnd
) -> None:
    """Few requests on one connection, each after the answer to the one before: most are answered at once."""
    calls = [recorded(number, *each) for number, each in enumerate(recording, 1)]
    asked = list[Sent | Number](recording[each % len(recording)][0] for each in live) * 6
    asyncio.run(_same(calls, asked, at_end, len(asked), apart=True))


async def _same(exchanges: list[Exchange], asked: list[Sent | Number], at_end: AtEnd, together: int, *,
                apart: bool) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        known, new = (Mock(exchanges, Path(folder) / name, at_end) for name in ("known", "new"))
        mark = 0
        while asked:
            some: list[Sent] = []
            while asked and isinstance(asked[0], Sent) and len(some) < together:
                some.append(asked[0])
                del asked[0]
            if not some:
                for mock in (known, new):
                    mock.knowledge.tell([asked[0]])  # type: ignore[list-item]
                del asked[0]
                continue
            marks = range(mark, mark := mark + len(some))
            # Several in one piece are pipelined; the mock may read them together or one by one.
            pieces = [each.raw() for each in some] if apart else [b"".join(each.raw() for each in some)]
            answers = await known.ask(*pieces, LAST.encode(), apart=apart)
            assert answers == await new.ask(
                *(each.raw(f"agent {number}") for each, number in zip(some, marks, strict=True)),
                LAST.replace("Host: x", f"Host: x\r\nUser-Agent: agent {mark}").encode(),
            )
        assert known.journal.tally == new.journal.tally
        assert await known.lines() == await new.lines()


@pytest.mark.parametrize("split", [1, 7, 60, 10_000])
async def test_a_request_is_remembered_however_its_bytes_arrive(tmp_path: Path, split: int) -> None:
    mock = Mock(
        [call(1, "GET", "/a", answer(200, {"n": 1})), call(2, "POST", "/b", answer(), body={"n": 2})],
        tmp_path / "journal",
    )
    get, post = Sent("GET", "/a").raw(), Sent("POST", "/b", {"n": 2}).raw()
    sent = (get + post) * 4 + LAST.encode()
    whole = await mock.ask(*(sent[at : at + split] for at in range(0, len(sent), split)))
    assert (whole.count(b'{"n":1}'), whole.count(b"HTTP/1.1 200 OK"), whole.count(b"HTTP/1.1 502 ")) == (4, 8, 1)
    lines = await mock.lines()
    assert [line["sequence"] for line in lines] == [1, 2] * 4 + [None]
    if split == 10_000:
        known = mock.seen.at(API)
        assert (set(known.plain), known.asked) == ({get, post}, {})


async def test_bytes_that_are_framed_twice_are_never_remembered(tmp_path: Path) -> None:
    """What two parsers could read in two ways is read by the one parser each time."""
    mock = Mock([call(1, "POST", "/a", answer(200, {"n": 1}), body={"n": 1})], tmp_path / "journal")
    for framing in ("Content-Length: 7\r\nContent-Length: 7", "Content-Length: 7\r\nTransfer-Encoding: chunked",
                    "Transfer-Encoding: chunked", "Content-Length: 7\r\nExpect: 100-continue"):  # fmt: skip
        body = '7\r\n{"n":1}\r\n0\r\n\r\n' if framing == "Transfer-Encoding: chunked" else '{"n":1}'
        raw = f"POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{framing}\r\n\r\n{body}".encode()
        first, *others = [await mock.ask(raw, LAST.encode()) for _ in range(4)]
        assert others == [first] * 3
    await mock.lines()
    known = mock.seen.at(API)
    assert (known.plain, known.settled, known.bodies) == ({}, {}, {})
    assert all(raw == LAST.encode() for raw in known.asked)


async def test_what_is_remembered_has_a_bound(tmp_path: Path) -> None:
    """Clients whose every head is new do not fill the memory."""
    mock = Mock([call(1, "GET", "/a", answer(200, {"n": 1}))], tmp_path / "journal")
    for number in range(60):
        heads = [Sent("GET", "/a").raw("x" * 15_000 + f"{number} {each}") for each in range(12)]
        await mock.ask(*(head * 3 for head in heads), LAST.encode())
    lines = await mock.lines()
    assert [line["sequence"] for line in lines].count(1) == 60 * 12 * 3
    assert 0 < sum(map(len, mock.seen.at(API).plain)) < 9 << 20
