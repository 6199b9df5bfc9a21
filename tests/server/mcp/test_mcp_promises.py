"""What the tools promise as a whole: small answers, next steps that work, and that reading changes nothing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent, Tool

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Severity, Suppressed
from wiretape_server.workspace.workspace import Workspace

type InMemory = Callable[[Workspace], AbstractAsyncContextManager[Client]]
type Call = tuple[str, dict[str, Any]]

RUN = "20261123-151515"
TOKENS = 2000
BYTES = 6 * 1024
READING: list[Call] = [
    ("list_snapshots", {}), ("list_runs", {}), ("get_run", {}), ("get_diff", {}), ("get_diff", {"noise": True}),
    ("get_diff", {"finding": "F-00000001"}), ("explain", {}), ("explain", {"id": "F-00000001"}),
    ("explain", {"mock": "mock-1"}), ("get_traffic", {}), ("get_traffic", {"route": "GET /shelves/{id}"}),
    ("search_exchanges", {}), ("get_exchange", {"sequence": 3}), ("get_exchange", {"sequence": 3, "run": RUN}),
]  # fmt: skip
CALL = re.compile(r"\b([a-z]+_[a-z_]+|explain)(?:\(([^()]*)\))?")


def text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def tokens(said: str) -> int:
    import bpe_openai  # reads all its vocabularies: each worker collects this file, one counts

    return len(bpe_openai.get_encoding("o200k_base").encode(said))


def wide(number: int) -> dict[str, Any]:
    """An answer with many fields, as real ones have."""
    return {"id": number, "items": [{"sku": f"SKU-{n}", "price_in_cents": n * 199} for n in range(number % 5)]} | {
        f"attribute_number_{field}": None if field == number else f"value {field * number}" for field in range(60)
    }


@pytest.fixture
async def busy(tmp_path: Path, tape: Callable[..., Awaitable[None]], answered: Callable[..., Exchange],
               save: Callable[..., Awaitable[None]]) -> Workspace:  # fmt: skip
    """A project with many routes, wide answers, many findings, noise and misses, each as long as they come."""
    workspace = Workspace(tmp_path)
    workspace.create()
    exchanges = []
    for n in range(1, 121, 2):
        target = f"/shelves/{n}" if n < 60 else f"/warehouse/sections/section-{n:x}/inventory/overview/part{n}"
        exchanges.append(answered(n, target=target, answer=wide(n)))
        exchanges.append(answered(n + 1, target=f"/prices/p{n}?currency=EUR", direction=Direction.OUTBOUND))
    await tape(workspace, "first", exchanges)
    findings = [
        Finding(id=f"F-{n:08x}", kind=FindingClass.VALUE, severity=Severity.ERROR, breaking=True, part=Part.BODY,
                route="GET /shelves/{id}", pointer=f"/attribute_number_{n}", example_pointer=f"/attribute_number_{n}",
                expected=f"value {n} as it was recorded in the first place", actual=f"value {n} as it is answered now",
                message=f'GET /shelves/{{id}}: /attribute_number_{n}: was "value {n}" and is now "value"',
                sequences=tuple(range(1, 60, 2)), count=30, of=30, evidence="string in 30 of 30 recorded answers",
                curl="curl http://127.0.0.1:8000/shelves/1", look_at=(f"attribute_number_{n}", "/shelves/"),
                reproduce=f"wiretape verify --only {n}", inputs="only with ?currency: 30 of 30 such requests show it")
        for n in range(1, 41)
    ]  # fmt: skip
    noise = tuple(
        Suppressed(route="GET /shelves/{id}", part=Part.BODY, pointer=f"/attribute_number_{n}/updated_at", count=n + 1,
                   reason="timestamp", example_expected="2026-11-23T10:10:10Z", example_actual="2026-11-24T10:10:10Z")
        for n in range(40)
    )  # fmt: skip
    await save(workspace, RUN, findings, suppressed=noise, exchange=exchanges[0], live=exchanges[2].response)
    code = "\n".join(f"attribute_number_{n} = 'shelves'" for n in range(60))
    (workspace.root / "app.py").write_text(code)
    leaf = {"where": "body/attribute", "recorded": "a recorded value", "live": "a value that is sent now"}
    near = {"sequence": 2, "command": "POST", "location": "/prices/p1", "status": "200", "differences": [leaf] * 12}
    (workspace.jobs_dir / "mock-1.journal").write_text("\n".join(
        json.dumps({"at_ns": n, "service": "prices.test:80", "command": "POST", "location": f"/prices/{n}",
                    "tier": "miss", "closest": [near] * 3}, separators=(",", ":")) for n in range(30)))  # fmt: skip
    return workspace


async def test_every_default_answer_costs_little(busy: Workspace, in_memory: InMemory) -> None:
    async with in_memory(busy) as client:
        results = [(call, await client.call_tool(*call)) for call in READING]

    costs = {}
    for (name, arguments), result in results:
        assert not result.is_error, text(result)
        fields = json.dumps(result.structured_content, ensure_ascii=False)
        costs[f"{name} {arguments}"] = max(tokens(text(result)), tokens(fields))
        assert len(text(result).encode()) <= BYTES, name
        assert len(fields.encode()) <= BYTES, name
    assert {call: cost for call, cost in costs.items() if cost > TOKENS} == {}


async def test_reading_tools_change_no_file(busy: Workspace, in_memory: InMemory) -> None:
    async with in_memory(busy) as client:
        reading = {tool.name for tool in (await client.list_tools()).tools
                   if tool.annotations and tool.annotations.read_only_hint}  # fmt: skip
        before = contents(busy.root)
        for call in READING:
            assert not (await client.call_tool(*call)).is_error, call
        after = contents(busy.root)

    assert {name for name, _ in READING} == reading, "every tool that says it only reads is here"
    assert after == before


def contents(root: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
            for path in sorted(root.rglob("*"))}  # fmt: skip


def calls_in(said: str, tools: dict[str, Tool]) -> Iterator[Call]:
    """The calls that a next step names, with those arguments that are given as values."""
    for name, arguments in CALL.findall(said):
        known = name in tools or any(name in tool.input_schema["properties"] for tool in tools.values())
        assert known, f"{said!r} names {name}, which is no tool"
        if name not in tools:
            continue
        parsed = ast.parse(f"f({arguments})", mode="eval").body
        assert isinstance(parsed, ast.Call)
        given = {word.arg or "": ast.literal_eval(word.value) for word in parsed.keywords}
        assert set(given) <= set(tools[name].input_schema["properties"]), said
        yield name, {key: value for key, value in given.items() if value is not ...}


async def test_every_next_step_can_be_taken(busy: Workspace, in_memory: InMemory) -> None:
    async with in_memory(busy) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        waiting, taken = [*READING], list[Call]()
        named: set[str] = set()
        while waiting:
            call = waiting.pop(0)
            if call in taken:
                continue
            taken.append(call)
            result = await client.call_tool(*call)
            assert not result.is_error, (call, text(result))
            fields = result.structured_content or {}
            following = list(calls_in(fields["next"], tools))
            named |= {name for name, _ in following}
            if cursor := fields.get("next_cursor"):
                waiting.append((call[0], {**call[1], "cursor": cursor}))
            waiting += [each for each in following if _can_be_called(each, tools)]
            assert len(taken) < 200

    assert {"get_exchange", "get_diff", "explain", "run_replay"} <= named


def _can_be_called(call: Call, tools: dict[str, Tool]) -> bool:
    hints = tools[call[0]].annotations
    required = set(tools[call[0]].input_schema.get("required", ()))
    return hints is not None and hints.read_only_hint is True and required <= set(call[1])
