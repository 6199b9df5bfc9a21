"""Which requests show a finding: what is told, and when nothing is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import request

from wiretape_replay.verdict.inputs import distinguishing, leaves_of


def told(failing: list[str], passing: list[str]) -> str:
    return distinguishing([leaves_of(request("GET", target)) for target in failing],
                          [leaves_of(request("GET", target)) for target in passing])  # fmt: skip


@pytest.mark.parametrize(("failing", "passing", "sentence"), [
    (["/i?tag=a", "/i?tag=b"], ["/i", "/i?page=2"], "only with ?tag: 2 of 2 such requests show it, 0 of 2 others"),
    (["/i?tag=a", "/i?tag=a"], ["/i"], 'only with ?tag (always "a"): 2 of 2 such requests show it, 0 of 1 others'),
    (["/i?page=1"], ["/i?page=2", "/i?page=3"], 'only where ?page is "1": 1 of 1 such requests show it, 0 of 2 others'),
    (["/i?n=10", "/i?n=25"], ["/i?n=1", "/i?n=9"],
     "only where ?n is at least 10, not up to 9: 2 of 2 such requests show it, 0 of 2 others"),
    (["/i?n=1", "/i?n=2"], ["/i?n=5", "/i?n=9"],
     "only where ?n is at most 2, not from 5 on: 2 of 2 such requests show it, 0 of 2 others"),
    (["/i/1", "/i/2"], ["/i/1", "/i/2"], "2 of 4 requests show it; no single value tells them apart"),
    (["/i/1", "/i/2"], [], "every request of this route shows it"),
    (["/i"], ["/i?all=1"], "only without ?all: 1 of 1 such requests show it, 0 of 1 others"),
    (["/i?a=1&b=1"], ["/i?a=2&b=2"], ""),
    (["/i"], [], ""),
])  # fmt: skip
def test_evidence_is_told_and_ambiguity_is_not(failing: list[str], passing: list[str], sentence: str) -> None:
    assert told(failing, passing) == sentence


def test_bodies_and_headers_are_weighed_but_no_credentials() -> None:
    secrets = [{"authorization": f"Bearer {n}", "x_api_key": str(n)} for n in range(2)]
    admin = request("POST", "/i?api_key=1", {"role": "admin", "password": "a"}, **secrets[0])
    user = request("POST", "/i?api_key=2", {"role": "user", "password": "b"}, **secrets[1])
    sentence = distinguishing([leaves_of(admin)] * 2, [leaves_of(user)] * 3)
    assert sentence == 'only where body /role is "admin": 2 of 2 such requests show it, 0 of 3 others'
    assert not any("authorization" in place for place in leaves_of(admin))


targets = st.lists(st.sampled_from(["/i", "/i?a=1", "/i?a=2", "/i?a=3&b=1", "/i?b=x", "/i/7"]), max_size=6)


@given(targets, targets)
def test_only_what_really_separates_is_told(failing: list[str], passing: list[str]) -> None:
    sentence = told(failing, passing)
    if sentence.startswith("only") and passing:
        assert not set(failing) & set(passing)
        assert told(passing, failing) != sentence
