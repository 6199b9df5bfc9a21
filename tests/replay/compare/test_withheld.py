"""What blocked later requests is told, whatever the comparison said."""

from __future__ import annotations

from recorded import exchange, request, response

from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.withheld import with_withheld
from wiretape_replay.verdict.model import Outcome

TOKEN = "9sXb2kQz7Lw0TtYp4RfVhN"
STORY = [
    exchange(1, request("POST", "/login", {"user": "a"}), response({"user": {"token": TOKEN}})),
    exchange(2, request("GET", "/me", Authorization=f"Bearer {TOKEN}"), response({"ok": True})),
    exchange(3, request("GET", "/you", Authorization=f"Bearer {TOKEN}"), response({"ok": True})),
]
EQUAL = Comparison(Outcome.SEMANTICALLY_EQUAL)


def test_an_equal_answer_that_later_requests_waited_for_in_vain_is_a_finding() -> None:
    results = [(STORY[0], "POST /login", EQUAL)]
    ((_, _, comparison),) = with_withheld(results, {2: 1, 3: 1}, find_bindings(STORY))
    (found,) = comparison.differences
    assert (comparison.outcome, found.kind, found.at) == (Outcome.DIFFERENT, "value", "/user/token")
    assert found.message == (
        f'2 later requests carry what was "{TOKEN}" here, and nothing like it came: what needs it was not sent'
    )


def test_an_answer_that_nobody_waited_for_stays_equal() -> None:
    assert with_withheld([(STORY[0], "POST /login", EQUAL)], {}, find_bindings(STORY)) == [
        (STORY[0], "POST /login", EQUAL)
    ]  # fmt: skip
