"""Values that a write of the same exchange returned: another one in the answer is a finding, a coincidence is none."""

from __future__ import annotations

from typing import Any

from call_story import Story
from pydantic import JsonValue

from wiretape_replay.mock.spec import LeafDifference
from wiretape_replay.outbound.returned import Told


def created(*ids: JsonValue, rows: tuple[JsonValue, ...] = (), method: str = "POST") -> Story:
    """Orders that answer the id which a write of theirs returned."""
    story = Story()
    for number, (one, row) in enumerate(zip(ids, rows or ids, strict=True)):
        story.asked(number * 100, 40, "POST /orders", {"sku": f"sku-{number}"}, 201, answer={"order_id": one})
        story.called(number * 100 + 5, 9, f"{method} /rows", {"sku": f"sku-{number}"}, answer={"row": row})
    story.replayed()
    return story


def contradicted(story: Story, expected: JsonValue, actual: JsonValue, **told: Any) -> list[int]:
    """The recorded calls that speak against a value of the first order."""
    some = [Told(1, told.get("at", "/order_id"), expected, actual)]
    return [one.call.sequence for one in story.judged().contradicted(some, story.outbound)]


def test_another_id_than_the_write_returned_is_told() -> None:
    assert contradicted(created(4, 7), 4, 5) == [2]


def test_one_small_number_may_be_a_coincidence_and_an_identifier_is_none() -> None:
    assert contradicted(created(4), 4, 5) == []
    assert contradicted(created(4, 4), 4, 5) == []
    ours, theirs = "488343a6-98c3-426a-8de4-231e749b0d43", "3cbba161-866c-401b-8003-e56cbcde10d0"
    assert contradicted(created(ours), ours, theirs) == [2]


def test_an_answer_that_disagreed_when_recorded_proves_nothing() -> None:
    assert contradicted(created(4, 7, 9, rows=(4, 7, 8)), 4, 5) == []


def test_what_a_read_returned_proves_nothing() -> None:
    assert contradicted(created(4, 7, method="GET"), 4, 5) == []


def test_a_write_that_was_not_made_or_of_another_value_proves_nothing() -> None:
    story = created(4, 7)
    story.without(2)
    assert contradicted(story, 4, 5) == []
    assert contradicted(created(4, 7), 3, 5) == []


def test_a_value_that_the_mock_may_have_put_in_proves_nothing() -> None:
    story = created(4, 7)
    leaf = LeafDifference(where="body/sku", recorded="4", live="5")
    story.answers = [one.model_copy(update={"normalized": (leaf,)}) for one in story.answers]
    assert contradicted(story, 4, 5) == []
