"""Which request made a call: what its route usually does counts for more than a short value that two have by chance."""

from __future__ import annotations

from dataclasses import replace

from call_story import Story

from wiretape_replay.outbound.calls import Call, Catalogue
from wiretape_replay.outbound.owners import attribute_live, attribute_recorded
from wiretape_replay.outbound.transactions import Fate, Transaction
from wiretape_replay.outbound.windows import Window


def orders(*, at_once: bool) -> Story:
    """Orders of items, and cancellations, which name an order: both forget what is known of the item."""
    story = Story()
    for number in (1, 2, 3, 4):
        begun = number * 100
        story.asked(begun, 40, "POST /orders", {"item": f"70{number}"}, 201, answer={"id": 5 - number})
        story.called(begun + 5, 5, "POST /rows", {"item": f"70{number}"}, 201)
        story.called(begun + 20, 5, f"DELETE /cache/70{number}")
        begun += 15 if at_once and number > 2 else 50
        story.asked(begun, 40, f"POST /orders/{5 - number}/cancel", {}, answer={"cancelled": 5 - number})
        story.called(begun + 3, 2, "POST /states", {"order": f"of {number}"})
        story.called(begun + 10, 5, f"DELETE /cache/70{number}")
    return story


def test_a_call_that_says_nothing_of_its_request_is_its_route_s() -> None:
    story = orders(at_once=False)
    story.replayed()
    assert story.told() == []
    story.without(*(number * 6 - 3 for number in (1, 2, 3, 4)))  # the orders forget nothing any more
    assert story.told() == ["error POST /orders: missing DELETE /cache/{id} 4/4"]


def test_of_two_under_way_the_route_that_makes_none_any_more_is_blamed() -> None:
    story = orders(at_once=True)
    story.replayed()
    assert story.told() == []
    story.without(*(number * 6 - 3 for number in (1, 2, 3, 4)))
    assert story.told() == ["error POST /orders: missing DELETE /cache/{id} 4/4"]


def test_an_earlier_request_with_the_same_value_is_not_the_one_that_always_makes_the_call() -> None:
    story = Story()
    for number in (1, 2, 3):
        story.asked(number * 100, 20, f"GET /members/90{number}")
        story.called(number * 100 + 5, 5, "GET /rates")
        story.called(number * 100 + 12, 5, f"GET /rows/90{number}")
        story.asked(number * 100 + 40, 30, f"POST /loans/{number}/return", {})
        story.called(number * 100 + 50, 5, f"PUT /counts/90{number}")
    story.replayed()
    counts = [call for call in story.judged().evidence.recorded if call.writes]
    assert [sorted(call.owners) for call in counts] == [[4], [9], [14]]
    assert not any(call.deferred for call in counts)
    story.without(5, 10, 15)
    assert story.told() == ["error POST /loans/{id}/return: missing PUT /counts/{id} 3/3"]


def loans() -> list[Call]:
    """Two transactions with a statement of their own each and one that both have."""
    story = Story()
    for at, target in ((10, "/loans/2"), (11, "/loans/3"), (12, "/stock/4"), (13, "/stock/4"), (14, "/audit/2"),
                       (15, "/audit/3")):  # fmt: skip
        story.called(at, 1, f"PUT {target}")
    catalogue = Catalogue.of(story.outbound, {})
    calls = [catalogue.recorded(one) for one in story.outbound]
    both = Fate(Transaction()), Fate(Transaction())
    for number, call in enumerate(calls):
        call.fate = both[number % 2]
    return calls


def windows(calls: list[Call]) -> list[Window]:
    """Three requests under way at all of them; what the third is about, both transactions say, too."""
    first, last = calls[0].started_ns - 10**6, calls[-1].started_ns + 10**6
    return [
        Window(number, first, last, "", "POST /loans/{id}/return", frozenset({str(number)})) for number in (2, 3, 4)
    ]


def test_the_statements_of_a_transaction_are_one_request_s() -> None:
    recorded, live = loans(), loans()
    attribute_recorded(recorded, windows(recorded))
    attribute_live(live, windows(live), recorded)
    for calls in (recorded, live):
        assert [sorted(call.owners) for call in calls] == [[2], [3]] * 3


def test_a_transaction_that_goes_on_through_several_requests_is_nobody_s_alone() -> None:
    calls = loans()
    for call in calls:
        call.fate = calls[0].fate
    first, second = windows(calls)[:2]
    half = calls[2].started_ns
    attribute_recorded(calls, [replace(first, ended_ns=half), replace(second, started_ns=half + 1)])
    assert [sorted(call.owners) for call in calls] == [[2], [2], [2], [3], [3], [3]]


def cancelled(*, at_once: bool) -> Story:
    """Cancellations that leave a note for later; the order is read at once or not before the note is there."""
    story = Story()
    for number in (1, 2, 3, 4):
        begun, order = number * 100, f"70{number}"
        story.asked(begun, 10, f"POST /orders/{order}/cancel", {}, answer={"done": True})
        at = begun + (12 if at_once and number > 1 else 40)
        story.asked(at, 10, f"GET /orders/{order}")
        story.called(begun + 14, 1, "POST /audit", {"what": "cancel", "order": order})
        story.called(at + 4, 1, f"GET /rows/{order}")
    story.asked(700, 10, "GET /orders/999")
    return story


def audits(story: Story) -> list[list[int]]:
    """The requests that each note is credited to, as recorded."""
    return [sorted(call.owners) for call in story.judged().evidence.recorded if call.writes]


def test_what_a_request_left_for_later_is_not_of_one_that_reads_meanwhile() -> None:
    story = cancelled(at_once=True)
    story.replayed()
    assert audits(story) == [[one.sequence] for one in story.inbound if one.command == "POST"]
    assert story.told() == []


def test_what_is_left_for_later_may_fall_into_another_request_than_recorded() -> None:
    for at_once in (True, False):
        story, otherwise = cancelled(at_once=at_once), cancelled(at_once=not at_once)
        otherwise.replayed()
        story.played, story.live, story.answers = otherwise.played, otherwise.live, otherwise.answers
        assert story.told() == []


def test_what_is_left_for_much_later_is_of_the_request_that_it_speaks_of() -> None:
    story = Story()
    for number in range(1, 9):
        story.asked(number * 100, 30, "POST /orders", {"item": f"70{number}"}, 201)
        if number > 2:
            story.called(number * 100 + (20 if number % 2 else 40), 1, "POST /mails", {"about": f"70{number - 2}"})
    for number in (9, 10):
        story.called(number * 100 + 40, 1, "POST /mails", {"about": f"70{number - 2}"})
    story.replayed()
    assert audits(story) == [[one.sequence] for one in story.inbound]


def test_what_was_left_for_later_and_is_not_written_any_more_is_missed_where_it_was_left() -> None:
    story = cancelled(at_once=True)
    story.replayed()
    story.without(*(one.sequence for one in story.outbound if one.command == "POST"))
    assert story.told() == ["error POST /orders/{id}/cancel: missing POST /audit 4/4"]


def test_what_is_filled_by_requests_that_read_stays_theirs_although_others_write_at_the_time() -> None:
    story = Story()
    for number in (1, 2, 3, 4):
        begun = number * 100
        story.asked(begun, 10, f"POST /orders/{number}/cancel", {})
        story.asked(begun + 12, 10, f"GET /orders/{number}")
        story.called(begun + 14, 1, f"PUT /cache/{number}")
    story.replayed()
    assert audits(story) == [[one.sequence] for one in story.inbound if one.command == "GET"]


def test_a_word_of_the_path_tells_whose_a_write_is_and_a_number_that_another_reads_does_not() -> None:
    story = Story()
    for number, user in enumerate(("ann", "bob", "ann", "bob"), 1):
        begun = number * 100
        story.asked(begun, 10, f"POST /carts/{user}/items", {"product": number, "qty": 2}, 201)
        story.asked(begun + 1, 10, "GET /products/2")
        story.called(begun + 3, 2, "POST /counts", {"cart": user, "count": "2", "of": "02"})
    story.replayed()
    assert audits(story) == [[one.sequence] for one in story.inbound if one.command == "POST"]


def test_a_transaction_goes_by_what_its_statements_say_and_not_by_who_else_makes_them() -> None:
    story = Story()
    for at, target in ((10, "/stock/7"), (11, "/orders/dee"), (12, "/stock/8"), (13, "/totals/12")):
        story.called(at, 1, f"PUT {target}")
    story.called(40, 1, "PUT /stock/9")
    catalogue = Catalogue.of(story.outbound, {})
    calls = [catalogue.recorded(one) for one in story.outbound]
    both = Fate(Transaction())
    for call in calls[:-1]:
        call.fate = both
    first, last = calls[0].started_ns - 10**6, calls[3].started_ns + 10**6
    attribute_recorded(calls, [
        Window(1, first, last, "", "POST /carts/dee", frozenset(), frozenset({"carts", "dee"}), frozenset({"12"})),
        Window(2, first, last, "", "GET /orders/{id}", frozenset({"7"}), frozenset({"orders", "7"})),
        Window(3, first, last, "", "POST /carts/ann", frozenset(), frozenset({"carts", "ann"})),
        Window(4, last + 1, last + 10**9, "", "POST /carts/ann", frozenset(), frozenset({"carts", "ann"})),
    ])  # fmt: skip
    assert [sorted(call.owners) for call in calls] == [[1]] * 4 + [[4]]
