"""Exchanges of two data planes in one order, though one of them is heard of later."""

from __future__ import annotations

from wiretape_capture.proxy.order import Order, Ticket


def test_without_a_tee_numbers_are_given_at_once() -> None:
    order = Order()
    assert [order.here(9).number, order.here(5).number] == [1, 2]


def test_what_began_here_waits_for_what_the_tee_has_not_told() -> None:
    asked: list[int] = []
    order = Order()
    order.ask = lambda: asked.append(1)
    here = order.here(20)
    before, after = order.told(10), order.told(30)
    assert (before.number, here.number, after.number) == (1, 0, 0)
    order.caught_up(40)
    assert (here.number, after.number) == (2, 3)
    assert len(asked) == 1


def test_what_begins_during_a_catching_up_asks_again() -> None:
    asked: list[int] = []
    order = Order()
    order.ask = lambda: asked.append(1)
    first, second = order.here(20), order.here(50)
    order.caught_up(40)
    assert (first.number, second.number, len(asked)) == (1, 0, 2)
    order.caught_up(60)
    assert second.number == 2


def test_the_end_settles_everything_and_calls_come_once_the_number_is_known() -> None:
    order, called = Order(), list[Ticket]()
    order.ask = lambda: None
    ticket = order.here(1)
    ticket.then(lambda: called.append(ticket))
    assert called == []
    order.end()
    assert [each.number for each in called] == [1]
    assert order.here(2).number == 2
