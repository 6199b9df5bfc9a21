"""What is answered before the SDK is loaded is what the SDK answers, and nothing is lost between the two."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp.server.lowlevel.server import Server
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from wiretape_server.mcp import opening
from wiretape_server.mcp.about import version
from wiretape_server.mcp.ahead import configured
from wiretape_server.mcp.app import build_server
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.opening import ANSWERED, Opening
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.sdk_seams import lowlevel
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.wire import LONGEST, Lines

type Json = dict[str, Any]

META = "io.modelcontextprotocol/"
CLIENT = {"name": "t", "version": "1"}


def request(method: str, number: Any = 1, **params: Any) -> Json:
    return {"jsonrpc": "2.0", "id": number, "method": method} | ({"params": params} if params else {})


def initialize(asked: str = "2025-11-25", capabilities: Any = None, client: Any = None) -> Json:
    return request("initialize", protocolVersion=asked, capabilities=capabilities or {}, clientInfo=client or CLIENT)


def discover(asked: str = "2026-07-28", capabilities: Any = None, client: Any = None) -> Json:
    return request("server/discover", _meta={
        f"{META}protocolVersion": asked, f"{META}clientInfo": client or CLIENT,
        f"{META}clientCapabilities": capabilities or {}})  # fmt: skip


def line(message: Any) -> bytes:
    return json.dumps(message).encode()


def early(message: Any) -> Json | None:
    """What is answered without the SDK."""
    answers, _ = Opening(version()).take([line(message)])
    return json.loads(answers[0]) if answers else None


@functools.cache
def sdk_server() -> Server[Any]:
    return lowlevel(build_server(ServerState(ServeOptions(), LiveJobs())))


async def sdk_answer(message: Json) -> Json:
    """What the SDK says to it as the first message of a connection."""
    low = sdk_server()
    into, read = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    write, out = anyio.create_memory_object_stream[SessionMessage](9)
    async with anyio.create_task_group() as tasks, into, out:
        tasks.start_soon(low.run, read, write, low.create_initialization_options())
        await into.send(SessionMessage(jsonrpc_message_adapter.validate_json(line(message), by_name=False)))
        answered = await out.receive()
        tasks.cancel_scope.cancel()
    found: Json = json.loads(answered.message.model_dump_json(by_alias=True, exclude_unset=True))
    return found


@pytest.mark.parametrize("asked", [*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS, "1.0", "", "2999-01-01"])
async def test_a_handshake_is_answered_as_the_sdk_answers_it(asked: str) -> None:
    assert early(initialize(asked)) == await sdk_answer(initialize(asked))


async def test_a_probe_is_answered_as_the_sdk_answers_it() -> None:
    assert early(discover()) == await sdk_answer(discover())


async def test_a_ping_is_answered_as_the_sdk_answers_it() -> None:
    assert early(request("ping")) == await sdk_answer(request("ping"))


def test_the_sdk_speaks_no_revision_that_is_unknown_here() -> None:
    assert tuple(HANDSHAKE_PROTOCOL_VERSIONS) == opening.HANDSHAKE_VERSIONS
    assert tuple(MODERN_PROTOCOL_VERSIONS) == (opening.ENVELOPE_VERSION,)


@pytest.mark.parametrize(
    "capabilities",
    [
        {}, {"roots": {}, "elicitation": {}}, {"roots": {"listChanged": True}}, {"sampling": {}, "elicitation": {}},
        {"elicitation": {"form": {}, "url": {}}}, {"sampling": {"tools": {}, "context": {}}},
        {"tasks": {"list": {}, "cancel": {}, "requests": {"sampling": {"createMessage": {}}}}},
        {"extensions": {"io.modelcontextprotocol/ui": {}}, "experimental": {"x": {}}},
    ],
)  # fmt: skip
async def test_what_agents_declare_is_answered_at_once(capabilities: Json) -> None:
    client = CLIENT | {"title": "An agent", "websiteUrl": "https://agent.example", "description": "codes"}
    for message in (initialize("2025-06-18", capabilities, client), discover("2026-07-28", capabilities, client)):
        assert early(message) == await sdk_answer(message)


WRONG: tuple[Any, ...] = (None, True, 7, 1.5, "x", "", [], {}, [{}], {"a": 1}, {"listChanged": {}}, "\ud800", 2**70)


@st.composite
def spoilt(draw: st.DrawFn) -> Json:
    """An opening with a few places of it replaced, removed or added to."""
    message = draw(st.sampled_from([
        initialize("2025-06-18", {"roots": {"listChanged": True}, "sampling": {}, "experimental": {"x": {}}}),
        discover("2026-07-28", {"elicitation": {"form": {}}, "extensions": {"x/y": {}}, "tasks": {"list": {}}}),
        request("ping")]))  # fmt: skip
    message = copy.deepcopy(message)
    for _ in range(draw(st.integers(1, 2))):
        node: Any = message
        while True:
            key = draw(st.sampled_from([*node, "extra", "icons", "_meta", "listChanged", "progressToken"]))
            if isinstance(node.get(key), dict) and draw(st.booleans()):
                node = node[key]
                if not node:
                    break
                continue
            if draw(st.booleans()):
                node[key] = copy.deepcopy(draw(st.sampled_from(WRONG)))
            else:
                node.pop(key, None)
            break
    return message


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(spoilt())
def test_what_is_answered_early_is_never_refused_by_the_sdk(message: Json) -> None:
    answer = early(message)
    if answer is not None:
        # asyncio.run takes its thread's event loop away, and the tests after this one need theirs.
        with ThreadPoolExecutor(1) as thread:
            assert answer == thread.submit(asyncio.run, sdk_answer(message)).result(60)


def test_what_only_the_sdk_can_judge_is_left_to_it() -> None:
    for message in (request("tools/list"), initialize(client={"name": "t"}), discover("2027-01-01"),
                    request("server/discover"), initialize(capabilities={"roots": 5}), request("initialize"),
                    initialize() | {"id": True}, initialize() | {"jsonrpc": "1.0"}):  # fmt: skip
        asked = Opening("1")
        assert asked.take([line(message)]) == ([], [line(message)])
        assert asked.over
        assert asked.take([line(initialize())]) == ([], [line(initialize())])


def test_lines_that_are_no_request_leave_the_opening_open() -> None:
    asked = Opening("1")
    noise = [b"not json", b"", b"[1]", line({"jsonrpc": "2.0", "method": "notifications/initialized"}),
             line({"jsonrpc": "2.0", "id": 1, "result": {}}), b"\xff", b'{"id":1,"method":NaN}']  # fmt: skip
    assert asked.take(noise) == ([], noise)
    assert len(asked.take([line(initialize())])[0]) == 1


def test_only_an_answered_handshake_reaches_the_sdk_and_under_an_id_of_its_own() -> None:
    asked = Opening("1")
    after = [line({"jsonrpc": "2.0", "method": "notifications/initialized"}), line(request("tools/list", 2)),
             line(request("ping", 3)), line(initialize())]  # fmt: skip
    answers, passed = asked.take([line(request("ping", "p")), line(initialize()), *after])

    assert [json.loads(each)["id"] for each in answers] == ["p", 1]
    assert json.loads(passed[0]) == initialize() | {"id": ANSWERED}
    assert passed[1:] == after


def test_a_probe_that_a_handshake_has_overtaken_is_not_answered() -> None:
    probe = discover() | {"id": 0}
    together = Opening("1").take([line(probe), line(initialize())])[0]
    apart = Opening("1")

    assert [json.loads(each)["id"] for each in together] == [1]
    assert [json.loads(each)["id"] for each in (*apart.take([line(probe)])[0], *apart.take([line(initialize())])[0])] \
        == [0, 1]  # fmt: skip


@contextmanager
def server(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    words = command or (sys.executable, "-m", "wiretape_server", "mcp")
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("first", [[], [discover() | {"id": 0}]], ids=["handshake", "after an answered probe"])
def test_requests_sent_with_the_handshake_are_all_answered_once(tmp_path: Path, first: list[Json]) -> None:
    (tmp_path / ".wiretape").mkdir()
    calls = [request("tools/call", number, name="list_runs", arguments={}) for number in range(2, 602)]
    with server(tmp_path) as process:
        assert process.stdin and process.stdout
        for probe in first:
            process.stdin.write(line(probe) + b"\n")
            process.stdin.flush()
            assert "supportedVersions" in json.loads(process.stdout.readline())["result"]
        sent = [initialize(), {"jsonrpc": "2.0", "method": "notifications/initialized"}, *calls]
        for message in sent:
            process.stdin.write(line(message) + b"\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(len(calls) + 1)]
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stdout.read() == b""

    assert answers[0]["id"] == 1
    assert sorted(each["id"] for each in answers) == list(range(1, 602))
    assert not [each for each in answers if "error" in each]


def test_a_handshake_that_comes_byte_by_byte_and_without_a_last_newline(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        assert process.stdin and process.stdout
        for byte in line(initialize()) + b"\r\n" + line(request("ping", 2)):
            process.stdin.write(bytes([byte]))
            process.stdin.flush()
        process.stdin.close()
        answers = [json.loads(each) for each in process.stdout]

    assert [each["id"] for each in answers][:1] == [1]


def test_a_client_that_leaves_before_the_sdk_is_loaded_ends_the_server(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        out, err = process.communicate(line(initialize()) + b"\n", timeout=90)

    assert (process.returncode, err) == (0, b"")
    assert json.loads(out)["id"] == 1


def test_a_client_that_sends_nothing_at_first_is_answered_later(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        assert process.stdin and process.stdout
        time.sleep(4)
        process.stdin.write(line(initialize()) + b"\n" + line(request("tools/list", 2)) + b"\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]

    assert [each["id"] for each in answers] == [1, 2]
    assert len(answers[1]["result"]["tools"]) == 14


def test_prints_and_children_do_not_reach_the_client(tmp_path: Path) -> None:
    code = ("import subprocess; from wiretape_server.mcp.wire import standard_wire; wire = standard_wire()\n"
            "print('stray', flush=True); print(subprocess.run(['cat'], timeout=30).returncode, flush=True)\n"
            "subprocess.run(['echo', 'child']); wire.send(b'said')")  # fmt: skip
    with server(tmp_path, sys.executable, "-c", code) as process:
        out, err = process.communicate(line(request("ping")) + b"\n", timeout=30)

    assert [each for each in out.splitlines() if b"jsonrpc" not in each] == [b"said"]
    assert err.split() == [b"stray", b"0", b"child"]


def test_nothing_heavy_is_loaded_before_the_handshake_is_answered(tmp_path: Path) -> None:
    code = ("import sys; from pathlib import Path; from wiretape_server import entry\n"
            "from wiretape_server.mcp import ahead; ahead.begin([], Path.cwd())\n"
            "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)")  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
                           check=True)  # fmt: skip
    loaded = set(json.loads(found.stderr.decode().replace("'", '"')))

    assert "wiretape_server" in loaded
    assert not loaded & {"asyncio", "anyio", "pydantic", "mcp", "click", "mitmproxy", "httpx", "wiretape_capture"}


@pytest.mark.parametrize(
    ("text", "transport"),
    [(None, "stdio"), ("", "stdio"), ('[mcp]\ntransport = "http"', "http"), ("[mcp", "stdio"), ("mcp = 3", "stdio"),
     ('[mcp]\ntransport = "sse"', "sse"), ("[app]\nport = 1", "stdio")],
)  # fmt: skip
def test_the_transport_is_read_where_the_command_line_reads_it(
    tmp_path: Path, text: str | None, transport: str
) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    if text is not None:
        (tmp_path / "wiretape.toml").write_text(text)
    assert configured(inside) == transport

    (tmp_path / "a" / ".wiretape").mkdir()
    assert configured(inside) == "stdio"


@given(st.lists(st.binary(max_size=12)), st.integers(1, 9))
def test_lines_come_out_whole_however_they_are_cut(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    cut = Lines()
    found = [line for at in range(0, len(data), size) for line in cut.take(data[at : at + size])] + cut.end()

    assert found == (data.split(b"\n")[:-1] if data.endswith(b"\n") or not data else data.split(b"\n"))


def test_a_line_without_end_is_not_kept() -> None:
    cut = Lines(longest=10)
    assert cut.take(b"short\nlong" + b"x" * 7) == [b"short"]
    assert [line for _ in range(5) for line in cut.take(b"y" * 10)] == []
    assert cut.take(b"z\n" + b"1" * 10 + b"\n") == [None, b"1" * 10]
    assert cut.end() == []


def test_a_client_whose_line_is_too_long_is_told_and_served(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        said = b"x" * (LONGEST + 1) + b"\n" + line(initialize()) + b"\n"
        out, err = process.communicate(said, timeout=90)

    told, handshake = sorted(map(json.loads, out.splitlines()), key=lambda each: each["id"] or 0)
    assert told["error"]["message"] == "Invalid request: a line above 64 MiB is not read"
    assert (handshake["id"], process.returncode, err) == (1, 0, b"")
