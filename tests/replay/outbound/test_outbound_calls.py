"""What is found wrong with an app's calls to services, and above all what is not."""

from __future__ import annotations

import pytest
from call_story import Story

from wiretape_replay.mock.spec import LeafDifference
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
    assert story.told() == [f"info GET /quotes: repeated GET /prices/{sku} 1/1" for sku in ("ink", "pen")]
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


KEYS = ("5f590c3a-6ab1-4d3d-896c-40b6b501cfa5", "2ee197b3-ec84-4c47-ac32-a2e97ef5aa2d")
MEMBERS = ("967f2f65-c640-4378-8f4e-a535a6f98b88", "725282cd-8459-4ef8-9c07-4a44a8ad1108")


def loans() -> Story:
    story = Story()
    story.asked(0, 40, "POST /loans", {"n": 1})
    story.called(10, 5, "POST /rows", {"key": KEYS[0], "member": MEMBERS[0], "days": 14, "room_id": 7})
    story.replayed()
    return story


def test_what_each_run_makes_afresh_is_not_told_as_the_difference() -> None:
    story = loans()
    story.misses(12, "POST /rows", {"key": KEYS[1], "member": MEMBERS[1], "days": 15, "room_id": 7}, near=2)
    (unexpected,) = story.findings()
    assert unexpected.message.endswith("; nearest is exchange 2: body/days was 14, came 15")
    story = loans()
    story.misses(12, "POST /rows", {"key": KEYS[1], "member": MEMBERS[1], "days": 14, "room_id": 7}, near=2)
    (unexpected,) = story.findings()
    assert "nearest is exchange 2, alike but for what each run makes afresh (body/key, body/member)" in (
        unexpected.message
    )
    story = loans()
    story.without(2)
    story.misses(12, "POST /rows", {"key": KEYS[1], "member": MEMBERS[1], "days": 14, "room_id": 8}, near=2)
    (changed,) = story.findings()
    assert changed.message.endswith("is called with other content: body/room_id was 7, is 8")
    assert (changed.expected, changed.actual) == ({"body/room_id": "7"}, {"body/room_id": "8"})


def test_a_write_that_another_route_made_when_recorded_is_told_as_that() -> None:
    story = Story()
    story.asked(0, 30, "POST /orders", {"n": 1}, 201)
    story.called(10, 5, "POST /audit", {"kind": "order"}, 201)
    story.asked(100, 30, "GET /news")
    story.replayed()
    story.hits((2, 110))
    (finding,) = story.findings()
    assert (finding.expected, finding.actual) == (0, 1)
    assert finding.message.endswith(
        "POST pay:80/audit is called once, which no request of this route did when it was recorded; "
        "the same call was recorded in POST /orders"
    )


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


class TestReadsOfOtherRoutes:
    """The recording answers them, since another route made the same ones."""

    def story(self, *, together: bool = False) -> Story:
        """A list, then items one after the other; or all of them under way while the list is made."""
        story = Story()
        story.asked(0, 90 if together else 30, "GET /items")
        story.called(2, 5, "GET /rows")
        for number in (1, 2, 3, 4):
            at = 10 + number if together else number * 100
            story.asked(at, 30, f"GET /items/{number}")
            story.called(at + 5, 5, f"GET /rows/{number}")
        return story

    def test_one_is_told_for_information(self) -> None:
        story = self.story()
        story.replayed()
        story.hits((8, 20))
        assert story.told() == ["info GET /items: repeated GET /rows/{id} 1/1"]
        assert story.findings()[0].message.endswith(
            "GET pay:80/rows/{id} is called once in one request, which made no such call when it was recorded"
        )

    @pytest.mark.parametrize("at", [10, 10_000])
    def test_many_are_n_plus_one_before_the_others_and_after_them(self, at: float) -> None:
        story = self.story()
        story.replayed()
        story.without(2)
        story.played.pop(0)
        story.plays(1, at - 5, 60)
        story.hits((2, at), *((number * 2 + 2, at + number) for number in (1, 2, 3, 4)))
        assert story.told() == ["warning GET /items: n+1 GET /rows/{id} 1/1"]
        assert "is called 4 times in one request, which made no such call" in story.findings()[0].message

    def test_many_are_blamed_on_who_made_them_though_others_are_under_way(self) -> None:
        story = self.story(together=True)
        story.replayed()
        story.hits(*((number * 2 + 2, 20 + number) for number in (1, 2, 3)), (10, 80))
        assert story.told() == ["warning GET /items: n+1 GET /rows/{id} 1/1"]

    def test_a_read_that_two_may_have_made_is_left_to_the_one_that_made_no_other(self) -> None:
        story = Story()
        story.asked(0, 20, "GET /items")
        for at in (100, 140):
            story.asked(at, 50, "GET /items/1")
        for at in (105, 145):  # the second one by either of them
            story.called(at, 5, "GET /rows/1")
        for sequence, at in ((1, 0), (2, 100), (3, 200)):
            story.plays(sequence, at, 50)
        story.hits((4, 5), (5, 105), (5, 205))
        assert story.told() == ["info GET /items: repeated GET /rows/{id} 1/1"]

    def under_overlap(self) -> Story:
        """Four requests for items at a time, and the list of them, which newly reads each of its items."""
        story = Story()
        for number in (1, 2, 3, 4):
            story.asked(number * 100, 30, f"GET /items/{number}")
            story.called(number * 100 + 5, 5, f"GET /rows/{number}")
            story.asked(number * 100 + 50, 30, f"GET /labels/{number}")
            story.called(number * 100 + 55, 5, f"GET /names/{number}")
        for at in (600, 700):
            story.asked(at, 30, "GET /items")
            story.called(at + 5, 5, "GET /all")
        for number in (1, 2, 3, 4):
            story.plays(number * 4 - 3, 0 if number == 3 else number * 100, 100)
            story.plays(number * 4 - 1, 40 if number < 3 else number * 100, 100)
            story.hits((number * 4 - 2, 95 if number == 3 else number * 100 + 5))
            story.hits((number * 4, (50 if number < 3 else number * 100) + 5))
        story.plays(17, 45, 60)
        story.plays(19, 500, 60)
        story.hits((18, 46), (20, 505), *((number * 4 - 2, at + number) for at in (60, 510) for number in (1, 2, 3, 4)))
        return story

    def test_new_reads_belong_to_the_route_that_explains_them_all(self) -> None:
        assert self.under_overlap().told() == ["warning GET /items: n+1 GET /rows/{id} 2/2"]

    def test_a_stream_that_is_open_all_the_time_explains_nothing(self) -> None:
        story = self.under_overlap()
        stream = story.asked(2000, 500, "GET /events")
        story.plays(stream, 0, 1000)
        assert story.told() == ["warning GET /items: n+1 GET /rows/{id} 2/2"]

    def test_new_reads_that_two_routes_explain_are_left_to_both(self) -> None:
        story = self.story()
        other = story.asked(900, 30, "GET /offers")
        story.replayed()
        story.plays(other, 0, 30)
        story.hits((8, 20))
        (finding,) = story.findings()
        assert (finding.route, finding.count, finding.sequences) == ("GET pay:80/rows/{id}", 1, (1, 11))

    def test_a_read_that_speaks_of_another_request_and_its_own_may_change_places(self) -> None:
        story = self.under_overlap()
        calls = [call for call in story.judged().evidence.live if call.line == "GET /rows/3"]
        assert [sorted(call.owners) for call in calls] == [[17], [9], [19]]

    def test_a_run_without_the_other_route_says_so_for_information(self) -> None:
        story = self.story()
        story.plays(1, 0, 30)
        story.hits((2, 2), *((number * 2 + 2, 5 + number) for number in (1, 2, 3, 4)))
        assert story.told() == ["info GET /items: repeated GET /rows/{id} 1/1"]

    def test_what_a_job_reads_afterwards_is_its_own(self) -> None:
        story = Story()
        story.asked(0, 30, "POST /orders", {"id": "ord-17"}, 202)
        story.called(50, 5, "GET /rows/ord-17")
        story.asked(45, 30, "GET /health")
        story.replayed()
        assert story.told() == []

    def test_a_cache_filled_by_two_at_once(self) -> None:
        story = Story()
        for at in (0, 100, 200):
            story.asked(at, 40, "GET /items/17")
        story.called(5, 5, "GET /rows/17")
        story.called(15, 5, "PUT /cache/17", {"row": 17})
        for sequence, at in ((1, 0), (2, 3), (3, 200)):
            story.plays(sequence, at, 40)
        story.hits((4, 5), (4, 8), (5, 15), (5, 18))
        assert story.told() == []
        story.hits((5, 210))  # who came later found it
        assert story.told() == ["error GET /items/{id}: duplicated PUT /cache/{id} 1/3"]
        assert "is called once, which this request did not do when it was recorded" in story.findings()[0].message

    def filled_by_three(self) -> Story:
        """Three find a cache empty and fill it, a fourth finds it filled; in the run the third finds it filled, too."""
        story = Story()
        for at, fills in ((0, 10), (20, 30), (50, 70)):
            story.asked(at, 40, "GET /items/17")
            story.called(fills - 5, 2, "GET /rows/17")
            story.called(fills, 5, "PUT /cache/17", {"row": 17})
        story.asked(200, 40, "GET /items/17")
        for sequence, at, took in ((1, 0, 40), (4, 20, 80), (7, 60, 35), (10, 200, 40)):
            story.plays(sequence, at, took)
        story.hits((2, 5), (3, 10), (5, 45), (6, 70))  # the last while the third was handled as well
        return story

    def test_a_cache_filled_by_three_of_whom_one_finds_it_filled(self) -> None:
        assert self.filled_by_three().told() == []

    def test_a_cache_filled_by_three_of_whom_one_fills_it_no_more(self) -> None:
        story = self.filled_by_three()
        story.without(6)
        assert story.told() == ["error GET /items/{id}: missing PUT /cache/{id} 1/4"]

    def test_a_cache_filled_by_the_other_of_two(self) -> None:
        story = Story()
        for at in (0, 100):
            story.asked(at, 40, "GET /items/17")
        story.called(5, 5, "GET /rows/17")
        story.called(15, 5, "PUT /cache/17", {"row": 17})
        for sequence, at in ((2, 0), (1, 100)):
            story.plays(sequence, at, 40)
        story.hits((3, 5), (4, 15))
        assert story.told() == []


ONE, TWO, THREE, FOUR = (f"5f0c8f3e-5b1e-4c59-9f6e-0a1b2c3d4e{number}f" for number in range(4))


class TestValuesMadeAfresh:
    """An order with an id of the app's own, told to two services."""

    def story(self) -> Story:
        story = Story()
        story.asked(0, 40, "POST /orders", {"sku": "ink"}, 201, answer={"id": ONE})
        story.called(2, 5, "POST /rows", {"order": ONE}, 201)
        story.called(12, 5, "POST /events", {"event": TWO, "of": {"order": ONE}}, 201)
        story.replayed()
        return story

    def lives(self, story: Story, *calls: dict[str, str]) -> Story:
        """The run has these values in place of the recorded ones, call by call."""
        recorded = {"body/order": ONE, "body/event": TWO, "body/of/order": ONE}
        story.answers = [
            one.model_copy(update={"tier": "normalized", "normalized": tuple(
                LeafDifference(where=where, recorded=recorded[where], live=live) for where, live in values.items())})
            for one, values in zip(story.answers, calls, strict=True)
        ]  # fmt: skip
        return story

    def test_another_value_is_as_good_where_it_is_one(self) -> None:
        story = self.lives(self.story(), {"body/order": THREE}, {"body/event": FOUR, "body/of/order": THREE})
        assert story.told() == []

    def test_two_values_where_there_was_one(self) -> None:
        story = self.lives(self.story(), {"body/order": THREE}, {"body/event": TWO, "body/of/order": FOUR})
        (finding,) = story.findings()
        assert story.told() == ["error POST /orders: changed POST /events 1/1"]
        assert finding.message == (
            "POST /orders: POST pay:80/events is called with another value: body/of/order was the same as body/order"
            f" of POST pay:80/rows, is {FOUR} and not {THREE}"
        )
        assert (finding.expected, finding.actual) == ({"body/of/order": THREE}, {"body/of/order": FOUR})
        assert story.outcomes() == {1: Outcome.DIFFERENT}

    def test_one_value_where_there_were_two(self) -> None:
        story = self.lives(self.story(), {"body/order": THREE}, {"body/event": THREE, "body/of/order": THREE})
        assert story.told() == ["error POST /orders: changed POST /events 1/1"]
        assert "body/of/order was another than body/event, both are" in story.findings()[0].message

    @pytest.mark.parametrize(("answered", "told"), [
        (THREE, []), (FOUR, ["error POST /orders: changed POST /rows 1/1"]),
    ])  # fmt: skip
    def test_the_answer_says_what_was_written(self, answered: str, told: list[str]) -> None:
        story = self.lives(self.story(), {"body/order": THREE}, {"body/event": TWO, "body/of/order": THREE})
        story.answered(1, {"id": answered})
        assert story.told() == told

    def test_another_round_of_the_same_calls_has_values_of_its_own(self) -> None:
        story = self.story()
        story.hits((2, 20), (3, 25))
        story = self.lives(story, {"body/order": THREE}, {"body/of/order": THREE}, {"body/order": FOUR},
                           {"body/of/order": FOUR})  # fmt: skip
        assert all("changed" not in line for line in story.told())
