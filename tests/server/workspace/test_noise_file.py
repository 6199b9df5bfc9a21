"""`wiretape-noise.toml`: what is written is read again, and what is broken is told where."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.places import Kind
from wiretape_replay.compare.shape import Bounds
from wiretape_server.workspace.noise_file import merged, parse_rules, read_rules, write_rules

HOST = LearnedRule(
    route="GET /orders/{id}", pointer="/host", kind=Kind.VALUE, cause='a "name" that varies', differed=61, of=90,
    snapshot="shop", commit="4f2a9c1-dirty", date="2026-11-23",
    shape=Bounds(types=("string",), formats=("text",), length=(5, 6)),
)  # fmt: skip
SCORE = LearnedRule(
    route="GET /é/{id}", pointer="/score\x7f\\", kind=Kind.VALUE, differed=3, of=3,
    shape=Bounds(types=("number",), range=(-0.25, 1e20), whole=True),
)  # fmt: skip
ORDER = LearnedRule(route="GET /orders", pointer="/items", kind=Kind.ORDER, accepted_by="ada", cause="by load")


def test_rules_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "wiretape-noise.toml"
    assert read_rules(file) == ()
    write_rules(file, [SCORE, HOST, ORDER])
    assert read_rules(file) == (ORDER, HOST, SCORE)
    assert [table["id"] for table in tomllib.loads(file.read_text())["rule"]] == [ORDER.id, HOST.id, SCORE.id]
    before = file.read_text()
    write_rules(file, reversed(read_rules(file)))
    assert file.read_text() == before, "the same rules are the same file"
    write_rules(file, [])
    assert not file.exists()


def test_fresh_evidence_replaces_old_but_never_what_somebody_accepted() -> None:
    fresh = HOST.model_copy(update={"differed": 90, "date": "2026-12-24"})
    learned_order = LearnedRule(route=ORDER.route, pointer=ORDER.pointer, kind=ORDER.kind, differed=1, of=2)
    assert merged([HOST, ORDER], [fresh, learned_order, SCORE]) == [fresh, ORDER, SCORE]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]\n", "wiretape-noise.toml is not valid TOML: "),
        ('[[rule]]\nroute = "GET /x"\npointer = "x"\nkind = "value"\n',
         'wiretape-noise.toml line 1: rule.0: "x" is neither a JSON Pointer'),
        ('[[rule]]\nroute = "GET /x"\npointer = "/x"\nkind = "type"\n', "wiretape-noise.toml line 4: rule.0.kind: "),
        ('[[rule]]\nroute = "GET /x"\npointer = "/x"\nkind = "value"\nwhy = "?"\n',
         "wiretape-noise.toml line 5: rule.0.why: extra inputs are not permitted"),
        ('[[rule]]\nid = "N-00000000"\nroute = "GET /x"\npointer = "/x"\nkind = "value"\n', "its id is"),
        ('[[noise]]\npointer = "/x"\n', "wiretape-noise.toml line 1: noise: extra inputs"),
    ],
)  # fmt: skip
def test_a_broken_file_is_an_error_and_never_ignored(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_rules(text)
    assert told in refused.value.problem


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(WiretapeError, match="cannot be read"):
        read_rules(tmp_path / "folder")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not UTF-8"):
        read_rules(tmp_path / "bytes")
