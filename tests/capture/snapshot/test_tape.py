"""What is put into a tape comes out of it, while it is recorded and when it is closed."""

# ruff: noqa: ASYNC110, ASYNC240 - nothing else runs on a test's loop meanwhile

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot import tape_writer
from wiretape_capture.snapshot.bodies import CHUNK, body_of
from wiretape_capture.snapshot.exchange import Body, Exchange, Response, SnapshotInfo
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import NOTE_KINDS, OTHER_NOTES, TapeWriter

type WriteTape = Callable[[Path, Iterable[Exchange]], Awaitable[SnapshotInfo]]
type Made = Callable[..., Exchange]


async def read(path: Path) -> list[Exchange]:
    async with await TapeReader.open(path) as reader:
        return await reader.exchanges()


async def test_every_field_and_byte_comes_back(tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape) -> None:
    await tape_of(tmp_path / "a.tape", exchanges)
    assert await read(tmp_path / "a.tape") == exchanges


async def test_a_closed_tape_is_one_file_that_describes_itself(
    tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape
) -> None:
    info = await tape_of(tmp_path / "a.tape", exchanges)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tape"]
    assert info.model_dump(exclude={"sha256", "size_bytes"}) == {
        "name": "a", "created_ns": 1_700_000_000_000_000_000, "exchanges": 4, "inbound": 3, "outbound": 1,
        "services": ("shop.local:443", "shop.local:8000"), "closed": True, "format_version": 1,
        "app_command": ("run", "it"), "notes": ("frames dropped (3 times)",),
    }  # fmt: skip
    assert info.size_bytes == (tmp_path / "a.tape").stat().st_size
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        assert await reader.info() == info


async def test_a_tape_is_readable_while_it_is_recorded(tmp_path: Path, plain: Made) -> None:
    tape = await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    tape.put(plain(1))
    await tape.flush()
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        assert len(await reader.exchanges()) == 1
        tape.put(plain(2))
        await tape.flush()
        assert len(await reader.exchanges()) == 2
        assert not (await reader.info()).closed
    assert (await tape.close()).exchanges == 2


async def test_an_exchange_reaches_the_disk_without_a_flush(tmp_path: Path, plain: Made) -> None:
    async with await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1) as tape:
        tape.put(plain(1))
        async with asyncio.timeout(60), await TapeReader.open(tmp_path / "a.tape") as reader:
            while not await reader.exchanges():
                await asyncio.sleep(0.02)


async def test_sequences_come_in_any_order_and_zero_takes_the_next(
    tmp_path: Path, plain: Made, tape_of: WriteTape
) -> None:
    await tape_of(tmp_path / "a.tape", [plain(3), plain(1), plain(0), plain(2)])
    assert [exchange.sequence for exchange in await read(tmp_path / "a.tape")] == [1, 2, 3, 4]


async def test_bodies_get_the_names_of_their_contents_unless_they_have_them(tmp_path: Path, plain: Made) -> None:
    unnamed = plain(2).model_copy(update={"response": Response(status=200, body=Body(data=b"ours"))})
    async with await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1) as tape:
        tape.put(plain(1), named=True)
        tape.put(unnamed)
        tape.put(plain(3), named=True)
        await tape.flush()
        tape.put(plain(4), named=True)
    named = unnamed.model_copy(update={"response": Response(status=200, body=body_of(b"ours"))})
    assert await read(tmp_path / "a.tape") == [plain(1), named, plain(3), plain(4)]


async def test_the_hash_is_that_of_the_exchanges_alone(
    tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape
) -> None:
    first = await tape_of(tmp_path / "a.tape", exchanges)
    second = await tape_of(tmp_path / "other.tape", reversed(exchanges))
    connection = sqlite3.connect(tmp_path / "other.tape", autocommit=True)
    connection.execute("DELETE FROM note")
    connection.execute("PRAGMA page_size = 1024")
    connection.execute("VACUUM")
    connection.close()
    async with await TapeReader.open(tmp_path / "other.tape") as reader:
        assert (await reader.info()).sha256 == first.sha256 == second.sha256
    changed = exchanges[0].model_copy(update={"duration_us": 1})
    assert (await tape_of(tmp_path / "c.tape", [changed, *exchanges[1:]])).sha256 != first.sha256


async def test_equal_bodies_are_stored_once(tmp_path: Path, plain: Made, tape_of: WriteTape) -> None:
    noise = os.urandom(CHUNK + 1)
    info = await tape_of(tmp_path / "a.tape", [plain(number, body=noise) for number in range(1, 21)])
    assert info.size_bytes < 2 * len(noise)


async def test_large_bodies_load_only_when_asked(tmp_path: Path, plain: Made, tape_of: WriteTape) -> None:
    body = os.urandom(3 * CHUNK + 7)
    await tape_of(tmp_path / "a.tape", [plain(1, body=body)])
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        (light,) = await reader.exchanges(max_body=1000)
        assert light.response is not None
        assert light.response.body == body_of(body).model_copy(update={"data": None})
        assert (await reader.exchange(1)).response == light.response.model_copy(update={"body": body_of(body)})
        assert [len(piece) async for piece in reader.body_chunks(light.response.body.sha256)] == [CHUNK] * 3 + [7]
        assert await reader.body_bytes(light.response.body.sha256) == body


async def test_a_sink_takes_a_body_in_pieces(tmp_path: Path, plain: Made) -> None:
    pieces = [os.urandom(size) for size in (0, 1, 5 * CHUNK, 99)]
    async with await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1) as tape:
        sink, twin, unused = await tape.body(), await tape.body(), await tape.body()
        for piece in pieces:
            sink.write(piece)
            twin.write(piece)
        unused.write(b"x")
        unused.discard()
        bodies = await asyncio.gather(sink.close(), twin.close(complete=False))
        tape.put(plain(1).model_copy(update={"response": Response(status=200, body=bodies[0])}))
    whole = body_of(b"".join(pieces))
    assert list(bodies) == [whole.model_copy(update={"data": None}),
                      whole.model_copy(update={"data": None, "complete": False})]  # fmt: skip
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        assert (await reader.exchange(1)).response == Response(status=200, body=whole)


async def test_an_empty_sink_is_an_empty_body(tmp_path: Path) -> None:
    async with await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1) as tape:
        assert await (await tape.body()).close() == body_of(b"")


async def test_cancelling_a_flush_loses_nothing(tmp_path: Path, plain: Made) -> None:
    async with await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1) as tape:
        for number in range(1, 40):
            tape.put(plain(number))
            flush = asyncio.create_task(tape.flush())
            for _ in range(number % 7):
                await asyncio.sleep(0)
            flush.cancel()
    assert len(await read(tmp_path / "a.tape")) == 39


async def test_what_no_row_can_hold_is_noted_and_the_rest_kept(tmp_path: Path, plain: Made, tape_of: WriteTape) -> None:
    info = await tape_of(tmp_path / "a.tape", [plain(1), plain(2).model_copy(update={"duration_us": 1 << 63})])
    assert info.exchanges == 1
    assert info.notes[0] == "exchanges that could not be stored: a number has more than 64 bits"


async def test_kinds_of_notes_are_bounded(tmp_path: Path) -> None:
    """Strangers have a say in their texts."""
    writer = await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    for number in range(NOTE_KINDS + 50):
        writer.note(f"a client ({number:04}) refused")
        await writer.flush()
    writer.note("a client (0001) refused")
    notes = (await writer.close()).notes
    assert len(notes) == NOTE_KINDS + 1
    assert "a client (0001) refused (2 times)" in notes
    assert f"{OTHER_NOTES} (50 times)" in notes


async def test_an_existing_file_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "a.tape").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"a\.tape exists already; choose another"):
        await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    assert (tmp_path / "a.tape").read_bytes() == b"precious"


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WiretapeError, match="does not exist"):
        await TapeWriter.create(tmp_path / "none" / "a.tape", name="a", created_ns=1)


async def test_an_unknown_sequence_is_a_usage_error(tmp_path: Path, plain: Made, tape_of: WriteTape) -> None:
    await tape_of(tmp_path / "a.tape", [plain(1)])
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        with pytest.raises(UsageError, match="snapshot 'a' has no exchange 9; list them with: wiretape show a"):
            await reader.exchange(9)


async def test_a_tape_is_private(tmp_path: Path, plain: Made, tape_of: WriteTape) -> None:
    await tape_of(tmp_path / "a.tape", [plain(1)])
    assert (tmp_path / "a.tape").stat().st_mode & 0o777 == 0o600


async def test_pages_follow_each_other(tmp_path: Path, plain: Made, tape_of: WriteTape) -> None:
    await tape_of(tmp_path / "a.tape", [plain(number) for number in range(1, 601)])
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        assert [exchange.sequence async for exchange in reader.stream()] == list(range(1, 601))
        assert [e.sequence for e in await reader.exchanges(Query(limit=300))] == list(range(1, 301))
        assert [e.sequence for e in await reader.exchanges(Query(after_sequence=598))] == [599, 600]
        assert await reader.exchanges(Query(limit=0)) == []


async def test_what_the_disk_cannot_take_in_time_is_dropped_and_noted(
    tmp_path: Path, plain: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape_writer, "QUEUE_LIMIT", 1000)
    tape = await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    for number in range(1, 6):
        tape.put(plain(number, body=b"x" * 600))
    info = await tape.close()
    assert (info.exchanges, info.notes) == (2, ("exchanges dropped because the disk could not keep up (3 times)",))
