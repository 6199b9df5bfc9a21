"""A tiny slice of the verdict benchmark: its app, recording, faults and near-duplicates still work with the product."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.verdict.faults import Fault, apply
from benchmarks.verdict.report import as_json, misses, table, write_into
from benchmarks.verdict.trial import QUICK, SEEDS, Amount, Results, measure
from benchmarks.verdict.wire import Message

TINY = replace(QUICK, learned=Amount(1, 3), bare=Amount(1, 0), near=20, observations=1)


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verdict")


async def test_one_app_goes_through_the_whole_benchmark(work: Path) -> None:
    results = await measure(work, TINY, SEEDS["tune"], only=["depot"])
    figures = as_json(results)
    assert figures["unchanged_runs"] == 1
    assert figures["unchanged_compared"] == 22
    assert figures["false_alarm_pct"] == 0
    assert figures["unchanged_recording_only_runs"] == 1
    assert figures["faults_recording_only"] == 0
    assert figures["faults"] + figures["shape_faults"] + figures["faults_not_made"] == 3
    assert figures["faults_caught"] + figures["shape_faults_caught"] >= 1
    assert figures["bindings_pct"] == 100
    assert (figures["near_duplicates"], figures["unlabelled_matches"], figures["wrong_bindings"]) == (20, 0, 0)
    assert all(line.startswith("{") for line in misses(results))


def test_the_ranges_of_seeds_share_nothing() -> None:
    assert set(SEEDS["tune"]).isdisjoint(SEEDS["report"])


def test_a_table_fits_a_terminal_and_replaces_itself_in_a_page(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# Benchmarks\n\nOther words.\n")
    write_into(page, Results(), "python -m benchmarks.verdict")
    once = page.read_text()
    write_into(page, Results(), "python -m benchmarks.verdict")
    assert page.read_text() == once
    assert once.startswith("# Benchmarks\n\nOther words.\n")
    assert max(len(line) for line in table(Results())) <= 80


@pytest.mark.parametrize(("fault", "expected"), [
    (Fault("drop", "body", "/a/0/b", (1,)), b'{"a":[{"c":1}]}'),
    (Fault("null", "body", "/a/0/b", (1,)), b'{"a":[{"b":null,"c":1}]}'),
    (Fault("type", "body", "/a/0/b", (1,)), b'{"a":[{"b":"5","c":1}]}'),
    (Fault("off-by-one", "body", "/a/0/b", (1,)), b'{"a":[{"b":6,"c":1}]}'),
    (Fault("empty-list", "body", "/a", (1,)), b'{"a":[]}'),
])  # fmt: skip
def test_a_fault_changes_one_place(fault: Fault, expected: bytes) -> None:
    message = Message("HTTP/1.1 200 OK", (("Content-Type", "application/json"),), b'{"a": [{"b": 5, "c": 1}]}')
    assert apply(fault, message).body == expected


def test_a_fault_without_its_place_changes_nothing() -> None:
    message = Message("HTTP/1.1 200 OK", (), b'{"a": 1}')
    assert apply(Fault("null", "body", "/b", (1,)), message) is message
