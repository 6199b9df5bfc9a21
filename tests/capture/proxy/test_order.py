"""Exchanges of several data planes in one order, though some of them are heard of later."""

from __future__ import annotations

from wiretape_capture.proxy.order import Order, Ticket


def test_without_another_process_numbers_are_given_at_once() -> None:
    order = Order()
    assert [order.here(9).number, order.here(5).number] == [1, 2]


def test_what_began_here_waits_for_what_another_process_has_not_told() -> None:
    asked: list[int] = []
    order = Order()
    source = order.source(lambda: asked.append(1))
    here = order.here(20)
    before = source.told(10)
    assert (before.number, here.number) == (1, 0)
    after = source.told(30)
    assert (here.number, after.number) == (2, 3)
    assert len(asked) == 1


def test_what_begins_during_a_catching_up_asks_again() -> None:
    asked: list[int] = []
    order = Order()
    source = order.source(lambda: asked.append(1))
    first, second = order.here(20), order.here(50)
    source.caught_up(40)
    assert (first.number, second.number, len(asked)) == (1, 0, 2)
    source.caught_up(60)
    assert second.number == 2


def test_two_processes_wait_for_each_other() -> None:
    asked: list[str] = []
    order = Order()
    tee, databases = order.source(lambda: asked.append("tee")), order.source(lambda: asked.append("databases"))
    call = tee.told(20)
    assert (call.number, asked) == (0, ["databases"])
    statement = databases.told(10)
    assert (statement.number, call.number) == (1, 0)
    databases.caught_up(25)
    assert call.number == 2


def test_the_end_of_one_process_leaves_the_other_to_be_waited_for() -> None:
    order = Order()
    tee, databases = order.source(lambda: None), order.source(lambda: None)
    call = tee.told(20)
    later = order.here(30)
    databases.end()
    assert (call.number, later.number) == (1, 0)
    tee.end()
    assert later.number == 2


def test_the_end_settles_everything_and_calls_come_once_the_number_is_known() -> None:
    order, called = Order(), list[Ticket]()
    source = order.source(lambda: None)
    ticket = order.here(1)
    ticket.then(lambda: called.append(ticket))
    assert called == []
    source.end()
    assert [each.number for each in called] == [1]
    assert order.here(2).number == 2


def test_what_began_at_one_moment_keeps_the_order_in_which_it_was_told() -> None:
    order = Order()
    order.source(lambda: None)
    source = order.source(lambda: None)
    tickets = [source.told(10) for _ in range(50)]
    order.sources.clear()
    order.settle()
    assert [each.number for each in tickets] == list(range(1, 51))
