"""Settings and isolation levels that an app does not ask for any more: told once each, and only where none is left."""

from __future__ import annotations

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Request
from wiretape_replay.engine.ends import settings_gone
from wiretape_replay.mock.spec import MockAnswer

SERIALIZABLE = "begin isolation level serializable"
TIMEOUT = "set local lock_timeout = ?"


def ran(sequence: int, text: str, status: str = "00000") -> Exchange:
    return Exchange(
        sequence=sequence, direction=Direction.OUTBOUND, protocol=Protocol.POSTGRES, service="db", status=status,
        command=text.split()[0].upper(), location=text, started_ns=sequence, duration_us=1,
        request=Request(method="", target=text, version="postgres", body=body_of(b'{"sql":"%b"}' % text.encode())),
    )  # fmt: skip


def answered(text: str) -> MockAnswer:
    return MockAnswer(at_ns=1, service="db", protocol=Protocol.POSTGRES, command=text.split()[0].upper(),
                      location=text, tier="simulated")  # fmt: skip


def test_what_is_not_set_any_more_is_told() -> None:
    tape = [ran(1, "begin"), ran(2, TIMEOUT), ran(3, SERIALIZABLE), ran(4, TIMEOUT), ran(5, "commit")]
    assert settings_gone(tape, map(answered, (TIMEOUT, SERIALIZABLE))) == []
    assert settings_gone(tape, [answered(SERIALIZABLE)]) == [
        "set local lock_timeout = ? of db was recorded twice and is not run any more; what it did is not judged"
    ]
    assert settings_gone(tape, [answered(TIMEOUT)]) == [
        f"{SERIALIZABLE} of db was recorded once and is not run any more; what it did is not judged"
    ]


def test_what_failed_when_it_was_recorded_is_not_missed() -> None:
    assert settings_gone([ran(1, TIMEOUT, "42704")], []) == []
