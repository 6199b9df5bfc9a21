"""Busy conversations get a thread of their own, and nobody can tell: all is said, counted and journaled as before."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import redis
from database_kit import journal, mocking, open_lines, recording
from redis_kit import answering, command_of

from wiretape_capture.launch.ca import CA_CERT_FILE
from wiretape_replay.mock.databases.direct import BUSIEST, BUSY, LINES, Direct, Lines
from wiretape_replay.mock.journal import Entry, Journal

pytestmark = pytest.mark.xdist_group("redis_mock")

NOWHERE = "redis://127.0.0.1:9/0"
VALUE = b"v" * 10_000
ANSWERS = {b"small": b"$1\r\nx\r\n", b"other": b"$1\r\ny\r\n", b"large": b"$%d\r\n%b\r\n" % (len(VALUE), VALUE)}
SMALL, OTHER, LARGE, NEW = (command_of(f"GET {name}") for name in ("small", "other", "large", "new"))
X, Y = ANSWERS[b"small"], ANSWERS[b"other"]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - a thread sets no event
            await asyncio.sleep(0.01)


async def _server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(ANSWERS[data.split(b"\r\n")[4]])
    writer.close()


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with a GET of each of three values."""
    folder = tmp_path_factory.mktemp("lines")

    async def made() -> None:
        server = await asyncio.start_server(_server, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, recording(folder, f"redis://127.0.0.1:{port}") as job, talking(job.port) as talk:
            for command, answer in ((SMALL, X), (OTHER, Y), (LARGE, ANSWERS[b"large"])):
                assert await talk.ask(command, len(answer)) == answer

    asyncio.run(made())
    return folder


class Talk:
    """A client that says and hears bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes, size: int) -> bytes:
        """Send, and get as many bytes."""
        self.writer.write(data)
        async with asyncio.timeout(10):
            return await self.reader.readexactly(size)

    async def end(self) -> bytes:
        """What comes until the connection ends."""
        async with asyncio.timeout(10):
            return await self.reader.read()

    async def same(self, times: int) -> None:
        """Ask for the same again and again."""
        for _ in range(times):
            assert await self.ask(SMALL, len(X)) == X

    async def heat(self) -> int:
        """Ask for the same until there is a line, and as often again, so that it was of use; how often that was."""
        before = open_lines()
        for asked in range(1, 2 * BUSIEST):
            await self.same(1)
            if open_lines() > before:
                await self.same(asked + BUSY)
                return 2 * asked + BUSY
        raise AssertionError


@asynccontextmanager
async def talking(port: int) -> AsyncIterator[Talk]:
    """A client of a port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_busy_conversation_gets_a_line_and_everything_is_journaled_in_order(tape: Path) -> None:
    (tape / "tape.journal").unlink(missing_ok=True)
    async with mocking(tape, NOWHERE) as job, talking(job.port) as talk:
        await talk.same(BUSY // 2)
        assert open_lines() == 0
        first = BUSY // 2 + await talk.heat()
        assert await talk.ask(OTHER, len(Y)) == Y  # it was not asked for before: only the loop can say what it gets
        then = await talk.heat()
        assert await talk.ask(NEW, 6) == b"-WT001"
        await talk.reader.readline()
        await talk.same(3)
    assert job.result is not None
    assert job.result.tally.miss == 1
    answers = journal(tape)
    small = "GET small"
    asked = [*[small] * first, "GET other", *[small] * then, "GET new", *[small] * 3]
    assert [each.location for each in answers] == asked
    assert job.result.tally.total == len(answers)
    assert [each.at_ns for each in answers] == sorted(each.at_ns for each in answers)
    assert open_lines() == 0


async def test_a_line_is_given_up_when_nothing_is_said(tape: Path) -> None:
    async with mocking(tape, NOWHERE) as job, talking(job.port) as talk:
        for _ in range(2):
            await talk.heat()
            await until(lambda: open_lines() == 0)
            assert await talk.ask(SMALL, len(X)) == X


async def test_commands_in_pieces_and_several_at_once_are_understood_on_a_line(tape: Path) -> None:
    async with mocking(tape, NOWHERE) as job, talking(job.port) as talk:
        for at in range(1, len(SMALL)):
            await talk.heat()
            talk.writer.write(SMALL[:at])
            await asyncio.sleep(0.002)
            assert await talk.ask(SMALL[at:], len(X)) == X
        await talk.heat()
        several = SMALL + OTHER + SMALL
        assert await talk.ask(several, len(X + Y + X)) == X + Y + X


async def test_no_more_conversations_than_lines_leave_the_loop(tape: Path) -> None:
    async with mocking(tape, NOWHERE) as job:
        talks = [await asyncio.open_connection("127.0.0.1", job.port) for _ in range(LINES + 3)]
        most = 0
        for _ in range(3 * BUSY):
            for each in talks[:LINES]:  # those that have a line keep it, so that one after the other gets one
                await Talk(*each).same(2)
            most = max(most, open_lines())
        for each in talks:
            await Talk(*each).same(2 * BUSY)
            most = max(most, open_lines())
        assert 1 <= most <= LINES
        for _ in range(2 * BUSY):  # all at once
            assert await asyncio.gather(*(Talk(*each).ask(SMALL, len(X)) for each in talks)) == [X] * len(talks)
        for _, writer in talks:
            writer.close()
        await until(lambda: open_lines() == 0)
    assert job.result is not None
    assert job.result.refused == 0
    assert job.result.tally.total == 3 * BUSY * LINES * 2 + 2 * len(talks) * 2 * BUSY


async def test_a_client_that_does_not_read_holds_up_nobody(tape: Path) -> None:
    async with mocking(tape, NOWHERE) as job:
        deaf = socket.create_connection(("127.0.0.1", job.port))
        asked = await asyncio.to_thread(_ask_without_hearing, deaf)
        async with talking(job.port) as talk:
            await talk.heat()
        assert await asyncio.to_thread(_hear, deaf) == asked * len(ANSWERS[b"large"])
        await asyncio.to_thread(_ask_without_hearing, deaf)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5  # its end waits for nobody
    assert open_lines() == 0
    deaf.close()


def _ask_without_hearing(client: socket.socket) -> int:
    """Ask one by one without hearing more than the first answers, until nobody takes it."""
    client.settimeout(10)
    for _ in range(2 * BUSY):
        client.sendall(LARGE)
        rest = len(ANSWERS[b"large"])
        while rest:
            rest -= len(client.recv(rest))
    client.setblocking(False)
    asked = 0
    while asked < 2000:
        try:
            asked += client.send(LARGE) == len(LARGE)
        except BlockingIOError:
            break
        time.sleep(0.0002)
    return asked


def _hear(client: socket.socket) -> int:
    client.settimeout(1)
    size = 0
    with suppress(TimeoutError):
        while piece := client.recv(1 << 20):
            size += len(piece)
    return size


async def test_connections_that_are_reset_give_their_lines_back(tape: Path) -> None:
    async with mocking(tape, NOWHERE) as job:
        for _ in range(LINES + 2):
            async with talking(job.port) as talk:
                await talk.heat()
                talk.writer.write(SMALL)
                sock = talk.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                talk.writer.transport.abort()
            await until(lambda: open_lines() == 0)
        async with talking(job.port) as talk:
            assert await talk.ask(SMALL, len(X)) == X
    assert job.result is not None
    assert job.result.refused == 0


async def test_no_line_where_an_outage_was_recorded(tmp_path: Path) -> None:
    """It begins with an answer to somebody else, and ends every connection."""
    server = await asyncio.start_server(_server, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with recording(tmp_path, f"redis://127.0.0.1:{port}") as recorder:
        async with server, talking(recorder.port) as talk:
            assert await talk.ask(SMALL, len(X)) + await talk.ask(OTHER, len(Y)) == X + Y
        async with talking(recorder.port) as talk:
            talk.writer.write(SMALL)
            assert await talk.end() == b""
        async with await asyncio.start_server(_server, "127.0.0.1", port), talking(recorder.port) as talk:
            assert await talk.ask(LARGE, len(ANSWERS[b"large"])) == ANSWERS[b"large"]
    async with mocking(tmp_path, NOWHERE) as job, talking(job.port) as busy, talking(job.port) as other:
        await busy.same(4 * BUSY)
        assert open_lines() == 0
        assert await other.ask(OTHER, len(Y)) == Y
        assert await busy.end() == await other.end() == b""


async def test_in_tls_everything_stays_with_the_loop(tape: Path) -> None:
    def read(url: str, certificate: str) -> int:
        with redis.Redis.from_url(url, ssl_ca_certs=certificate) as client:
            assert all(client.get("small") == b"x" for _ in range(4 * BUSY))
            return open_lines()

    async with mocking(tape, NOWHERE) as job:
        assert await asyncio.to_thread(read, f"rediss://127.0.0.1:{job.port}", str(tape / "ca" / CA_CERT_FILE)) == 0


def test_who_may_be_told_something_is_not_alone() -> None:
    talk = answering([("GET a", b"$1\r\nx\r\n")])
    assert talk.session.alone
    for begins, ends in (("SUBSCRIBE c", "UNSUBSCRIBE c"), ("MULTI", "DISCARD")):
        talk.send(begins)
        assert not talk.session.alone
        talk.send(ends)
        assert talk.session.alone
    talk.send("HELLO 3", "CLIENT TRACKING ON")
    assert not talk.session.alone


def test_lines_of_little_use_come_later() -> None:
    session = answering([("GET a", b"$1\r\nx\r\n")]).session
    asked = command_of("GET a")
    for _ in range(3):
        session.feed(asked)
    direct = Direct(session, Lines(session.hall.desk.journal))
    needed = [_answers_until_busy(direct, asked, useful=useful) for useful in (False, False, True, False)]
    assert needed == [BUSY, 2 * BUSY, 4 * BUSY, BUSY]


def _answers_until_busy(direct: Direct, asked: bytes, *, useful: bool) -> int:
    """How many answers it takes until it is time for a line, which is then used for one or for many."""
    needed = 0
    while not direct.busy:
        assert direct.answer(asked) is not None
        needed += 1
    ours, theirs = socket.socketpair()
    ended = threading.Event()

    def back(data: bytes) -> None:
        assert data == b"something else"
        ended.set()

    with ours, theirs:
        line = direct.line(ours.fileno(), back)
        assert line is not None
        for _ in range(5 * BUSY if useful else 1):
            theirs.sendall(asked)
            assert theirs.recv(100) == X
        theirs.sendall(b"something else")
        assert ended.wait(10)
        direct.close(line)
    return needed


async def test_the_lines_of_several_threads_are_all_written_in_the_order_of_their_times(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    pens = [journal.pen() for _ in range(3)]
    rest = b'"service":"db"}\n'

    def write(first: int) -> None:
        for number in range(first, 3000, 3):
            pens[first].again(number, rest)

    threads = [threading.Thread(target=write, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        await journal.flush()
    for thread in threads:
        thread.join()
    journal.record(Entry(at_ns=3000, service="db", command="GET", location="GET a", tier="exact"))
    assert (journal.total, journal.recorded, journal.tally.exact) == (3001, 1, 3001)
    await journal.close()
    times = [int(line[9:].partition(b",")[0]) for line in path.read_bytes().splitlines()]
    assert sorted(times) == list(range(3001))
