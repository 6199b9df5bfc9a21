"""What a load tells before it begins: what the recording's sessions cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from load_kit import load_spec, prepared, session

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.load.forecast import forecast
from wiretape_replay.load.spec import Stage

LONG = session(1, *[("GET", f"/tea?page={n}", None, {}) for n in range(6)], gap_ms=1000)
"""One session of 5 s."""
TELLS = "docs/load.md says what a session is"
RAMP = (Stage(seconds=20, scale=10), Stage(seconds=20, scale=0))


def visit(number: int, at_ms: int) -> list[Exchange]:
    return session(number, ("GET", "/tea", None, {}), ("GET", "/cup", None, {}), at_ms=at_ms)


def told(exchanges: list[Exchange], **more: Any) -> list[str]:
    spec = load_spec(Path("shop.tape"), "http://127.0.0.1:1", **more)
    return forecast(prepared(exchanges, spec, "http://127.0.0.1:1"), spec)


@pytest.mark.parametrize(("asked", "said"), [
    ({"scale": 10.0}, "all of its clones begin together"),
    ({"seconds": 3.0}, "none comes to its end within 3 s"),
    ({"seconds": 60.0}, "it begins again only every 5.0 s"),
    ({"seconds": 60.0, "scale": 2.0}, "it begins again only every 5.0 s, and all of its clones begin together"),
    ({"seconds": 2.0, "speed": 2.0}, "none comes to its end within 2 s"),
])  # fmt: skip
def test_a_session_that_is_the_whole_recording_is_told(asked: dict[str, Any], said: str) -> None:
    seconds = "2.5" if "speed" in asked else "5.0"
    assert told(LONG, **asked) == [
        f"the recording is a single session with 6 of 6 requests and {seconds} of {seconds} s: {said}: "
        f"--arrivals constant RATE spreads them; {TELLS}"
    ]


@pytest.mark.parametrize("asked", [
    {}, {"speed": 4.0}, {"arrivals": "closed", "rate": 4.0, "seconds": 3.0},
    {"arrivals": "constant", "rate": 4.0, "scale": 3.0, "seconds": 60.0},
])  # fmt: skip
def test_what_such_a_session_can_do_is_not_told(asked: dict[str, Any]) -> None:
    assert told(LONG, **asked) == []


def test_one_long_session_among_others_is_told_only_when_it_is_most_of_them() -> None:
    few, many = visit(2, 100), [each for number in range(2, 12) for each in visit(number, number * 300)]
    (line,) = told([*LONG, *few], scale=5.0)
    assert line.startswith("one of 2 sessions with 6 of 8 requests and 5.0 of 5.0 s: all of its clones")
    assert told([*LONG, *many], scale=5.0, seconds=60.0) == []


def test_seconds_in_which_nothing_is_sent_are_told() -> None:
    lines = told(LONG, stages=RAMP)
    assert len(lines) == 2
    assert lines[1] == "nothing is sent for the first 5.0 s: no session begins before"
    assert told(visit(1, 0), stages=(Stage(seconds=5, scale=0),)) == [
        "no session begins: the scale is 0 whenever one should"]  # fmt: skip
    visits = [each for number in range(1, 12) for each in visit(number, number * 300)]
    assert told(visits, stages=RAMP) == []


def test_a_warm_up_as_long_as_the_recording_is_told() -> None:
    visits = [*visit(1, 0), *visit(2, 2000)]
    assert told(visits, warmup=5.0) == [
        "no response time counts: the warm-up of 5 s is no shorter than the load of 2.0 s"]  # fmt: skip
    assert told(visits, warmup=1.0) == told(visits, warmup=5.0, seconds=6.0) == []
