"""Durations, stages and arrivals as people write them."""

from __future__ import annotations

import pytest

from wiretape_capture.errors import UsageError
from wiretape_replay.load.words import arrivals_of, duration_of, length_of, seconds_of, stages_of


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("500ms", 0.5),
                                               (" 1.5m ", 90)])  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "five", "5 m", "-1s", "1d", "m5", "1e3s", "٣s", "99999h"])
def test_what_is_no_duration_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        seconds_of(text)
    assert repr(text) in refused.value.problem
    assert refused.value.hint


def test_an_empty_duration_is_none() -> None:
    assert duration_of("  ") is None


def test_a_load_of_no_time_is_refused() -> None:
    assert (length_of(""), length_of("1m30s")) == (None, 90)
    with pytest.raises(UsageError, match="'0s' is no time at all"):
        length_of("0s")


def test_stages() -> None:
    assert [(each.seconds, each.scale) for each in stages_of("1m:10, 5m:100,30s:0")] == [(60, 10), (300, 100), (30, 0)]
    assert stages_of("") == ()


@pytest.mark.parametrize("text", ["1m", "1m:", ":10", "1m:-1", "1m:x", "1m:1000000000", "1m:10,,"])
def test_what_are_no_stages_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        stages_of(text)


def test_arrivals() -> None:
    assert arrivals_of("recorded") == ("recorded", None)
    assert arrivals_of("poisson 50") == ("poisson", 50)
    assert arrivals_of("constant 2.5") == ("constant", 2.5)
    assert arrivals_of("closed 32") == ("closed", 32)


@pytest.mark.parametrize("text", ["", "burst 5", "recorded 5", "poisson", "constant 0", "poisson -1", "closed 1.5",
                                  "constant 1e9", "constant 99999999999"])  # fmt: skip
def test_other_arrivals_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        arrivals_of(text)
    assert refused.value.hint
