"""The agent benchmark: its bugs fit the apps' source, its judge is strict, and one bug goes through the whole loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.agent.bugs import BUGS, Place
from benchmarks.agent.policy import Claim, Localised, named_call
from benchmarks.agent.projects import EXAMPLE, project
from benchmarks.agent.report import as_json, table
from benchmarks.agent.session import Answer
from benchmarks.agent.start import Start, cold_starts, told
from benchmarks.agent.trial import Results, Trial, measure

CLAIM = Claim("GET /orders/{id}", "body", "/total", "", "GET /orders/{id}: /total: was 1 and is now 2")
PLACE = Place(("GET /orders/{}",), "body", "/total")


def test_twenty_bugs_of_different_kinds() -> None:
    assert len({bug.kind for bug in BUGS}) == len(BUGS) == 20


@pytest.mark.parametrize("app", sorted({bug.app for bug in BUGS}))
def test_every_edit_fits_the_source_and_leaves_code(app: str, tmp_path: Path) -> None:
    source = project(app, tmp_path).source
    for bug in (bug for bug in BUGS if bug.app == app):
        original = bug.plant(source)
        edited = source.read_text(encoding="utf-8")
        compile(edited, bug.kind, "exec")
        assert edited != original
        source.write_text(original, encoding="utf-8")


def test_a_claim_is_right_only_with_route_part_and_field_in_both_halves() -> None:
    assert PLACE.holds(CLAIM)
    assert PLACE.holds(replace(CLAIM, route="GET /orders/7", texts="GET /orders/7 /total"))
    items = Place(("GET /orders/{}",), "body", r"/lines/[^/]+")
    assert items.holds(replace(CLAIM, field="/lines/*", texts="GET /orders/{id}: /lines/0 is gone"))
    wrong = [replace(CLAIM, route="GET /orders"), replace(CLAIM, part="header"), replace(CLAIM, field="/totals"),
             replace(CLAIM, texts="GET /orders/{id}"), replace(CLAIM, texts="/total")]  # fmt: skip
    assert not any(PLACE.holds(claim) for claim in wrong)


@pytest.mark.parametrize(("step", "call"), [
    ('explain(id="F-1", run="r") says why; mend it', ("explain", {"id": "F-1", "run": "r"})),
    ('read app.log; get_diff(run="r", finding="F-1") shows', ("get_diff", {"run": "r", "finding": "F-1"})),
    ("nothing to mend", None),
])  # fmt: skip
def test_the_policy_makes_the_call_that_is_spelled_out(step: str, call: object) -> None:
    assert named_call(Answer("", {"next": step}, 0)) == call


def test_figures_count_what_was_localised() -> None:
    bug = replace(BUGS[0], places=(PLACE,))
    results = Results(
        unchanged={EXAMPLE: "pass"}, starts=[Start(each, each + 1) for each in (1.0, 3.0, 2.0)], tool_list_tokens=9
    )
    results.trials = [Trial(bug, Localised("fail", CLAIM, 2, 1000)), Trial(bug, Localised("pass", None, 1, 200))]
    told = as_json(results)

    assert {key: told[key] for key in ("bugs", "localised", "calls_per_verdict", "tokens_per_verdict",
                                       "tool_list_tokens", "initialize_s", "tools_s")} == {
        "bugs": 2, "localised": 1, "calls_per_verdict": 1.5, "tokens_per_verdict": 600, "tool_list_tokens": 9,
        "initialize_s": 2.0, "tools_s": 3.0}  # fmt: skip
    assert [one["kind"] for one in told["missed"]] == ["renamed field"]
    assert max(map(len, table(results))) <= 80


def test_a_start_is_timed_until_the_handshake_and_until_the_tools(tmp_path: Path) -> None:
    (one,) = cold_starts(tmp_path, 1)

    assert 0 < one.initialize_s < one.tools_s
    assert f"{one.tools_s:.2f} s" in told([one])


@pytest.mark.timeout(300)
async def test_a_wrong_status_is_localised_through_the_real_server(tmp_path: Path) -> None:
    results = await measure(tmp_path, bugs=[bug for bug in BUGS if bug.kind == "wrong status"], starts=2)

    assert results.unchanged == {EXAMPLE: "pass"}
    assert len(results.starts) == 2
    assert [(one.localised, one.found.status) for one in results.trials] == [(True, "fail")]
    assert results.trials[0].found.calls <= 2
