"""The summary's rows and its nearest-rank percentiles."""

from __future__ import annotations

import pytest

from wiretape_capture.proxy.spec import CommandStats
from wiretape_capture.proxy.summary import Tally, nearest_rank
from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Request, Response


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([7], 50, 7), ([7], 95, 7), ([1, 2], 50, 1), ([1, 2, 3], 50, 2), ([1, 2], 95, 2), (list(range(1, 101)), 95, 95),
     (list(range(1, 21)), 95, 19), (list(range(1, 22)), 95, 20)],
)  # fmt: skip
def test_nearest_rank(values: list[int], percent: int, expected: int) -> None:
    assert nearest_rank(values, percent) == expected


def exchange(command: str, duration_us: int, status: int | None, direction: Direction = Direction.INBOUND) -> Exchange:
    """An exchange with what the summary reads."""
    return Exchange(
        sequence=0, direction=direction, service="s:1", command=command, location="/", started_ns=1,
        duration_us=duration_us, request=Request(method=command, target="/"),
        response=None if status is None else Response(status=status),
    )  # fmt: skip


def test_what_a_database_refused_is_an_error() -> None:
    tally = Tally()
    for status in (200, 400, 500, None):
        one = exchange("INSERT", 1000, status, Direction.OUTBOUND)
        tally.add(one.model_copy(update={"protocol": Protocol.POSTGRES}))
    (row,) = tally.rows()
    assert (row.count, row.errors) == (4, 3)


def test_one_row_a_command_inbound_first() -> None:
    tally = Tally()
    for one in (exchange("GET", 1000, 200), exchange("POST", 9000, 500), exchange("GET", 3000, None),
                exchange("GET", 2500, 404), exchange("GET", 500, 200, Direction.OUTBOUND)):  # fmt: skip
        tally.add(one)

    def row(direction: str, command: str, count: int, errors: int, p50: float, p95: float) -> CommandStats:
        return CommandStats(direction=direction, service="s:1", command=command, count=count, errors=errors,
                            p50_ms=p50, p95_ms=p95)  # fmt: skip

    assert tally.rows() == (
        row("inbound", "GET", 3, 1, 2.5, 3.0),
        row("inbound", "POST", 1, 1, 9.0, 9.0),
        row("outbound", "GET", 1, 0, 0.5, 0.5),
    )
    assert tally.total == 5
