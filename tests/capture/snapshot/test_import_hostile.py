"""Archives of browsers come in as far as they go; broken and hostile inputs are refused by name and leave no tape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from wiretape_capture.errors import UsageError
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
from wiretape_capture.snapshot.folder import export_folder, import_folder
from wiretape_capture.snapshot.har import export_har, import_har
from wiretape_capture.snapshot.tape_reader import TapeReader

type WriteTape = Callable[[Path, Iterable[Exchange]], Awaitable[SnapshotInfo]]


def chrome(url: str = "https://shop.test/api?q=1#top", **changes: Any) -> dict[str, Any]:
    """An entry as Chrome writes it."""
    entry: dict[str, Any] = {
        "startedDateTime": "2024-05-01T10:00:00.250Z", "time": 12.5, "connection": "443", "_priority": "High",
        "request": {
            "method": "POST", "url": url, "httpVersion": "h2",
            "headers": [{"name": ":authority", "value": "shop.test"}, {"name": "Accept", "value": "*/*"}],
            "queryString": [], "cookies": [], "headersSize": -1, "bodySize": 3,
            "postData": {"mimeType": "text/plain; charset=latin-1", "text": "é"},
        },
        "response": {
            "status": 200, "statusText": "", "httpVersion": "http/2.0", "redirectURL": "", "cookies": [],
            "headers": [{"name": "content-encoding", "value": "br"}, {"name": "content-length", "value": "7"},
                        {"name": "content-type", "value": "application/json"}],
            "content": {"size": 8, "mimeType": "application/json", "text": '{"a": 1}'},
            "headersSize": -1, "bodySize": 7,
        },
        "cache": {}, "timings": {"send": 0.1, "wait": 12, "receive": 0.4},
    }  # fmt: skip
    return entry | changes


def write_har(path: Path, *entries: Any) -> Path:
    path.write_bytes(b"\xef\xbb\xbf" + orjson.dumps({"log": {"version": "1.2", "entries": entries}}))
    return path


async def imported(tmp_path: Path, *entries: Any) -> tuple[list[Exchange], SnapshotInfo]:
    info = await import_har(write_har(tmp_path / "a.har", *entries), tmp_path / "a.tape")
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        return await reader.exchanges(), info


async def test_a_browser_entry_becomes_an_exchange_whose_head_fits_its_body(tmp_path: Path) -> None:
    exchanges, info = await imported(tmp_path, chrome())
    assert exchanges == [
        Exchange(
            sequence=1, direction=Direction.INBOUND, scheme="https", service="shop.test:443", command="POST",
            location="/api?q=1", status="200", started_ns=1_714_557_600_250_000_000, duration_us=12_500,
            connection="443",
            request=Request(method="POST", target="/api?q=1", version="HTTP/2",
                            headers=(("Accept", "*/*"), ("Content-Length", "1")), body=body_of(b"\xe9")),
            response=Response(status=200, version="HTTP/2", body=body_of(b'{"a": 1}'),
                              headers=(("content-type", "application/json"), ("Content-Length", "8"))),
        )
    ]  # fmt: skip
    assert (info.name, info.created_ns, info.closed) == ("a", 1_714_557_600_250_000_000, True)


async def test_entries_are_ordered_by_their_start_and_can_be_outbound(tmp_path: Path) -> None:
    late = chrome("http://b.test/late", startedDateTime="2024-05-01T10:00:09+00:00")
    har = write_har(tmp_path / "a.har", late, chrome("http://a.test:81/early"), chrome("http://[::1]:8/six"))
    await import_har(har, tmp_path / "a.tape", direction=Direction.OUTBOUND)
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        found = [(e.sequence, e.service, e.location, e.direction.value) for e in await reader.exchanges()]
    assert found == [(1, "a.test:81", "/early", "outbound"), (2, "[::1]:8", "/six", "outbound"),
                     (3, "b.test:80", "/late", "outbound")]  # fmt: skip


async def test_a_form_is_built_from_its_parameters(tmp_path: Path) -> None:
    entry = chrome()
    entry["request"]["postData"] = {"mimeType": "application/x-www-form-urlencoded",
                                    "params": [{"name": "a b", "value": "1&2"}]}  # fmt: skip
    exchanges, _ = await imported(tmp_path, entry)
    assert exchanges[0].request.body == body_of(b"a+b=1%262")


async def test_what_an_archive_lacks_is_noted(tmp_path: Path) -> None:
    blocked, bare = chrome(), chrome()
    blocked["response"] |= {"status": 0, "_error": "net::ERR_CONNECTION_REFUSED"}
    bare["response"]["content"] = {"size": 99, "mimeType": "text/html"}
    exchanges, info = await imported(tmp_path, blocked, bare, chrome("data:text/plain,hi"), chrome("blob:https://x/1"))
    assert [(e.status, e.error) for e in exchanges] == [("", "net::ERR_CONNECTION_REFUSED"), ("200", "")]
    assert exchanges[1].response is not None
    assert exchanges[1].response.body == body_of(b"", complete=False)
    assert info.notes == (
        "entries without a network URL, such as blob:, left out",
        "entries without a network URL, such as data:, left out",
        "response bodies that the archive does not hold",
    )


async def test_web_socket_frames_come_in(tmp_path: Path) -> None:
    frames = [{"type": "send", "time": 1714557600.5, "opcode": 1, "data": "hi"},
              {"type": "receive", "time": 1714557601.25, "opcode": 2, "data": "/wA="}]  # fmt: skip
    exchanges, _ = await imported(tmp_path, chrome("wss://shop.test/ws", _webSocketMessages=frames))
    assert (exchanges[0].protocol, exchanges[0].scheme) == (Protocol.WEBSOCKET, "https")
    assert exchanges[0].stream == (
        StreamMessage(from_client=True, offset_us=250_000, kind="text", body=body_of(b"hi")),
        StreamMessage(from_client=False, offset_us=1_000_000, kind="binary", body=body_of(b"\xff\x00")),
    )


BROKEN = {
    b"": "its JSON is damaged",
    b'{"log": {"entries": [': "its JSON is damaged",
    b"[" * 5000: "its JSON is damaged",
    b"[]": "it has no log.entries",
    b'{"log": {"entries": 3}}': "it has no log.entries",
    b'{"log": {"entries": [3]}}': "entry 1: input should be a valid dictionary",
    b'{"log": {"entries": [{"request": {"method": "GET"}}]}}': "entry 1: request.url: field required",
    b'{"log": {"entries": [], "_wiretape": {"format": 9, "created_ns": 0}}}': "its _wiretape has format 9",
    b'{"log": {"entries": [], "_wiretape": []}}': "log._wiretape: input should be",
    b'{"log": {"entries": [{"request": {"method": "GET", "url": "http://"}, "response": {"status": 1}}]}}':
    "has no host",
    b'{"log": {"entries": [{"request": {"method": "GET", "url": "http://a:b/"}, "response": {"status": 1}}]}}':
    "entry 1: ",
    b'{"log": {"entries": [{"request": {"method": "GET", "url": "http://a/"}, "response": {"status": 200, "content":'
    b' {"text": "!", "encoding": "base64"}}}]}}': "entry 1: its base64 is damaged",
    b'{"log": {"entries": [{"request": {"method": "GET", "url": "http://a/"}, "response": {"status": 1},'
    b' "_wiretape": {"facts": {"service": "b"}}}]}}': "entry 1: request.url does not begin with http://b",
    b'{"log": {"entries": [{"request": {"method": "GET", "url": "http://a/"}, "response": {"status": 1},'
    b' "_wiretape": {"facts": {"sequence": 1, "service": "a", "direction": "up"}}}]}}':
    "entry 1: direction: input should be 'inbound'",
}  # fmt: skip


@pytest.mark.parametrize("content", BROKEN, ids=BROKEN.values())
async def test_a_broken_archive_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.har").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        await import_har(tmp_path / "a.har", tmp_path / "a.tape")
    assert str(caught.value).startswith(f"{tmp_path}/a.har is not an HTTP archive that can be imported: ")
    assert BROKEN[content] in str(caught.value)
    assert not (tmp_path / "a.tape").exists()


async def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.har cannot be read: No such file"):
        await import_har(tmp_path / "a.har", tmp_path / "a.tape")


async def test_a_repeated_sequence_is_refused(tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape) -> None:
    await tape_of(tmp_path / "a.tape", exchanges)
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        await export_har(reader, tmp_path / "a.har")
    log = orjson.loads((tmp_path / "a.har").read_bytes())
    log["log"]["entries"][1]["_wiretape"]["facts"]["sequence"] = 1
    (tmp_path / "b.har").write_bytes(orjson.dumps(log))
    with pytest.raises(UsageError, match="sequence 1 occurs twice"):
        await import_har(tmp_path / "b.har", tmp_path / "b.tape")
    assert not (tmp_path / "b.tape").exists()


def outside(directory: Path) -> None:
    secret = directory.parent.parent / "secret"
    secret.write_text("password")
    (directory / "request.body").symlink_to(secret)


def linked_directory(directory: Path) -> None:
    (directory.parent / "00002-x").symlink_to(directory)


def huge(directory: Path) -> None:
    with (directory / "exchange.json").open("wb") as file:
        file.truncate(1 << 40)


SPOILERS: dict[str, Callable[[Path], object]] = {
    "request.body is a symbolic link": outside,
    "00002-x is a symbolic link": linked_directory,
    "exchange.json is larger than 67108864 bytes": huge,
    "exchange.json is missing": lambda directory: (directory / "exchange.json").unlink(),
    "request.http is missing": lambda directory: (directory / "request.http").unlink(),
    "exchange.json holds no object": lambda directory: (directory / "exchange.json").write_text("[]"),
    "unexpected end of data": lambda directory: (directory / "exchange.json").write_text("{"),
    "sequence: field required": lambda directory: (directory / "exchange.json").write_text("{}"),
    "line 1 has 2 words where 3 belong": lambda directory: (directory / "request.http").write_text("GET /\n"),
    "line 2 is no header: it has no colon": lambda d: (d / "request.http").write_text("GET / HTTP/1.1\nhost\n"),
    r"'\q' is no escape": lambda directory: (directory / "request.http").write_text("GET /\\q HTTP/1.1\n"),
    "'utf-8' codec can't decode": lambda directory: (directory / "request.http").write_bytes(b"\xff\n"),
    "there are two bodies": lambda d: [(d / f"request.body{end}").write_text("x") for end in ("", ".txt")],
    "snapshot.json: format: field required": lambda d: (d.parent / "snapshot.json").write_text("{}"),
    "it has no snapshot.json": lambda directory: (directory.parent / "snapshot.json").unlink(),
    "it has format 2": lambda d: (d.parent / "snapshot.json").write_text('{"format": 2, "created_ns": 1}'),
}


@pytest.mark.parametrize("sentence", SPOILERS)
async def test_a_broken_folder_is_refused_by_name(tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape,
                                                  sentence: str) -> None:  # fmt: skip
    plain = exchanges[2]
    await tape_of(tmp_path / "a.tape", [plain])
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        await export_folder(reader, tmp_path / "out")
    (directory,) = (path for path in (tmp_path / "out").iterdir() if path.is_dir())
    SPOILERS[sentence](directory)
    with pytest.raises(UsageError) as caught:
        await import_folder(tmp_path / "out", tmp_path / "b.tape")
    assert sentence in str(caught.value)
    assert "is not an exported snapshot: " in str(caught.value)
    assert not (tmp_path / "b.tape").exists()


async def test_a_hostile_path_stays_in_the_folder(
    tmp_path: Path, exchanges: list[Exchange], tape_of: WriteTape
) -> None:
    evil = exchanges[2].model_copy(update={"location": "/../../../etc/passwd\0", "command": "../.."})
    await tape_of(tmp_path / "a.tape", [evil])
    async with await TapeReader.open(tmp_path / "a.tape") as reader:
        await export_folder(reader, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        ".gitattributes", "snapshot.json", "00003-inbound-etc-passwd",
    }  # fmt: skip
