"""An index finds what reading every body finds; where there can be none, the tape is read."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capture.snapshot.conftest import WriteTape, made, write_tape

from wiretape_capture.errors import SnapshotUnreadable
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Exchange, Response, StreamMessage
from wiretape_capture.snapshot.listing import delete_snapshot
from wiretape_capture.snapshot.search import Query, holds_text
from wiretape_capture.snapshot.search_text import SEARCHED_BODY
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.text_cache import TextCache
from wiretape_capture.snapshot.text_search import SCANNED

type Made = Callable[..., Exchange]

LETTERS = "aAbB\u00e9\u00c9\u0130\u03a3\u03c3\u1e9e\N{LATIN SMALL LETTER DOTLESS I}\n \x00\ufffd:/"
WORDS = st.text(LETTERS, max_size=6)
BODIES = st.one_of(
    WORDS.map(str.encode), st.binary(max_size=6), WORDS.map(lambda text: gzip.compress(text.encode(), mtime=0))
)
HEADERS = st.sampled_from([(), (("Content-Encoding", "gzip"),), (("content-encoding", "gzip, br"), ("X-A", "B\xe9"))])


@st.composite
def recorded(draw: st.DrawFn) -> list[Exchange]:
    exchanges = []
    for number in draw(st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True).map(sorted)):
        answer = Response(status=200, headers=draw(HEADERS), body=body_of(draw(BODIES)))
        frames = draw(st.lists(BODIES, max_size=2))
        exchanges.append(made(number, draw(WORDS)).model_copy(update={
            "error": draw(WORDS), "response": draw(st.sampled_from([None, answer, answer])),
            "stream": tuple(StreamMessage(from_client=True, offset_us=0, kind="text", body=body_of(frame))
                            for frame in frames),
        }))  # fmt: skip
    return exchanges


async def found(tape: Path, query: Query, cache: TextCache | None = None) -> list[int]:
    async with await TapeReader.open(tape, cache=cache) as reader:
        return await sequences(reader, query)


async def sequences(reader: TapeReader, query: Query) -> list[int]:
    return [exchange.sequence for exchange in await reader.exchanges(query)]


async def indexed(tape: Path, cache: TextCache) -> bool:
    async with await TapeReader.open(tape, cache=cache) as reader:
        return await reader.make_index()


async def all_ways(folder: Path, exchanges: Sequence[Exchange], texts: Sequence[str]) -> None:
    tape, cache = folder / "a.tape", TextCache(folder / "cache")
    await write_tape(tape, exchanges)
    assert await indexed(tape, cache)
    async with await TapeReader.open(tape) as scanning, await TapeReader.open(tape, cache=cache) as looking_up:
        for text in texts:
            expected = [each.sequence for each in exchanges if holds_text(each, text)]
            assert await sequences(scanning, Query(text=text)) == expected
            assert await sequences(looking_up, Query(text=text)) == expected
            assert (
                await sequences(looking_up, Query(text=text, limit=1, after_sequence=5))
                == [sequence for sequence in expected if sequence > 5][:1]
            )


@settings(max_examples=60, deadline=None)
@given(exchanges=recorded(), texts=st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=8))
def test_index_and_scan_find_what_looking_into_every_text_finds(exchanges: list[Exchange], texts: list[str]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(all_ways(Path(folder), exchanges, ["a", "\u03c3", "/", "gzip", "host: shop", *texts]))


async def test_what_several_exchanges_share_is_found_in_each(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    tape, cache = tmp_path / "a.tape", TextCache(tmp_path / "cache")
    await tape_of(tape, [plain(n, body=b"Shared words" if n % 3 else b"%d alone" % n) for n in range(1, 5_001)])
    await indexed(tape, cache)
    expected = [n for n in range(1, 5_001) if n % 3]
    assert await found(tape, Query(text="shared W"), cache) == expected
    assert await found(tape, Query(text="shared w", after_sequence=4_990), cache) == [n for n in expected if n > 4_990]
    assert await found(tape, Query(text="4998 ALONE"), cache) == [4_998]
    (file,) = (tmp_path / "cache").glob("*.text")
    assert file.read_bytes().count(b"shared words") == 1


async def test_a_large_snapshot_gets_an_index_at_its_first_long_search(tmp_path: Path, tape_of: WriteTape,
                                                                       plain: Made) -> None:  # fmt: skip
    heard: list[tuple[int, int]] = []

    async def hear(done: int, total: int) -> None:
        heard.append((done, total))

    tape, cache, count = tmp_path / "a.tape", TextCache(tmp_path / "cache", hear), SCANNED + 10
    await tape_of(tape, [plain(n, f"/{n}", status=404 if n % 2 else 200) for n in range(1, count + 1)])
    assert await found(tape, Query(text="id", limit=3), cache) == [1, 2, 3]
    assert heard == []
    assert await found(tape, Query(text=f"/{count - 1}\n"), cache) == [count - 1]
    assert heard[-1] == (count, count)
    heard.clear()
    assert await found(tape, Query(text=f"/{count - 1}\n", status="404"), cache) == [count - 1]
    assert await found(tape, Query(text=f"/{count - 1}\n", status="200"), cache) == []
    assert await found(tape, Query(text=f"/{count}\n", path=f"/{count}"), cache) == [count]
    assert heard == []
    assert (tmp_path / "cache" / ".gitignore").read_text() == "*\n"
    (file,) = (tmp_path / "cache").glob("*.text")
    assert file.stat().st_mode & 0o077 == 0


async def test_bodies_above_the_bound_are_not_looked_into(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    tape, cache = tmp_path / "a.tape", TextCache(tmp_path / "cache")
    large = b"needle" + bytes(SEARCHED_BODY)
    await tape_of(tape, [plain(1, body=large), plain(2, body=large[:SEARCHED_BODY])])
    await indexed(tape, cache)
    assert await found(tape, Query(text="needle"), cache) == await found(tape, Query(text="needle")) == [2]


async def test_a_damaged_or_foreign_index_is_made_anew(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    cache = TextCache(tmp_path / "cache")
    for name in ("a", "b"):
        await tape_of(tmp_path / f"{name}.tape", [plain(1, body=name.encode() * 5)])
        await indexed(tmp_path / f"{name}.tape", cache)
    first, second = sorted((tmp_path / "cache").glob("*.text"))
    for wrong in (first.read_bytes()[:-1], second.read_bytes(), b"", b"x" * 200):
        first.write_bytes(wrong)
        for name in ("a", "b"):
            assert await found(tmp_path / f"{name}.tape", Query(text=name * 5), cache) == [1]


async def test_an_index_goes_with_its_snapshot(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    cache = TextCache(tmp_path / "cache")
    for name in ("a", "b"):
        await tape_of(tmp_path / f"{name}.tape", [plain(1, body=name.encode() * 5)])
        await indexed(tmp_path / f"{name}.tape", cache)
    await delete_snapshot(tmp_path, "a", cache)
    (left,) = (tmp_path / "cache").glob("*.text")
    assert b"bbbbb" in left.read_bytes()


async def test_without_rights_to_write_the_tape_is_read(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    tape = tmp_path / "a.tape"
    await tape_of(tape, [plain(n, f"/{n}") for n in range(1, SCANNED + 3)])
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert await found(tape, Query(text=f"/{SCANNED + 2}\n"), TextCache(tmp_path / "cache")) == [SCANNED + 2]


async def test_a_tape_with_other_exchanges_than_it_says_gets_no_index(tmp_path: Path, tape_of: WriteTape,
                                                                     plain: Made) -> None:  # fmt: skip
    tape, cache = tmp_path / "a.tape", TextCache(tmp_path / "cache")
    await tape_of(tape, [plain(1), plain(2)])
    connection = sqlite3.connect(tape)
    with connection:
        connection.execute("DELETE FROM exchange WHERE sequence = 2")
    connection.close()
    with pytest.raises(SnapshotUnreadable, match="not those that were recorded"):
        await indexed(tape, cache)
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [".gitignore"]
