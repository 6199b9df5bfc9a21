"""Why something failed and what may be done about it: findings, misses, and rules that an agent writes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult, Implementation, TextContent

from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.explain.miss import miss_id, misses_of
from wiretape_replay.mock.spec import Candidate, LeafDifference, MockAnswer
from wiretape_replay.verdict.basis import Basis, Recording
from wiretape_replay.verdict.model import Counts, Finding, FindingClass, Part, Run, Severity, Verdict
from wiretape_server.mcp.app import build_server
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.next_step import next_step
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.state import ServerState
from wiretape_server.workspace.noise_file import read_rules
from wiretape_server.workspace.source_search import lines_with
from wiretape_server.workspace.workspace import Workspace

type InMemory = Callable[[Workspace], AbstractAsyncContextManager[Client]]
type Save = Callable[..., Awaitable[None]]

RUN = "20261123-121212"
SECRET = "hunter2hunter2"


def text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def fields(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, text(result)
    return result.structured_content or {}


def value_finding(**changes: Any) -> Finding:
    known = Finding(
        id="F-0000aaaa", kind=FindingClass.VALUE, severity=Severity.ERROR, breaking=False, route="GET /orders/{id}",
        part=Part.BODY, pointer="/served_by", example_pointer="/served_by", expected="a1", actual="b2",
        message='GET /orders/{id}: /served_by: was "a1" and is now "b2"', sequences=(1,), count=1, of=1,
        look_at=("served_by", "/orders/"), evidence="never differed in 9 answers of unchanged code",
    )  # fmt: skip
    return known.model_copy(update=changes)


async def test_a_finding_says_why_it_counts_and_where_to_look(project: Workspace, in_memory: InMemory,
                                                              save: Save) -> None:  # fmt: skip
    (project.root / "app.py").write_text("def order():\n    return {'served_by': host(), 'served_bytes': 1}\n")
    await save(project, RUN, [value_finding()])
    async with in_memory(project) as client:
        result = await client.call_tool("explain", {"id": "F-0000aaaa"})

    told = fields(result)
    assert told["code"][0] == {"at": "app.py:2", "name": "served_by",
                               "text": "return {'served_by': host(), 'served_bytes': 1}"}  # fmt: skip
    assert told["considered"] == [
        "no rule of wiretape.toml or wiretape-noise.toml speaks of this place",
        "the values themselves show no reason: text was recorded and text came, neither bound nor a clock",
        "the recording repeats no identical request here, so it does not show whether this place varies",
    ]
    assert "evidence: never differed in 9 answers of unchanged code" in told["why"]
    assert "was not replayed in this run" in told["unchanged"]
    assert "app.py:2" in told["summary"]
    assert "accept_noise" in told["next"]
    for line in (*told["why"], *told["considered"], told["unchanged"]):
        assert line in text(result)


async def test_a_rule_that_did_not_hold_is_named_with_its_reason(project: Workspace, in_memory: InMemory,
                                                                 save: Save) -> None:  # fmt: skip
    (project.root / "wiretape.toml").write_text(
        '[[noise]]\nroute = "GET /orders/{id}"\npointer = "/served_by"\nreason = "load balancer"\n'
    )
    await save(project, RUN, [value_finding(kind=FindingClass.TYPE, actual=7)])
    async with in_memory(project) as client:
        told = fields(await client.call_tool("explain", {"id": "F-0000aaaa"}))

    assert "another type is structure, which is never noise by value" in told["considered"]
    assert told["considered"][1].startswith("the rule of wiretape.toml for GET /orders/{id} /served_by: refused")
    assert "cannot be accepted as noise" in told["advice"][0]
    assert "accept_noise" not in told["next"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_accepted_rule_names_who_and_why_and_is_taken_back(project: Workspace, save: Save, mode: str) -> None:
    await save(project, RUN, [value_finding()])
    async with LiveJobs() as jobs:
        server = build_server(ServerState(ServeOptions(directory=project.root), jobs))
        async with Client(server, client_info=Implementation(name="coder", version="9.1"), mode=mode) as client:
            accepted = await client.call_tool(
                "accept_noise", {"finding": "F-0000aaaa", "reason": "any host  may serve this"}
            )
            (rule,) = read_rules(project.root / "wiretape-noise.toml")
            undone = fields(await client.call_tool("accept_noise", {"undo": rule.id}))

    assert (rule.accepted_by, rule.cause) == ("coder 9.1 over MCP", "any host may serve this")
    assert fields(accepted)["rule"]["id"] == rule.id
    assert "a person must review this file" in fields(accepted)["summary"]
    assert rule.id in fields(accepted)["next"]
    assert undone["undone"] is True
    assert not (project.root / "wiretape-noise.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"finding": "F-0000aaaa"}, "reason is missing"),
        ({"finding": "F-0000aaaa", "reason": "   ok    "}, "reason is missing"),
        ({"finding": "F-0000aaaa", "reason": "x" * 401}, "reason"),
        ({"reason": "it varies by itself"}, "wants the id of a finding"),
        ({"finding": "F-0000aaab", "reason": "it varies by itself"}, "did you mean F-0000aaaa"),
        ({"finding": "../x", "reason": "it varies by itself"}, "not the name of a finding"),
        ({"finding": "F-0000bbbb", "reason": "it varies by itself"}, "structure, which is never noise"),
        ({"undo": "N-12345678"}, 'there is no rule "N-12345678"'),
        ({"undo": "N-12345678", "finding": "F-0000aaaa"}, "give one of them"),
    ],
)  # fmt: skip
async def test_what_is_not_accepted(project: Workspace, in_memory: InMemory, save: Save, arguments: dict[str, str],
                                    said: str) -> None:  # fmt: skip
    await save(project, RUN, [value_finding(), value_finding(id="F-0000bbbb", kind=FindingClass.STATUS)])
    async with in_memory(project) as client:
        result = await client.call_tool("accept_noise", arguments)

    assert result.is_error
    assert said in text(result)
    assert not (project.root / "wiretape-noise.toml").exists()


async def test_rules_are_not_written_through_a_link(project: Workspace, in_memory: InMemory, save: Save,
                                                    tmp_path_factory: pytest.TempPathFactory) -> None:  # fmt: skip
    outside = tmp_path_factory.mktemp("outside") / "rules.toml"
    (project.root / "wiretape-noise.toml").symlink_to(outside)
    await save(project, RUN, [value_finding()])
    async with in_memory(project) as client:
        result = await client.call_tool("accept_noise", {"finding": "F-0000aaaa", "reason": "any host may serve"})

    assert result.is_error
    assert "leads out of the workspace" in text(result)
    assert not outside.exists()


def missed(location: str = "/charge", *leaves: LeafDifference, near: bool = True) -> MockAnswer:
    closest = Candidate(sequence=3, command="POST", location="/charge", status="200", differences=leaves)
    return MockAnswer(at_ns=1, service="pay.test:80", command="POST", location=location, tier="miss",
                      closest=(closest,) if near else ())  # fmt: skip


def leaf(where: str, recorded: str | None, live: str | None) -> LeafDifference:
    return LeafDifference(where=where, recorded=recorded, live=live)


async def test_misses_of_a_mock_are_explained_leaf_by_leaf(project: Workspace, in_memory: InMemory) -> None:
    answers = [
        missed(f"/charge?token={SECRET}", leaf("body/amount", "5", "6"), leaf("query/token", SECRET, f"{SECRET}2")),
        missed(f"/charge?token={SECRET}", leaf("body/amount", "5", "6"), leaf("query/token", SECRET, f"{SECRET}2")),
        missed("/else", near=False),
    ]
    hit = MockAnswer(at_ns=1, service="pay.test:80", command="GET", location="/", tier="exact", sequence=1)
    lines = [*(each.model_dump_json() for each in (hit, *answers)), '{"tier":"miss", torn']
    (project.jobs_dir / "mock-1.journal").write_text("\n".join(lines))
    async with in_memory(project) as client:
        listed = fields(await client.call_tool("explain", {"mock": "mock-1"}))
        one = await client.call_tool("explain", {"mock": "mock-1", "id": listed["misses"][0]["id"]})
        unknown = await client.call_tool("explain", {"mock": "mock-2"})
        wrong = await client.call_tool("explain", {"mock": "mock-1", "id": "M-00000000"})

    assert [each["count"] for each in listed["misses"]] == [2, 1]
    assert listed["misses"][0]["id"] == miss_id(answers[0])
    miss = fields(one)["miss"]
    assert miss["closest"][0]["differences"][0] == {"where": "body/amount", "recorded": "5", "live": "6"}
    assert "sends another value at body/amount" in miss["advice"][0]
    assert "get_exchange(sequence=3)" in fields(one)["next"]
    assert "nothing recorded is near it" in listed["misses"][1]["why"]
    assert SECRET not in one.model_dump_json() + json.dumps(listed)
    assert "did you mean mock-1?" in text(unknown)
    assert "has no miss" in text(wrong)


@pytest.mark.parametrize(
    ("miss", "advice"),
    [
        (missed("/charge", leaf("path", "/charge", "/charges")), "another path than recorded"),
        (missed("/charge", leaf("service", "a:80", "b:80")), "another service than recorded"),
        (missed("/charge", leaf("body/coupon", None, "X")), "now also sends body/coupon"),
        (missed("/charge", leaf("body/coupon", "X", None)), "no longer sends body/coupon"),
        (missed("/charge"), "at_end"),
        (missed("/charge", leaf("body/id", "0b6f0f9e-6b8f-4d67-9d83-0f6a7f1f2a11",
                                "5a9f6cbb-8a3c-4e54-b7b1-4b1c3a2d9e10")), "made anew"),
        (missed("/charge", near=False), "record again with it"),
    ],
)  # fmt: skip
def test_advice_follows_from_what_differs(miss: MockAnswer, advice: str) -> None:
    (told,) = misses_of([miss])
    assert advice in told.advice[0]


async def test_a_run_without_misses_and_an_unknown_finding(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        none = fields(await client.call_tool("explain", {}))
        wrong = await client.call_tool("explain", {"id": "F-0000000f"})
        path = await client.call_tool("explain", {"id": "../../etc"})

    assert none["summary"].startswith("0 kinds of request missed in run")
    assert "get_diff" in none["next"]
    assert "did you mean F-" in text(wrong)
    assert "not the name of a finding" in text(path)


async def test_considered_reasons_know_what_the_recording_repeats(project: Workspace, in_memory: InMemory, save: Save,
                                                                  tape: Callable[..., Awaitable[None]],
                                                                  answered: Callable[..., Any]) -> None:  # fmt: skip
    exchanges = [answered(n, target="/orders/1", answer={"served_by": "a1"}) for n in range(1, 5)]
    (project.snapshots_dir / "first.tape").unlink()
    await tape(project, "first", exchanges)
    live = Response(status=200, headers=exchanges[0].response.headers, body=exchanges[0].response.body)
    await save(project, RUN, [value_finding()], exchange=exchanges[0], live=live)
    async with in_memory(project) as client:
        told = fields(await client.call_tool("explain", {"id": "F-0000aaaa"}))

    assert "identical requests of the recording had the same here in all 3 repetitions" in told["considered"]


def test_code_is_searched_inside_the_project_only(project: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.py").write_text("total = 1\n")
    root = project.root
    (root / "link.py").symlink_to(outside / "secret.py")
    (root / "away").symlink_to(outside)
    for name in ("node_modules", ".venv", "tests"):
        (root / name).mkdir()
        (root / name / "test_x.py").write_text("total = 2\n")
    (root / "big.py").write_text("total\n" * 100_000)
    (root / "a.py").write_text("subtotal = 3\nx = total\n")

    found = lines_with(root, ["total", "x"], 10)

    assert [(line.path, line.number, line.name) for line in found] == [("a.py", 2, "total"),
                                                                      ("tests/test_x.py", 1, "total")]  # fmt: skip


async def test_a_miss_is_told_the_moment_after_it_happened(project: Workspace, in_memory: InMemory) -> None:
    async with in_memory(project) as client:
        mock = fields(await client.call_tool("start_mock", {"snapshot": "first", "start_app": False}))
        async with httpx.AsyncClient(proxy=mock["endpoints"]["proxy"], trust_env=False, timeout=60) as caller:
            missed = await caller.get("http://prices.test/prices?sku=never")
        told = fields(await client.call_tool("explain", {"mock": mock["mock"]}))
        ended = fields(await client.call_tool("stop_mock", {"mock": mock["mock"]}))

    assert missed.status_code == 502
    assert told["misses"][0]["request"].endswith("/prices?sku=never")
    assert ended["tally"]["miss"] == 1


def test_a_part_that_is_all_of_it_is_not_told_as_a_part() -> None:
    basis = Basis(recording=Recording(name="a", sha256="", inbound=2), narrowed=True, replayed=2)
    verdict, command = Verdict(verdict="pass", reason="all equal"), "wiretape verify --failed-of newest"
    run = Run(id="r", snapshot="a", snapshot_sha256="", target="", started_ns=0, duration_ms=1, basis=basis,
              verdict=verdict, counts=Counts(total=2, bytes_equal=2), command=command)  # fmt: skip

    assert next_step(run, "").startswith("nothing to mend")
    part = run.model_copy(update={"basis": basis.model_copy(update={"replayed": 1})})
    assert "the rest was not replayed" in next_step(part, "")
