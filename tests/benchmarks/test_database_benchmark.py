"""The database benchmark's figures, from measurements that are given."""

from __future__ import annotations

from collections import Counter

from benchmarks.database.measure import QUICK, Results, Row
from benchmarks.database.report import as_json, table


def results(recorded: int = 300) -> Results:
    """A run of two rounds, the second on a machine half as fast."""
    rows = {
        "server": Row([4000, 2000], [0, 0]), "tee": Row([3000, 1500], [100, 110]),
        "recorder": Row([2900, 1400], [120, 132], [600, 640]), "mock": Row([5000, 2500], [90, 95]),
    }  # fmt: skip
    return Results(QUICK, "a machine", {"postgres": rows}, Counter(postgres=300), Counter(postgres=recorded))


def test_figures_are_medians_of_the_rounds_ratios() -> None:
    figures = as_json(results())
    assert (figures["postgres_mock_vs_real"], figures["recorder_vs_tee"], figures["lost"]) == (1.25, 1.2, 0)


def test_the_table_says_what_was_reached() -> None:
    lines = table(results(recorded=299))
    assert "| Postgres: mock, of the real server | 1.25 | ≥ 1.0 | yes |" in lines
    assert "| reads of 300 that are not on the tape | 1 | 0 | no |" in lines
