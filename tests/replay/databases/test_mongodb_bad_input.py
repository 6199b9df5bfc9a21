"""Hostile peers of the recorder and of the mock, on real sockets: clear errors, and nobody else is affected."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bson
import pytest
from database_kit import exchanges, mocking, recording

from wiretape_capture.protocols.mongodb import wire

FIND = wire.write_msg(7, 0, bson.encode({"find": "t", "filter": {}, "$db": "d"}))
HELLO = wire.write_msg(6, 0, bson.encode({"hello": 1, "$db": "admin"}))
REPLY = bson.encode({"cursor": {"firstBatch": [{"_id": 1}], "id": 0, "ns": "d.t"}, "ok": 1.0})


@asynccontextmanager
async def served(after: bytes | None = None) -> AsyncIterator[str]:
    """A URL; greetings and finds are answered, a find by `after` where given, and the connection ends then (not a
    database: only its protocol)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = wire.Framer()
        while data := await reader.read(1 << 16):
            for each in framer.feed(data):
                greets = "hello" in bson.decode(wire.read_msg(each.payload).body)
                if not greets and after is not None:
                    writer.write(after)
                    writer.close()
                    return
                body = bson.encode({"ok": 1.0, "maxWireVersion": 21, "isWritablePrimary": True}) if greets else REPLY
                writer.write(wire.write_msg(1, each.request_id, body))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1")
    yield f"mongodb://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    listening.close()


async def said(port: int, *data: bytes) -> bytes:
    """What a peer says until it hangs up, or until the answer to the last message is whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        for each in data:
            writer.write(each)
            async with asyncio.timeout(20):
                while not (len(found) >= 4 and struct.unpack_from("<i", found)[0] <= len(found)):
                    piece = await reader.read(1 << 16)
                    if not piece:
                        return found
                    found += piece
            if each is not data[-1]:
                found = b""
        return found
    except ConnectionError:
        return found
    finally:
        writer.close()


HOSTILE = {
    "a length of 1 GB": struct.pack("<iiii", 1 << 30, 1, 0, wire.OP_MSG) + bytes(50),
    "a negative length": struct.pack("<iiii", -5, 1, 0, wire.OP_MSG) + bytes(50),
    "an unknown opcode": struct.pack("<iiii", 30, 1, 0, 999) + bytes(14),
    "no BSON": wire.message(1, 0, wire.OP_MSG, bytes(5) + struct.pack("<i", 9) + b"\x10a\0\1\0"),
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
}


async def test_hostile_bytes_end_their_own_connection_only(tmp_path: Path) -> None:
    async with served() as url, recording(tmp_path, url) as job:
        for data in HOSTILE.values():
            assert await said(job.port, data) == b""
            assert REPLY in await said(job.port, HELLO, FIND)
    assert job.result is not None
    notes = str(job.result.notes)
    assert "that did not begin as MongoDB" in notes
    for each in ("length of 1073741824", "length of -5", "unknown opcode 999", "no BSON"):
        assert each in notes
    async with mocking(tmp_path, "mongodb://127.0.0.1:9") as mock:
        for data in HOSTILE.values():
            assert b"wiretape: " in await said(mock.port, data)
            assert REPLY[4:] in await said(mock.port, HELLO, FIND)
    assert mock.result is not None
    assert mock.result.refused == len(HOSTILE)


async def test_hostile_bytes_after_a_command_pass_and_are_told(tmp_path: Path) -> None:
    async with served() as url, recording(tmp_path, url) as job:
        await said(job.port, HELLO, FIND, HOSTILE["an unknown opcode"])
    assert job.result is not None
    assert "unknown opcode 999" in str(job.result.notes)
    assert "find" in {each.command for each in await exchanges(tmp_path / "tape.tape")}


@pytest.mark.parametrize("after", [b"", FIND[:9], struct.pack("<iiii", 1 << 30, 1, 7, wire.OP_MSG)])
async def test_a_server_that_dies_in_its_answer_breaks_off_in_the_mock_too(after: bytes, tmp_path: Path) -> None:
    async with served(after) as url, recording(tmp_path, url) as job:
        assert await said(job.port, HELLO, FIND) == after
    found = [each for each in await exchanges(tmp_path / "tape.tape") if each.command == "find"]
    if after[:4] == struct.pack("<i", 1 << 30):
        assert job.result is not None
        assert "claims a length of 1073741824" in str(job.result.notes)
        return
    assert [each.status for each in found] == [""]
    async with mocking(tmp_path, "mongodb://127.0.0.1:9") as mock:
        assert await said(mock.port, HELLO, FIND) == b""


async def test_clients_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    async def visit(port: int, data: bytes) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        writer.close()

    async with served() as url, recording(tmp_path, url) as job:
        for turn in range(20):
            await asyncio.gather(*(visit(job.port, HELLO[: turn * 3]) for _ in range(25)))
        assert REPLY in await said(job.port, HELLO, FIND)
    async with mocking(tmp_path, "mongodb://127.0.0.1:9") as mock:
        for turn in range(20):
            await asyncio.gather(*(visit(mock.port, FIND[: turn * 3]) for _ in range(25)))
        assert REPLY[4:] in await said(mock.port, HELLO, FIND)


@pytest.mark.parametrize("work", [
    "from wiretape_capture.databases.protocols import PROTOCOLS; PROTOCOLS['mongodb'].entrance(parse_map(MAP), {})",
    "from wiretape_replay.mock.databases.protocols import PROTOCOLS; PROTOCOLS['mongodb'].hall(None, None)",
])  # fmt: skip
def test_without_pymongo_one_sentence_says_what_to_install(work: str) -> None:
    program = f"""
import sys
sys.modules["bson"] = None
from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.mapping import parse_map
MAP = "db=mongodb://127.0.0.1:9"
try:
    {work}
except WiretapeError as error:
    print(error)
"""
    told: Any = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == ("MongoDB needs the package pymongo, which is not installed; install it with: "
                           "pip install 'wiretape[mongodb]'\n")  # fmt: skip
