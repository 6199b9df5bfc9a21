"""HAR and the text folder bring back every byte: of a chosen recording and of arbitrary ones."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import (
    Body,
    Direction,
    Exchange,
    Protocol,
    Request,
    Response,
    SnapshotInfo,
    StreamMessage,
)
from wiretape_capture.snapshot.folder import export_folder, import_folder
from wiretape_capture.snapshot.har import export_har, import_har
from wiretape_capture.snapshot.head_text import escape, head, parse_head, parse_words, unescape, words
from wiretape_capture.snapshot.tape_reader import TapeReader

type Export = Callable[[TapeReader, Path], Awaitable[None]]
type Import = Callable[[Path, Path], Awaitable[SnapshotInfo]]
type WriteTape = Callable[[Path, Iterable[Exchange]], Awaitable[SnapshotInfo]]

FORMATS = [pytest.param(export_har, import_har, id="har"), pytest.param(export_folder, import_folder, id="folder")]


def chars(first: int, last: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=first, max_codepoint=last), max_size=12)


wire_text = chars(0, 255)
headers = st.lists(st.tuples(wire_text, wire_text), max_size=4).map(tuple)
coded = st.sampled_from([(), (("Content-Type", "application/json"),), (("content-encoding", "gzip"),),
                         (("Content-Type", "text/html; charset=latin-1"),)])  # fmt: skip
all_headers = st.tuples(headers, coded).map(lambda pair: (*pair[0], *pair[1]))
bodies = st.builds(body_of, st.one_of(st.binary(max_size=200), st.just(b'{"a":[1, 2]}'), wire_text.map(str.encode)),
                   complete=st.booleans())  # fmt: skip
requests = st.builds(Request, method=wire_text, target=wire_text, version=wire_text, headers=all_headers, body=bodies,
                     trailers=headers)  # fmt: skip
responses = st.builds(Response, status=st.integers(0, 999), reason=wire_text, version=wire_text, headers=all_headers,
                      body=bodies, trailers=headers)  # fmt: skip
messages = st.builds(StreamMessage, from_client=st.booleans(), offset_us=st.integers(0, 2**62), kind=wire_text,
                     body=bodies)  # fmt: skip
exchange_sets = st.lists(
    st.builds(
        Exchange, sequence=st.integers(1, 2**62), direction=st.sampled_from(Direction),
        protocol=st.sampled_from(Protocol), scheme=wire_text, service=wire_text, command=wire_text, location=wire_text,
        status=wire_text, started_ns=st.integers(0, 2**61), duration_us=st.integers(0, 2**62), connection=wire_text,
        session=wire_text, trace=wire_text, error=chars(0, 0xD7FF), request=requests,
        response=st.one_of(st.none(), responses), stream=st.lists(messages, max_size=3).map(tuple),
    ),
    max_size=3, unique_by=lambda exchange: exchange.sequence,
)  # fmt: skip


async def there_and_back(folder: Path, exchanges: Sequence[Exchange], tape_of: WriteTape, export: Export,
                         bring: Import) -> None:  # fmt: skip
    info = await tape_of(folder / "a.tape", exchanges)
    async with await TapeReader.open(folder / "a.tape") as reader:
        wanted = await reader.exchanges()
        await export(reader, folder / "out")
    again = await bring(folder / "out", folder / "b.tape")
    async with await TapeReader.open(folder / "b.tape") as reader:
        assert await reader.exchanges() == wanted == sorted(exchanges, key=lambda exchange: exchange.sequence)
    varying = {"name", "size_bytes"}
    assert again.model_dump(exclude=varying) == info.model_dump(exclude=varying)


@pytest.mark.parametrize(("export", "bring"), FORMATS)
async def test_a_recording_comes_back_with_its_hash(tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape,
                                                    export: Export, bring: Import) -> None:  # fmt: skip
    await there_and_back(tmp_path, exchanges, tape_of, export, bring)


@pytest.mark.parametrize(("export", "bring"), FORMATS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(exchanges=exchange_sets)
def test_arbitrary_exchanges_come_back(exchanges: list[Exchange], tape_of: WriteTape, export: Export,
                                       bring: Import) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(there_and_back(Path(folder), exchanges, tape_of, export, bring))


@pytest.mark.parametrize(("export", "bring"), FORMATS)
async def test_an_existing_target_is_left_alone(tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape,
                                                export: Export, bring: Import) -> None:  # fmt: skip
    await tape_of(tmp_path / "a.tape", exchanges)
    (tmp_path / "out").write_text("mine")
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        with pytest.raises(UsageError, match="out exists already"):
            await export(reader, tmp_path / "out")
        assert (tmp_path / "out").read_text() == "mine"
        await export(reader, tmp_path / "new")
    with pytest.raises(UsageError, match=r"a\.tape exists already"):
        await bring(tmp_path / "new", tmp_path / "a.tape")


@given(st.text(st.characters(max_codepoint=0xD7FF)))
def test_an_escaped_text_is_one_visible_line(text: str) -> None:
    assert unescape(escape(text)) == text
    assert escape(text).isprintable()


@given(st.lists(wire_text, min_size=3, max_size=3), headers, headers)
def test_a_head_is_parsed_to_what_it_shows(start: list[str], lines: tuple[tuple[str, str], ...],
                                           trailers: tuple[tuple[str, str], ...]) -> None:  # fmt: skip
    line, found, after = parse_head(head(words(*start), lines, trailers))
    assert (parse_words(line, 3), found, after) == (start, lines, trailers)


async def test_the_folder_reads_like_http(tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape) -> None:
    await tape_of(tmp_path / "a.tape", exchanges)
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        await export_folder(reader, tmp_path / "out")
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*"))
    first = "00001-inbound-POST-orders"
    assert found == [
        ".gitattributes", first, f"{first}/exchange.json", f"{first}/request.body", f"{first}/request.http",
        f"{first}/response.body.json.gz", f"{first}/response.http", f"{first}/response.pretty.json",
        "00002-outbound-GET-orders-42", "00002-outbound-GET-orders-42/exchange.json",
        "00002-outbound-GET-orders-42/request.http", "00002-outbound-GET-orders-42/response.body.txt",
        "00002-outbound-GET-orders-42/response.http", "00003-inbound-GET-orders-42",
        "00003-inbound-GET-orders-42/exchange.json", "00003-inbound-GET-orders-42/request.http",
        "00007-inbound-WS-orders-42", "00007-inbound-WS-orders-42/exchange.json",
        "00007-inbound-WS-orders-42/request.http", "00007-inbound-WS-orders-42/response.body.json",
        "00007-inbound-WS-orders-42/response.http", "00007-inbound-WS-orders-42/response.pretty.json",
        "00007-inbound-WS-orders-42/stream.jsonl", "snapshot.json",
    ]  # fmt: skip
    assert (tmp_path / "out" / first / "request.http").read_text() == (
        "POST /orders?a=%20b&a=2#x HTTP/1.0\n"
        "set-Cookie: a=1\n"
        "SET-COOKIE: b=2\n"
        "x-raw: \\xe9\\x80\\xff\n"
        "x-empty:\n"
        "x-space: \\x20\\x20two\\x20\\x20\n"
        "we\\x3aird: a: b\n"
        "back\\\\slash: \\\\x41\n"
        "\n"
        "X-Sum: 1\n"
        "x-sum: 2\n"
    )
    assert (tmp_path / "out" / first / "response.pretty.json").read_text() == '{\n  "name": "Jürgen"\n}\n'
    assert orjson.loads((tmp_path / "out/00003-inbound-GET-orders-42/exchange.json").read_bytes()) == {
        "sequence": 3, "direction": "inbound", "service": "shop.local:8000",
        "started_ns": 1_700_000_000_000_000_003, "duration_us": 1503, "error": "connection refused",
    }  # fmt: skip


async def test_a_har_entry_shows_what_people_expect(
    tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape
) -> None:
    await tape_of(tmp_path / "a.tape", exchanges)
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        await export_har(reader, tmp_path / "a.har")
    log = orjson.loads((tmp_path / "a.har").read_bytes())["log"]
    entry = log["entries"][0]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "wiretape")
    assert entry["startedDateTime"] == "2023-11-14T22:13:20.123000+00:00"
    assert entry["request"]["url"] == "https://shop.local:443/orders?a=%20b&a=2#x"
    assert entry["request"]["queryString"] == [{"name": "a", "value": " b"}, {"name": "a", "value": "2"}]
    assert entry["request"]["headers"][1] == {"name": "SET-COOKIE", "value": "b=2"}
    assert entry["response"]["content"] == {"size": 19, "mimeType": "application/json", "text": '{"name": "Jürgen"}'}
    assert entry["timings"] == {"send": 0, "wait": 987654.321, "receive": 0}


async def test_an_edited_body_is_imported_and_a_stale_pretty_one_refused(tmp_path: Path, exchanges: list[Exchange],
                                                                         tape_of: WriteTape) -> None:  # fmt: skip
    await tape_of(tmp_path / "a.tape", exchanges[3:])
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        await export_folder(reader, tmp_path / "out")
    directory = tmp_path / "out/00007-inbound-WS-orders-42"
    (directory / "response.body.json").write_text('{"id": 43}')
    with pytest.raises(UsageError, match=r"pretty\.json does not show response\.body\.json; edit the body and delete"):
        await import_folder(tmp_path / "out", tmp_path / "b.tape")
    assert not (tmp_path / "b.tape").exists()
    (directory / "response.pretty.json").unlink()
    await import_folder(tmp_path / "out", tmp_path / "b.tape")
    async with await TapeReader.open(tmp_path / "b.tape") as reader:
        assert (await reader.exchange(7)).response == Response(
            status=101, reason="OK", headers=(("Content-Type", "application/json"),), body=body_of(b'{"id": 43}')
        )


def test_the_empty_body_has_its_own_name() -> None:
    assert body_of(b"") == Body()
