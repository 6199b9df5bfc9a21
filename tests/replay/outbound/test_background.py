"""Writes that an app makes outside of any request: lost ones are told, a timer's are not."""

from __future__ import annotations

from typing import Any

import pytest
from call_story import Story

from wiretape_replay.outbound.background import LATER_NS, longest_wait
from wiretape_replay.verdict.model import Outcome

NOTES = tuple(range(2, 18, 3))
"""The notes that the orders left for later, by sequence."""


def left_for_later(after: float = 3) -> Story:
    """Orders, each followed by a read; a thread notes the order after its answer and says nothing of the request."""
    story = Story()
    for number in range(6):
        at = number * 200
        story.asked(at, 20, "POST /orders", {"sku": f"mug-{number}"}, 201)
        story.called(at + 20 + after, 2, "POST /notes", {"text": f"order:{number}"}, 201)
        story.asked(at + 100, 20, "GET /reports")
    story.replayed()
    return story


def test_work_left_for_later_that_is_left_no_more_fails_its_requests() -> None:
    story = left_for_later()
    assert story.told() == []
    story.without(*NOTES)
    (finding,) = story.findings()
    assert story.told() == ["error POST /orders: missing POST /notes 6/6"]
    assert finding.message == (
        "POST /orders: POST pay:80/notes is not called any more, recorded 6 times, as work left for later"
    )
    assert finding.evidence == "recorded 6 times up to 3 ms after the handling of 6 such requests"
    assert finding.reproduce == "replay [1]"
    outcomes = story.outcomes()
    assert [outcomes[one] for one in (1, 3, 4)] == [Outcome.DIFFERENT, Outcome.BYTES_EQUAL, Outcome.DIFFERENT]


def test_fewer_than_recorded_is_a_warning() -> None:
    story = left_for_later()
    story.without(NOTES[-1])
    (finding,) = story.findings()
    assert story.told() == ["warning POST /orders: missing POST /notes 1/6"]
    assert "is called 5 times instead of 6 times, as work left for later" in finding.message


def test_work_that_falls_within_its_request_now_is_no_finding() -> None:
    story = left_for_later()
    story.without(*NOTES)
    story.hits(*((one, number * 200 + 10) for number, one in enumerate(NOTES)))
    assert story.told() == []


def test_nothing_is_said_of_a_part_or_where_a_request_failed() -> None:
    story = left_for_later()
    story.without(*NOTES)
    story.live[3] = story.live[3].model_copy(update={"status": 500})
    assert story.told() == []
    part = left_for_later()
    part.without(*NOTES)
    part.played = part.played[:3]
    assert part.told() == []


def test_the_same_work_left_twice_is_told() -> None:
    story = left_for_later()
    story.hits((NOTES[2], 450))
    (finding,) = story.findings()
    assert story.told() == ["error POST /orders: duplicated POST /notes 1/6"]
    assert "is called twice with the same content, recorded once, as work left for later" in finding.message


def beating(*, until: float, **body: Any) -> Story:
    """A beat every 130 ms beside the requests of `left_for_later`, replayed in so many ms."""
    story = Story()
    for number in range(6):
        story.asked(number * 200, 20, "POST /orders", {"sku": f"mug-{number}"}, 201)
    beats = [story.called(60 + number * 130, 2, "POST /beats", {"by": "timer", **body}, 201) for number in range(8)]
    story.replayed()
    story.without(*beats)
    story.played = []
    for number, one in enumerate(story.inbound):
        story.plays(one.sequence, number * until / 6, until / 8, 201)
    return story


def test_a_timer_that_had_no_time_is_no_finding() -> None:
    assert beating(until=40).told() == []


def test_a_timer_that_stopped_is_a_warning_where_it_had_time() -> None:
    story = beating(until=1200)
    (finding,) = story.findings()
    assert story.told() == ["warning POST /beats: missing POST /beats 1/0"]
    assert finding.message == "POST pay:80/beats is not called any more, recorded 8 times outside of any request"
    assert set(story.outcomes().values()) == {Outcome.BYTES_EQUAL}
    assert story.told(cold=False) == []  # another process's timer runs by its own clock


def test_a_write_of_the_start_up_that_is_gone_is_a_warning() -> None:
    story = Story()
    story.called(0, 2, "PUT /registrations", {"name": "shop"})
    story.asked(50, 20, "GET /reports")
    story.replayed()
    assert story.told() == []
    story.without(1)
    (finding,) = story.findings()
    assert finding.severity == "warning"
    assert finding.message == "PUT pay:80/registrations is not called any more, recorded once before the first request"


def test_an_app_that_polls_for_its_work_may_come_to_it_later() -> None:
    story = Story()
    for number in range(6):
        at = number * 200
        story.asked(at, 20, "POST /orders", {"sku": f"mug-{number}"}, 201)
        story.called(at + 22, 1, "GET /due")
        story.called(at + 23, 2, "POST /notes", {"text": f"order:{number}"}, 201)
    story.replayed()
    story.without(*range(3, 19, 3))
    assert story.told() == ["warning POST /orders: missing POST /notes 6/6"]


@pytest.mark.parametrize(
    ("starts", "longest"),
    [([], 0), ([15], 0), ([25], 5), ([25, 39], 19), ([45], 0), ([60 + LATER_NS], 0), ([5 + LATER_NS + 46], 0)],
)
def test_how_long_work_went_on_after_an_answer(starts: list[int], longest: int) -> None:
    assert longest_wait(starts, [(10, 20), (40, 50)]) == longest
