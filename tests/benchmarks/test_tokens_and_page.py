"""What every benchmark shares: the count of tokens, and its section of the page."""

from __future__ import annotations

from pathlib import Path

from benchmarks.page import publish
from benchmarks.tokens import tokens


def test_tokens_are_counted_without_a_network_and_special_words_are_text() -> None:
    assert tokens("") == 0
    assert tokens("run_replay answers pass, fail or inconclusive") == 10
    assert tokens("<|endoftext|>") > 1


def test_a_section_is_added_once_and_then_replaced(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# Benchmarks\n\nWords.\n", encoding="utf-8")
    publish(page, "agent", ["one"])
    publish(page, "agent", ["two", "three"])

    assert page.read_text(encoding="utf-8") == (
        "# Benchmarks\n\nWords.\n\n## agent\n\n<!-- agent: begin -->\ntwo\nthree\n<!-- agent: end -->\n"
    )
