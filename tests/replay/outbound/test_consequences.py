"""Which faults follow from a call of an earlier exchange."""

from __future__ import annotations

import json

from call_story import RECORDED_NS, Story, ms

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Request, Response
from wiretape_replay.verdict.model import Finding


def did(story: Story, at: float, *command: str, answer: str = "OK") -> int:
    """A recorded command for Redis."""
    sequence = len(story.inbound) + len(story.outbound) + 1
    told = body_of(json.dumps({"reply": answer}).encode())
    story.outbound.append(Exchange(
        sequence=sequence, direction=Direction.OUTBOUND, protocol=Protocol.REDIS, service="cache", command=command[0],
        location=" ".join(command[:2]), status="OK", started_ns=RECORDED_NS + ms(at), duration_us=1000,
        request=Request(method=command[0], target=" ".join(command[:2]), version="redis",
                        body=body_of(json.dumps({"command": command, "db": 0}).encode())),
        response=Response(status=200, version="redis", body=told),
    ))  # fmt: skip
    return sequence


def reprice() -> Story:
    """A price is changed, which empties its key of the cache; a read fills it again. The change fails in the run."""
    story = Story()
    story.asked(0, 20, "POST /products/7700/price", {"price": 4})
    story.called(2, 3, "POST /prices", {"of": "7700", "price": 4})
    did(story, 10, "DEL", "product:7700")
    story.asked(100, 20, "GET /products/7700")
    did(story, 110, "SET", "product:7700", "4")
    story.replayed()
    story.live[1] = story.live[1].model_copy(update={"status": 500})
    story.without(2, 3, 5)
    story.misses(3, "POST /prices", {"of": "7700", "price": 5}, near=2)
    return story


def test_a_cache_that_is_filled_otherwise_follows_from_the_request_that_did_not_empty_it() -> None:
    by_route: dict[str, Finding] = {one.route: one for one in reprice().findings()}
    cause, fill = by_route["POST /products/{id}/price"], by_route["GET /products/{id}"]
    assert cause.pointer.startswith("changed POST ")
    assert fill.pointer.startswith("missing cache: SET product:")
    assert (cause.follows, fill.follows) == ("", cause.id)
    assert fill.message.endswith(f"(may follow from {cause.id})")


def test_what_the_cache_lacks_by_itself_follows_from_nothing() -> None:
    story = reprice()
    story.replayed()
    story.answers = [one for one in story.answers if one.tier != "miss"]
    story.without(5)
    assert [one.follows for one in story.findings()] == [""]
