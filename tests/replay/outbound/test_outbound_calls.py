"""What is found wrong with an app's calls to services, and above all what is not."""

from __future__ import annotations

import pytest
from call_story import Story

from wiretape_replay.outbound.evidence import chance, grouped
from wiretape_replay.verdict.model import Outcome


def orders(count: int = 3, *, took: float = 40) -> Story:
    """Orders one after the other: each reserves, charges and tells the audit."""
    story = Story()
    for number in range(count):
        at, order = number * 100, f"ord-{number}"
        story.asked(at, took, "POST /orders", {"id": order, "amount": 10 + number}, 201)
        story.called(at + 2, 8, "POST /reservations", {"order": order}, 201)
        story.called(at + 12, 8, "POST /charges", {"order": order, "amount": 10 + number}, 201)
        story.called(at + 22, 8, "POST /audit", {"kind": "order"}, 201)
    return story


def test_the_same_calls_again_are_no_finding() -> None:
    story = orders()
    story.replayed()
    assert story.told() == []
    assert set(story.outcomes().values()) == {Outcome.BYTES_EQUAL}


def test_a_payment_sent_twice_fails_its_exchange_though_the_answer_is_the_same() -> None:
    story = orders()
    story.replayed()
    story.hits((7, 132))
    (finding,) = story.findings()
    assert story.told() == ["error POST /orders: duplicated POST /charges 1/3"]
    assert finding.message == "POST /orders: POST pay:80/charges is called twice with the same content, recorded once"
    assert finding.evidence == "made once in 3 of 3 recorded requests, twice in 1 of 3 replayed"
    assert (finding.sequences, finding.reproduce) == ((5,), "replay [5]")
    assert finding.curl.startswith("curl -sS -H 'Content-Type: application/json' --data-binary")
    assert story.outcomes() == {1: Outcome.BYTES_EQUAL, 5: Outcome.DIFFERENT, 9: Outcome.BYTES_EQUAL}


def test_a_payment_sent_twice_is_found_among_concurrent_requests() -> None:
    story = Story()
    for number in range(3):
        story.asked(number, 50, "POST /orders", {"id": f"ord-{number}"}, 201)
    for number in range(3):
        story.called(10 + number, 20, "POST /charges", {"order": f"ord-{number}"}, 201)
    story.replayed()
    story.hits((5, 30))
    assert story.told() == ["error POST /orders: duplicated POST /charges 1/3"]
    assert [sequence for sequence, how in story.outcomes().items() if how is Outcome.DIFFERENT] == [2]


def test_a_write_that_names_nobody_is_counted_over_the_requests_under_way() -> None:
    story = Story()
    for number in range(3):
        story.asked(number, 50, "POST /orders", {"id": f"ord-{number}"}, 201)
    for number in range(3):
        story.called(10 + number, 20, "POST /audit", {"kind": "order"}, 201)
    story.replayed()
    assert story.told() == []
    story.hits((4, 30))
    assert story.told() == ["error POST /orders: duplicated POST /audit 1/3"]
    assert list(story.outcomes().values()).count(Outcome.DIFFERENT) == 1
    assert "(exchanges 1, 2, 3 were under way together)" in story.findings()[0].message


def test_a_call_that_is_not_made_any_more() -> None:
    story = orders()
    story.replayed()
    story.without(4, 8, 12)
    (finding,) = story.findings()
    assert story.told() == ["error POST /orders: missing POST /audit 3/3"]
    assert finding.message == "POST /orders: POST pay:80/audit is not called any more, recorded once"
    assert finding.evidence == "made once in 3 of 3 recorded requests, never in 3 of 3 replayed"
    assert story.told(unlisted=3) == []  # a journal with gaps proves no absence


def test_what_an_exchange_that_broke_off_did_not_call_is_no_finding_of_its_own() -> None:
    story = orders(1)
    story.plays(1, 0, 40, 500)
    story.hits((2, 2))
    assert story.told() == []


def test_only_what_was_replayed_is_expected() -> None:
    story = orders()
    story.plays(5, 0, 40, 201)
    story.hits((6, 2), (7, 12), (4, 22))
    assert story.told() == []


def test_a_changed_amount_is_one_finding_with_its_leaves() -> None:
    story = orders()
    story.replayed()
    story.without(7)
    story.misses(112, "POST /charges", {"order": "ord-1", "amount": 99}, near=7)
    (finding,) = story.findings()
    assert story.told() == ["error POST /orders: changed POST /charges 1/3"]
    assert finding.message.endswith("POST pay:80/charges is called with other content: body/amount was 11, is 99")
    assert (finding.expected, finding.actual) == ({"body/amount": "11"}, {"body/amount": "99"})


def test_a_new_leaf_is_told_without_a_recorded_one() -> None:
    story = orders()
    story.replayed()
    story.without(7)
    story.misses(112, "POST /charges", {"order": "ord-1", "amount": 11, "vip": True}, near=7)
    (fault,) = story.judged().faults
    assert (fault.message.partition(": ")[2], fault.expected, fault.actual) == (
        "body/vip was absent, is true", {}, {"body/vip": "true"},
    )  # fmt: skip


def test_a_changed_path_and_a_second_attempt_at_it_are_one_finding() -> None:
    story = Story()
    story.asked(0, 30, "GET /me/17")
    story.called(5, 5, "GET /users/17")
    story.plays(1, 0, 30)
    story.misses(5, "GET /users/18", near=2)
    story.misses(9, "GET /users/18", near=2)
    assert story.told() == ["error GET /me/{id}: changed GET /users/{id} 1/1"]
    assert story.findings()[0].expected == {"path": "/users/17"}


def test_a_call_of_another_kind_is_unexpected() -> None:
    story = orders(1)
    story.replayed()
    story.misses(35, "DELETE /reservations", {"order": "ord-0"}, near=2)
    (finding,) = story.findings()
    assert story.told() == ["error POST /orders: unexpected DELETE /reservations 1/1"]
    assert "the app called DELETE /reservations of pay:80, which the recording does not have" in finding.message
    assert "record again from the app's start" in finding.evidence


def test_swapped_writes_are_told_where_one_waited_for_the_other() -> None:
    story = orders()
    story.replayed()
    story.without(2, 3)
    story.hits((3, 2), (2, 12))
    assert story.told() == ["error POST /orders: reordered POST /reservations, POST /charges 1/3"]
    assert story.findings()[0].evidence == "in this order in 3 of 3 recorded requests that make both calls"


@pytest.mark.parametrize("second_at", [3, 2.5])
def test_calls_in_parallel_have_no_order(second_at: float) -> None:
    story = Story()
    story.asked(0, 30, "POST /orders", {"id": "ord-1"})
    story.called(2, 0.4 if second_at == 2.5 else 9, "POST /stock", {"order": "ord-1"})
    story.called(second_at, 9, "POST /mails", {"order": "ord-1"})
    story.plays(1, 0, 30)
    story.hits((3, 2), (2, 3))
    assert story.told() == []


def test_a_read_for_each_item_is_n_plus_one() -> None:
    story = Story()
    for number, items in enumerate((["ink", "pen"], ["ink", "pen", "pad"])):
        story.asked(number * 100, 30, "GET /quotes", answer={"items": items})
        story.called(number * 100 + 5, 5, "GET /prices")
    story.replayed()
    story.hits((2, 8), (4, 108), (4, 110))
    assert story.told() == ["warning GET /quotes: n+1 GET /prices 2/2"]
    assert (
        "called twice in one request, recorded once, as many as /items has items (N+1)" in story.findings()[0].message
    )
    assert set(story.outcomes().values()) == {Outcome.BYTES_EQUAL}


def test_reads_that_replace_one_for_all_are_one_finding_of_n_plus_one() -> None:
    story = Story()
    story.asked(0, 30, "GET /quotes?skus=ink,pen,pad")
    story.called(5, 5, "GET /prices?skus=ink,pen,pad")
    story.plays(1, 0, 30)
    for at, sku in enumerate(("ink", "pen", "pad")):
        story.misses(5 + at, f"GET /prices?skus={sku}", near=2)
    assert "error GET /quotes: n+1 GET /prices 1/1" in story.told()
    assert all("unexpected" not in line and "changed" not in line for line in story.told())


def test_reads_of_many_resources_by_their_names_are_n_plus_one() -> None:
    story = Story()
    story.asked(0, 30, "GET /quotes", answer={"items": ["ink", "pen", "pad"]})
    story.called(5, 5, "GET /prices")
    for at, sku in enumerate(("ink", "pen", "pad")):
        story.asked(100 * at + 100, 30, f"GET /items/{sku}")
        story.called(100 * at + 105, 5, f"GET /prices/{sku}")
    story.replayed()
    story.hits((4, 12), (6, 14))
    assert story.told() == []
    story.hits((8, 16))
    assert story.told() == ["warning GET /quotes: n+1 GET /prices/* 1/1"]
    assert "3 times in one request, which made no such call when it was recorded" in story.findings()[0].message


def test_one_read_more_is_told_for_information() -> None:
    story = Story()
    story.asked(0, 30, "GET /quotes")
    story.called(5, 5, "GET /prices")
    story.replayed()
    story.hits((2, 12))
    assert story.told() == ["info GET /quotes: repeated GET /prices 1/1"]


class TestRetries:
    """A failed attempt and the next one."""

    def story(self) -> Story:
        story = Story()
        story.asked(0, 50, "POST /orders", {"id": "ord-1"})
        story.called(2, 5, "POST /charges", {"order": "ord-1"}, 503)
        return story

    def test_as_recorded(self) -> None:
        story = self.story()
        story.called(20, 5, "POST /charges", {"order": "ord-1"}, 201)
        story.replayed()
        assert story.told() == []

    def test_no_more(self) -> None:
        story = self.story()
        story.called(20, 5, "POST /charges", {"order": "ord-1"}, 201)
        story.replayed()
        story.without(3)
        assert story.told() == ["error POST /orders: missing POST /charges 1/1"]
        assert story.findings()[0].message.endswith("is called once instead of twice, not again after 503")

    def test_not_needed_because_the_mock_had_the_answer(self) -> None:
        story = self.story()
        story.called(20, 5, "POST /charges", {"order": "ord-1"}, 201)
        story.replayed()
        story.without(2)
        assert story.told() == []

    def test_new(self) -> None:
        story = self.story()
        story.replayed()
        story.hits((2, 20))
        assert story.told() == ["warning POST /orders: duplicated POST /charges 1/1"]
        assert story.findings()[0].message.endswith("again after 503")

    def test_twice_in_spite_of_a_retry(self) -> None:
        story = self.story()
        story.called(20, 5, "POST /charges", {"order": "ord-1"}, 201)
        story.replayed()
        story.without(2)
        story.hits((3, 30))
        assert story.told() == ["error POST /orders: duplicated POST /charges 1/1"]


class TestNoFalseAlarm:
    """Unchanged code whose calls differ from run to run."""

    def prices(self, fetched_by: int) -> Story:
        story = Story()
        for number in range(4):
            story.asked(number * 100, 30, "GET /price")
            if number == fetched_by:
                story.called(number * 100 + 5, 5, "GET /config")
        return story

    def test_a_cache_is_filled_by_another_request(self) -> None:
        story = self.prices(0)
        story.replayed()
        story.without(2)
        story.hits((2, 205))
        assert story.told() == []

    @pytest.mark.parametrize("cold", [True, False])
    def test_a_cache_is_warm(self, cold: bool) -> None:
        story = self.prices(0)
        story.replayed()
        story.without(2)
        assert story.told(cold=cold) == []

    def test_every_worker_has_its_own_cache(self) -> None:
        story = self.prices(0)
        story.replayed()
        story.hits((2, 105), (2, 205))
        assert story.told() == []

    def test_a_cache_that_is_gone_is_told(self) -> None:
        story = Story()
        for number in range(20):
            story.asked(number * 100, 30, "GET /price")
            if number == 0:
                story.called(5, 5, "GET /config")
        story.replayed()
        story.hits(*((2, number * 100 + 5) for number in range(1, 20)))
        assert story.told() == ["warning GET /price: repeated GET /config 19/20"]

    def test_a_cache_that_expired_between_recorded_requests(self) -> None:
        story = Story()
        for number in range(3):
            story.asked(number * 60_000, 30, "GET /price")
            story.called(number * 60_000 + 5, 5, "GET /config")
        for number in range(3):
            story.plays(number * 2 + 1, number * 40, 30)
        story.hits((2, 5))
        assert story.told() == []

    def test_a_cache_by_user_across_sessions(self) -> None:
        story = Story()
        for number, user in enumerate((17, 18, 17, 18)):
            story.asked(number * 100, 30, f"GET /profiles/{user}")
            if number < 2:
                story.called(number * 100 + 5, 5, f"GET /users/{user}")
        story.replayed()
        story.without(2)
        story.hits((2, 205))
        assert story.told() == []
        story.without(2)
        assert story.told() == []

    def aside(self) -> Story:
        """A cache beside the app: the first request finds nothing in it, reads, and fills it for the others."""
        story = Story()
        for number in range(4):
            story.asked(number * 100, 30, "GET /items/17")
            story.called(number * 100 + 2, 3, "GET /cache/17")
            if number == 0:
                story.called(7, 5, "GET /rows/17")
                story.called(15, 5, "PUT /cache/17", {"item": 17})
        return story

    def test_a_cache_that_is_not_filled_any_more_is_told(self) -> None:
        story = self.aside()
        story.replayed()
        assert story.told() == []
        story.without(4)
        assert story.told() == ["error GET /items/{id}: missing PUT /cache/{id} 1/4"]

    def test_a_cache_that_was_filled_with_something_else_the_next_time_excuses_nothing(self) -> None:
        story = Story()
        for number in range(2):
            story.asked(number * 100, 30, "GET /items/17")
            story.called(number * 100 + 2, 3, "GET /cache/17")
            story.called(number * 100 + 7, 5, "GET /rows/17")
            story.called(number * 100 + 15, 5, "PUT /cache/17", {"item": 17, "left": 9 - number})
        story.replayed()
        assert story.told() == []
        story.without(4, 8)
        assert story.told() == ["error GET /items/{id}: missing PUT /cache/{id} 2/2"]

    def test_a_cache_beside_the_app_that_was_warm_needs_no_filling(self) -> None:
        story = self.aside()
        story.replayed()
        story.without(3, 4)
        assert story.told() == []

    @pytest.mark.parametrize("fetched", [(3,), (3, 5), ()])
    def test_a_token_is_fetched_once_or_not_at_all(self, fetched: tuple[int, ...]) -> None:
        story = Story()
        story.asked(0, 50, "POST /orders", {"id": "ord-1"})
        token = story.called(2, 5, "POST /oauth/token", {"client": "shop"}, answer={"access_token": "abc"})
        story.called(10, 5, "POST /charges", {"order": "ord-1"})
        story.replayed()
        story.without(token)
        story.hits(*((token, at) for at in fetched))
        assert story.told() == []

    def test_a_background_heartbeat_runs_at_another_pace(self) -> None:
        story = orders()
        for at in (0.5, 70, 110, 170):
            story.called(at, 2, "POST /heartbeat", {"up": True})
        story.replayed()
        story.without(13, 15)
        story.hits(*((14, at) for at in (3, 55, 56, 105, 107, 203)))
        assert story.told() == []

    def test_a_heartbeat_has_no_order(self) -> None:
        story = Story()
        story.asked(0, 60, "GET /job")
        story.called(5, 8, "GET /jobs/7")
        story.called(30, 8, "POST /heartbeat", {"up": True})
        story.plays(1, 0, 60)
        story.hits((3, 2), (2, 5))
        assert story.told() == []

    def test_a_warm_up_at_the_start(self) -> None:
        story = orders()
        story.called(-50, 2, "HEAD /")
        story.called(-40, 2, "POST /registrations", {"app": "shop"})
        story.replayed()
        story.without(13)
        story.hits((14, -30), (14, -20))
        assert story.told() == []

    def test_a_poll_takes_another_number_of_turns(self) -> None:
        story = Story()
        story.asked(0, 500, "GET /job")
        for turn in range(4):
            story.called(5 + 100 * turn, 5, "GET /jobs/7", answer={"state": "pending" if turn < 3 else "done"})
        story.plays(1, 0, 30)
        story.hits((2, 5), (5, 6))
        assert story.told() == []

    def test_parallel_calls_arrive_in_any_order(self) -> None:
        story = Story()
        for number in range(6):
            story.asked(number * 100, 40, "GET /dashboard")
            for at, command in ((2, "GET /news"), (2.2, "POST /views"), (2.4, "GET /weather")):
                story.called(number * 100 + at, 10, command, {"page": 1} if command == "POST /views" else None)
        story.replayed()
        story.without(2, 3, 4)
        story.hits((4, 2), (3, 3), (2, 4))
        assert story.told() == []


def test_a_trace_tells_whose_call_it_was() -> None:
    story = Story()
    story.asked(0, 50, "POST /orders", {"n": 1}, trace="t1")
    story.asked(1, 50, "POST /returns", {"n": 2}, trace="t2")
    story.called(10, 5, "POST /audit", {"kind": "x"}, trace="t2")
    story.replayed()
    story.without(3)
    assert story.told() == ["warning POST /returns: missing POST /audit 1/1"]


def test_work_left_for_later_belongs_to_the_request_it_speaks_of() -> None:
    story = Story()
    story.asked(0, 20, "POST /orders", {"id": "ord-1"})
    story.asked(30, 40, "GET /news")
    story.called(50, 5, "POST /mails", {"order": "ord-1"})
    story.replayed()
    assert story.told() == []
    story.hits((3, 120))
    assert story.told() == ["error POST /orders: duplicated POST /mails 1/1"]
    story.without(3)
    assert story.told() == ["error POST /orders: missing POST /mails 1/1"]


def test_fisher_and_groups() -> None:
    assert chance(14, 1, 14) < 0.001
    assert chance(4, 1, 14) > 0.1
    assert chance(0, 0, 14) == 1.0
    groups = grouped([frozenset({1, 2}), frozenset({4}), frozenset({2, 3}), frozenset()])
    assert [sorted(groups[one]) for one in (1, 3, 4)] == [[1, 2, 3], [1, 2, 3], [4]]
