"""What an agent is told about findings: causes, news, inputs, and never more than a client shows."""

from __future__ import annotations

import json

from pydantic import JsonValue

from wiretape_replay.verdict.causes import causes_of
from wiretape_replay.verdict.model import (
    Counts,
    Finding,
    FindingClass,
    Part,
    PastFinding,
    Run,
    Severity,
    Since,
    Verdict,
)
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.runs import finished_result, masked_run, result_lines
from wiretape_server.workspace.workspace import Workspace

BUDGET = 6 * 1024
SECRET = "hunter2hunter2"


def found(number: int, pointer: str, part: Part, expected: JsonValue, actual: JsonValue, long: int = 1) -> Finding:
    return Finding(
        id=f"F-{number:08x}", kind=FindingClass.HEADER if part is Part.HEADER else FindingClass.TYPE,
        severity=Severity.ERROR, breaking=True, route=f"GET /orders/{number}", part=part, pointer=pointer,
        expected=expected, actual=actual, message=f"GET /orders/{number}: {pointer}: {expected} {actual} " * long,
        sequences=(1, 2), count=2, of=2, inputs="only with ?tag: 2 of 2 such requests show it, 0 of 9 others" * long,
        look_at=("total" * long, "/orders/"), evidence="number in 9 of 9 recorded answers" * long,
    )  # fmt: skip


def run_of(findings: list[Finding], since: Since | None = None) -> Run:
    ordered = tuple(findings)
    return Run(
        id="20261123-1", snapshot="shop", snapshot_sha256="0" * 64, target="http://127.0.0.1:1", started_ns=1,
        duration_ms=1, counts=Counts(total=9, different=9), since=since,
        verdict=Verdict(verdict="fail", reason="it differs", findings=ordered, causes=causes_of(ordered)),
    )  # fmt: skip


SINCE = Since(run="r1", new=("F-00000001",), still=("F-00000002",), fixed=(
    PastFinding(id="F-00000009", route="GET /x", message=f"header authorization was {SECRET}"),))  # fmt: skip


def test_causes_news_and_inputs_are_told_in_fields_and_text(project: Workspace) -> None:
    run = run_of([found(n, "/total", Part.BODY, n, str(n)) for n in range(1, 4)], SINCE)
    result = finished_result(run, Mask(b"k"), project)
    text = "\n".join(result_lines(result))
    assert (result.causes_total, result.findings_total, len(result.causes)) == (1, 3, 1)
    assert "3 findings from 1 cause:" in text
    assert "since run r1: new: F-00000001; still there: F-00000002; fixed: F-00000009" in text
    assert "only with ?tag: 2 of 2" in text
    assert "look for total, /orders/" in text
    assert result.findings[0].look_at == ("total", "/orders/")
    assert SECRET not in text + result.model_dump_json()


def test_credentials_in_headers_are_told_by_no_cause(project: Workspace) -> None:
    findings = [found(n, "set-cookie", Part.HEADER, f"s={SECRET}", None) for n in range(1, 4)]
    run = run_of(findings, SINCE)
    result = finished_result(run, Mask(b"k"), project)
    assert result.causes[0].message == "header set-cookie differs"
    assert SECRET not in result.model_dump_json() + "\n".join(result_lines(result))
    assert SECRET not in masked_run(run, Mask(b"k")).model_dump_json()


def test_the_longest_findings_fit_the_smallest_client(project: Workspace) -> None:
    run = run_of([found(n, "/total", Part.BODY, "a" * 200, n, 50) for n in range(1, 9)], SINCE)
    result = finished_result(run, Mask(b"k"), project)
    assert result.findings
    assert len(json.dumps(result.model_dump(mode="json", exclude_none=True, exclude_defaults=True))) <= BUDGET
    assert len("\n".join(result_lines(result))) <= BUDGET
    assert result.findings_total == 8
