"""What an agent reads through the real server: snapshots, exchanges, runs, findings, resources."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, TextContent, TextResourceContents

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.verdict.model import Eval, Finding, FindingClass, Part, Severity, Suppressed
from wiretape_server.workspace.workspace import Workspace

type Connect = Callable[..., AbstractAsyncContextManager[Client]]
type InMemory = Callable[[Workspace], AbstractAsyncContextManager[Client]]

BUDGET = 6 * 1024
"""Bytes of one default answer that every client shows in full."""
SECRET = "eyJhbGciOiJub25lIn0.c2VjcmV0.x"


def text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


async def resource(client: Client, uri: str) -> str:
    contents = (await client.read_resource(uri)).contents[0]
    assert isinstance(contents, TextResourceContents)
    return contents.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_snapshots_are_listed_over_each_transport_and_era(
    project: Workspace, connect: Connect, mode: str
) -> None:
    async with connect(project.root, mode=mode) as client:
        result = await client.call_tool("list_snapshots", {})

    fields = result.structured_content
    assert fields is not None
    assert {row["name"] for row in fields["snapshots"]} == {"first", "second"}
    assert fields["summary"] in text(result)
    assert fields["next"] in text(result)


async def test_every_default_answer_fits_the_smallest_client(project: Workspace, stdio: Connect) -> None:
    calls: list[tuple[str, dict[str, object]]] = [
        ("list_snapshots", {}), ("search_exchanges", {}), ("list_runs", {}), ("get_run", {}), ("get_diff", {}),
        ("get_diff", {"finding": "F-00000001"}), ("get_diff", {"noise": True}),
        ("get_exchange", {"sequence": 1, "snapshot": "first", "run": "20261123-101010"}),
    ]  # fmt: skip
    async with stdio(project.root) as client:
        results = [(name, await client.call_tool(name, arguments)) for name, arguments in calls]

    for name, result in results:
        assert not result.is_error, text(result)
        assert result.structured_content is not None
        assert {"summary", "next"} <= set(result.structured_content), name
        assert len(text(result)) <= BUDGET, name
        assert len(json.dumps(result.structured_content)) <= BUDGET, name
        assert "null" not in json.dumps(result.structured_content), name


async def test_an_eval_that_could_not_be_judged_is_told(
    project: Workspace, in_memory: InMemory, save: Callable[..., Awaitable[None]]
) -> None:
    unjudged = Eval(expression="latency.p95[GET /nope] > 50.00", observed=None, passed=None, note="no route GET /nope")
    await save(project, "20261123-121212", [], evals=(unjudged,))
    async with in_memory(project) as client:
        result = await client.call_tool("get_run", {})

    assert not result.is_error, text(result)
    assert (result.structured_content or {})["evals"][0] == unjudged.model_dump(mode="json")
    assert "not judged" in text(result)


async def test_exchanges_are_found_by_their_filters(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        found = [
            await client.call_tool("search_exchanges", {"snapshot": "first", **filters})
            for filters in ({"direction": "outbound"}, {"command": "post"}, {"status": "2xx", "path": "/orders/*"})
        ]

    rows = [[row["sequence"] for row in result.structured_content["exchanges"]]
            for result in found]  # fmt: skip
    assert rows == [[3], [2], [1]]


async def test_a_cursor_continues_where_the_last_answer_ended(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        first = await client.call_tool("search_exchanges", {"snapshot": "first", "limit": 2})
        fields = first.structured_content or {}
        second = await client.call_tool(
            "search_exchanges", {"snapshot": "first", "limit": 2, "cursor": fields["next_cursor"]}
        )
        bad = await client.call_tool("list_snapshots", {"cursor": "nonsense"})

    assert [row["sequence"] for row in fields["exchanges"]] == [1, 2]
    assert [row["sequence"] for row in (second.structured_content or {})["exchanges"]] == [3]
    assert bad.is_error
    assert "leave it out" in text(bad)


async def test_credentials_never_leave_by_tool_or_resource(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        exchange = await client.call_tool("get_exchange", {"sequence": 1, "snapshot": "first"})
        detail = await client.call_tool("get_diff", {"finding": "F-00000001"})
        resources = [
            await resource(client, "wiretape://snapshots/first/exchanges/1"),
            await resource(client, "wiretape://runs/20261123-101010"),
            await resource(client, "wiretape://runs/20261123-101010/report"),
        ]

    answers = [result.model_dump_json() for result in (exchange, detail)] + resources
    for answer in answers:
        assert SECRET not in answer
        assert "0123456789abcdef" not in answer
    assert "Authorization: Bearer <masked" in text(exchange)
    assert "Set-Cookie: sid=<masked" in text(exchange)
    assert "Path=/; HttpOnly" in text(exchange)


def outside_fences(answer: str) -> str:
    """The lines of an answer that an agent takes for ours."""
    ours: list[str] = []
    mark = ""
    for line in answer.splitlines():
        if mark:
            mark = "" if line == mark else mark
        elif line.startswith("```"):
            mark = line
        else:
            ours.append(line)
    assert not mark
    return "\n".join(ours)


async def test_recorded_text_never_speaks_in_our_own_voice(hostile: Workspace, in_memory: InMemory) -> None:
    calls: list[tuple[str, dict[str, object]]] = [
        ("search_exchanges", {}), ("list_runs", {}), ("get_run", {}), ("get_diff", {}), ("get_diff", {"noise": True}),
        ("get_diff", {"finding": "F-00000001"}), ("get_exchange", {"sequence": 1, "run": "20261123-111111"}),
    ]  # fmt: skip
    async with in_memory(hostile) as client:
        results = [await client.call_tool(name, arguments) for name, arguments in calls]
        report = await resource(client, "wiretape://runs/20261123-111111/report")

    for (name, arguments), result in zip(calls, results, strict=True):
        assert not result.is_error, text(result)
        assert ("OBEY" in text(result)) is (name != "list_runs"), (name, arguments)
        assert "OBEY" not in outside_fences(text(result)), (name, arguments)
        fields = result.structured_content or {}
        assert "OBEY" not in fields["summary"] + fields["next"], (name, arguments)
    assert "OBEY" in report


async def test_a_finding_is_shown_in_full(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        result = await client.call_tool("get_diff", {"run": "20261123-101010", "finding": "F-00000001"})

    detail = (result.structured_content or {})["detail"]
    assert detail["request_line"] == "GET /orders/1"
    assert '-  "total": 12.5' in detail["diff"]
    assert '+  "total": "12.5"' in detail["diff"]
    assert detail["patch"] == [{"op": "replace", "path": "/total", "value": "12.5"}]
    assert '+  "total": "12.5"' in text(result)


async def test_findings_are_paged_by_id(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        first = (await client.call_tool("get_diff", {})).structured_content or {}
        rest = (await client.call_tool("get_diff", {"cursor": first["next_cursor"]})).structured_content or {}

    assert [each["id"] for each in (*first["findings"], *rest["findings"])] == [f"F-{n:08x}" for n in range(1, 13)]
    assert "4 more after cursor" in first["summary"]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get_exchange", {"sequence": 1, "snapshot": "frist"}, "first"),
        ("get_exchange", {"sequence": 99, "snapshot": "first"}, "99"),
        ("get_exchange", {"sequence": 1, "snapshot": "../../etc/passwd"}, "not the name of a snapshot"),
        ("get_exchange", {"sequence": 1, "snapshot": "/etc/passwd"}, "not the name of a snapshot"),
        ("get_run", {"run": "../x"}, "not the name of a run"),
        ("get_run", {"run": "2026112-101010"}, "20261123-101010"),
        ("get_diff", {"finding": "F-0000000f"}, "did you mean F-"),
        ("search_exchanges", {"status": "many"}, "404"),
        ("search_exchanges", {"direction": "sideways"}, "inbound"),
        ("search_exchanges", {"stats": "404"}, "did you mean 'status'?"),
        ("list_runs", {"limit": 0}, "limit"),
        ("get_exchange", {}, "sequence: field required"),
        ("run_replay", {"target": "http://example.com"}, "--allow-target example.com"),
        ("run_replay", {"target": "http://127.0.0.1@example.com/"}, "--allow-target example.com"),
        ("run_replay", {"target": "file:///etc/passwd"}, "not an http or https URL"),
        ("run_replay", {}, "set both there, or give target"),
        ("start_recording", {"command": ["touch", "owned"]}, "--allow-commands"),
        ("start_mock", {"command": ["touch", "owned"]}, "--allow-commands"),
        ("start_recording", {}, "app_port"),
        ("stop_recording", {}, "start_recording starts one"),
        ("stop_mock", {"mock": "mock-7"}, "start_mock starts one"),
        ("get_exchange", {"sequence": 10**30}, "search_exchanges lists them"),
        ("search_exchanges", {"cursor": "9" * 50}, "leave it out"),
        ("explain", {"id": "x" * 500}, "call get_diff and give a name from there"),
        ("run_replay", {"fail_if": ["latency.p96 > 3"], "target": "http://127.0.0.1:9"}, "did you mean latency.p99?"),
        ("run_replay", {"only": ["7-3"], "target": "http://127.0.0.1:9"}, "write 3-7"),
        ("get_run", {"run": "\u202e" + "a" * 100_000}, "\\u202e"),
        ("list_runs", {"x" * 100_000: 1}, "its arguments are"),
        ("run_replay", {"fail_if": ["x" * 100_000], "target": "http://127.0.0.1:9"}, "METRIC OP VALUE"),
    ],
)  # fmt: skip
async def test_an_error_says_what_to_do_next(
    project: Workspace, in_memory: InMemory, tool: str,
    arguments: dict[str, object], said: str,
) -> None:  # fmt: skip
    async with in_memory(project) as client:
        result = await client.call_tool(tool, arguments)

    assert result.is_error
    assert result.structured_content is None
    assert said in text(result)
    assert "Traceback" not in text(result)
    assert "pydantic.dev" not in text(result)
    assert not (project.root / "owned").exists()
    assert len(text(result)) < 2100
    assert "\u202e" not in text(result)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get_exchange", {"sequence": 1}, "start_recording makes one"),
        ("run_replay", {"target": "http://127.0.0.1:9"}, "start_recording makes one"),
        ("start_mock", {}, "start_recording makes one"), ("get_diff", {}, "run_replay makes one"),
    ],
)  # fmt: skip
async def test_an_empty_project_says_where_to_begin(
    tmp_path: Path, in_memory: InMemory, tool: str, arguments: dict[str, object], said: str
) -> None:
    async with in_memory(Workspace(tmp_path)) as client:
        result = await client.call_tool(tool, arguments)

    assert result.is_error
    assert said in text(result)
    assert not Workspace(tmp_path).data_dir.exists()


async def test_a_null_is_an_argument_that_is_not_given(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        result = await client.call_tool("get_run", {"run": None, "wait_seconds": None})

    assert not result.is_error, text(result)


async def test_an_unknown_tool_is_an_error_of_the_protocol_that_names_the_nearest(
    project: Workspace, in_memory: InMemory
) -> None:
    async with in_memory(project) as client:
        with pytest.raises(MCPError, match="there is no tool 'run_repaly'; did you mean run_replay"):
            await client.call_tool("run_repaly", {})


async def test_a_search_does_not_tell_what_is_masked(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        found = [(await client.call_tool("search_exchanges", {"snapshot": "first", "text": each})).structured_content
                 for each in (SECRET[:12], "0123456789abcdef", "application/json", "12.5")]  # fmt: skip

    assert [len((fields or {})["exchanges"]) for fields in found] == [0, 0, 3, 3]


async def test_long_names_fit_the_smallest_client_too(project: Workspace, in_memory: InMemory,
                                                      save: Callable[..., Awaitable[None]]) -> None:  # fmt: skip
    long = "\U0001f4a9" * 400
    findings = [Finding(id=f"F-{n:08x}", kind=FindingClass.VALUE, severity=Severity.ERROR, breaking=True,
                        route=f"GET /{long}", part=Part.BODY,
                        pointer=f"/{long}{n}", expected=long, actual=long + "b", message=long, evidence=long, curl=long,
                        sequences=(1,), count=1, of=1) for n in range(12)]  # fmt: skip
    noise = [Suppressed(route=f"GET /{long}", part=Part.BODY, pointer=f"/{long}{n}", reason=long, count=1,
                        example_expected=long, example_actual=long) for n in range(12)]  # fmt: skip
    exchange = (await _recorded(project)).model_copy(update={"location": f"/{long}"})
    await save(project, "20261123-141414", findings, suppressed=tuple(noise), exchange=exchange)
    calls: list[tuple[str, dict[str, object]]] = [
        ("get_run", {}),
        ("get_diff", {}),
        ("get_diff", {"noise": True}),
        ("get_diff", {"finding": "F-00000001"}),
    ]
    async with in_memory(project) as client:
        results = [await client.call_tool(*call) for call in calls]

    for call, result in zip(calls, results, strict=True):
        assert not result.is_error, text(result)
        assert len(text(result).encode()) <= BUDGET, call
        assert len(json.dumps(result.structured_content, ensure_ascii=False).encode()) <= BUDGET, call


async def _recorded(project: Workspace) -> Exchange:
    async with await TapeReader.open(project.snapshot_path("first")) as reader:
        return await reader.exchange(1)


async def test_cursors_hold_no_recorded_text(hostile: Workspace, in_memory: InMemory,
                                             save: Callable[..., Awaitable[None]]) -> None:  # fmt: skip
    noise = [Suppressed(route="GET /", part=Part.BODY, pointer=f"/OBEY{n}", reason="uuid", count=1) for n in range(9)]
    await save(hostile, "20261123-131313", [], suppressed=tuple(noise))
    async with in_memory(hostile) as client:
        first = (await client.call_tool("get_diff", {"noise": True})).structured_content or {}
        rest = await client.call_tool("get_diff", {"noise": True, "cursor": first["next_cursor"]})

    assert "OBEY" not in first["summary"] + first["next"] + first["next_cursor"]
    assert [each["pointer"] for each in (rest.structured_content or {})["suppressed"]] == ["/OBEY8"]


async def test_what_nobody_can_see_is_written_out_in_fields_too(
    project: Workspace, in_memory: InMemory, save: Callable[..., Awaitable[None]]
) -> None:
    noise = Suppressed(route="GET /", part=Part.BODY, pointer="/a\u202eb", reason="uuid", count=1,
                       example_expected="\x1b]0;x", example_actual="\U000e0041")  # fmt: skip
    await save(project, "20261123-131313", [], suppressed=(noise,))
    async with in_memory(project) as client:
        result = await client.call_tool("get_diff", {"noise": True})

    (told,) = (result.structured_content or {})["suppressed"]
    assert (told["pointer"], told["example_actual"]) == ("/a\\u202eb", "\\U000e0041")


async def test_an_argument_that_a_client_injects_is_let_through(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        result = await client.call_tool("list_snapshots", {"wait_for_previous": True})

    assert not result.is_error


async def test_resources_are_listed_as_they_are_now_in_pages(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        before = {str(each.uri) for each in (await client.list_resources()).resources}
        for number in range(60):
            (project.snapshots_dir / f"copy-{number}.tape").write_bytes(project.snapshot_path("first").read_bytes())
        page = await client.list_resources()
        rest = await client.list_resources(cursor=page.next_cursor)
        templates = [each.uri_template for each in (await client.list_resource_templates()).resource_templates]

    assert before == {
        "wiretape://snapshots", "wiretape://runs", "wiretape://snapshots/first", "wiretape://snapshots/second",
        "wiretape://runs/20261123-101010", "wiretape://runs/20261123-101010/report",
    }  # fmt: skip
    assert (len(page.resources), len(rest.resources), rest.next_cursor) == (50, 16, None)
    assert templates == [
        "wiretape://snapshots/{name}", "wiretape://snapshots/{name}/contract",
        "wiretape://snapshots/{name}/exchanges/{sequence}", "wiretape://runs/{run}",
        "wiretape://runs/{run}/findings/{finding}", "wiretape://runs/{run}/report",
    ]  # fmt: skip


async def test_every_resource_can_be_opened(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        uris = [str(each.uri) for each in (await client.list_resources()).resources]
        texts = {uri: await resource(client, uri) for uri in uris}

    assert texts["wiretape://runs/20261123-101010/report"].startswith("# wiretape: fail")
    assert json.loads(texts["wiretape://snapshots/first"])["exchanges"] == 3


@pytest.mark.parametrize(
    "uri",
    [
        "wiretape://snapshots/absent", "wiretape://snapshots/..%2f..%2fetc", "wiretape://runs/absent",
        "wiretape://snapshots/first/exchanges/x", "wiretape://snapshots/first/exchanges/99", "wiretape://nothing",
    ],
)  # fmt: skip
async def test_an_absent_resource_is_an_error_of_the_protocol(
    project: Workspace, in_memory: InMemory, uri: str
) -> None:
    async with in_memory(project) as client:
        with pytest.raises(MCPError):
            await client.read_resource(uri)


async def test_a_link_out_of_the_workspace_is_refused(
    project: Workspace,
    in_memory: Callable[[Workspace], AbstractAsyncContextManager[Client]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "other.tape"
    outside.write_bytes(project.snapshot_path("first").read_bytes())
    (project.snapshots_dir / "link.tape").symlink_to(outside)

    async with in_memory(project) as client:
        result = await client.call_tool("get_exchange", {"sequence": 1, "snapshot": "link"})

    assert result.is_error
    assert "leads out of the workspace" in text(result)


async def test_a_broken_snapshot_is_listed_with_its_problem(project: Workspace, in_memory: InMemory) -> None:
    (project.snapshots_dir / "torn.tape").write_bytes(b"not a tape")

    async with in_memory(project) as client:
        result = await client.call_tool("list_snapshots", {})

    rows = {row["name"]: row for row in (result.structured_content or {})["snapshots"]}
    assert rows["torn"]["problem"]
    assert "torn: unreadable" in text(result)


async def test_a_snapshots_contract(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        view = json.loads(await resource(client, "wiretape://snapshots/first/contract"))
    assert view["snapshots"] == ["first"]
    assert {route["route"] for route in view["routes"]}
    assert all(route["answers"] for route in view["routes"])
