"""What changed about the judge, told by meaning: evals, noise, settings, recordings, selection."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wiretape_replay.verdict.basis import Basis, BasisChange, Effect, Kind, Lock, NoiseEntry, Recording
from wiretape_replay.verdict.basis_changes import (
    changes_since_lock,
    changes_since_run,
    eval_changes,
    noise_changes,
    setting_changes,
)
from wiretape_replay.verdict.evals import OPERATORS, parse

TAPE = Recording(name="shop", sha256="a" * 64, inbound=5, outbound=2, routes={"GET /orders/{id}": 3, "POST /orders": 2})
EVALS = ("requests.failed > 0", "latency.p95[GET /orders/{id}] > 50")
BASIS = Basis(recording=TAPE, evals=EVALS, replayed=5)
LOCK = Lock(evals=EVALS, snapshot=(TAPE,))


def entry(name: str, *, by: str = "", reason: str = "", sha256: str = "0", kind: str = "value") -> NoiseEntry:
    return NoiseEntry(id=name, route="GET /orders/{id}", pointer="/total", kind=kind, by=by, reason=reason,
                      sha256=sha256, date="2026-11-28" if by else "")  # fmt: skip


def one(changes: Iterable[BasisChange]) -> BasisChange:
    (change,) = changes
    return change


def test_nothing_changed_says_nothing() -> None:
    assert changes_since_lock(LOCK, BASIS) == ()
    assert changes_since_run(BASIS, BASIS) == ()


@pytest.mark.parametrize(
    ("before", "now", "effect", "said"),
    [
        ("latency.p95 > 50", "latency.p95 > 500", Effect.LOOSER,
         "eval latency.p95 > 50 is looser now: latency.p95 > 500"),
        ("latency.p95 > 500", "latency.p95 > 50", Effect.STRICTER,
         "eval latency.p95 > 500 is stricter now: latency.p95 > 50"),
        ("latency.p95 >= 50", "latency.p95 > 50", Effect.LOOSER,
         "eval latency.p95 >= 50 is looser now: latency.p95 > 50"),
        ("requests.match-pct < 99", "requests.match-pct < 90", Effect.LOOSER,
         "eval requests.match-pct < 99 is looser now: requests.match-pct < 90"),
        ("requests.match-pct < 99", "requests.match-pct <= 99", Effect.STRICTER,
         "eval requests.match-pct < 99 is stricter now: requests.match-pct <= 99"),
        ("requests.match-pct < 99.999", "requests.match-pct < 99.998", Effect.LOOSER,
         "eval requests.match-pct < 99.999 is looser now: requests.match-pct < 99.998"),
        ("latency.p95 > baseline * 1.1", "latency.p95 > baseline * 2", Effect.LOOSER,
         "eval latency.p95 > baseline * 1.1 is looser now: latency.p95 > baseline * 2"),
    ],
)  # fmt: skip
def test_a_bound_that_moved_is_looser_or_stricter(before: str, now: str, effect: Effect, said: str) -> None:
    change = one(eval_changes([before], [now]))
    assert (change.kind, change.effect, change.message) == (Kind.EVAL, effect, said)


@pytest.mark.parametrize(
    "now",
    ["latency.p95[GET /orders/{id}] > 50", "latency.p99 > 50", "latency.p95 < 50", "latency.p95 > baseline * 1.1",
     "latency.p95 == 50"],
)  # fmt: skip
def test_an_eval_of_something_else_does_not_replace_one(now: str) -> None:
    removed, added = eval_changes(["latency.p95 > 50"], [now])
    assert (removed.effect, removed.message) == (Effect.LOOSER, "eval latency.p95 > 50 was removed")
    assert (added.effect, added.message) == (Effect.STRICTER, f"eval {parse(now).precise} was added")


def test_a_looser_eval_beside_the_old_one_changes_nothing() -> None:
    assert list(eval_changes(["latency.p95 > 50"], ["latency.p95 > 500", "latency.p95 > 50"])) == []


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from(["<", "<=", ">", ">="]), st.integers(-3, 3),
    st.integers(-3, 3), st.integers(-4, 4),
)  # fmt: skip
def test_what_is_called_stricter_fails_wherever_the_old_eval_did(
    old_sign: str, new_sign: str, old: int, new: int, observed: int
) -> None:
    changes = list(eval_changes([f"findings.total {old_sign} {old}"], [f"findings.total {new_sign} {new}"]))
    if not any(change.effect is not Effect.STRICTER for change in changes):
        failed = OPERATORS[old_sign](observed, old)
        assert not failed or OPERATORS[new_sign](observed, new)


def test_noise_tells_who_and_why() -> None:
    change = one(noise_changes((), (entry("N-1", by="kim", reason="sorted by load"),)))
    assert change.effect is Effect.LOOSER
    assert change.message == (
        "noise rule N-1 was added: GET /orders/{id} /total (value), accepted by kim on 2026-11-28, "
        'because "sorted by load"'
    )
    declared = one(noise_changes((), (entry("N-2", kind="declared"),)))
    assert declared.message == "noise rule N-2 was added: GET /orders/{id} /total, declared, no reason given"


def test_noise_that_was_altered_counts_and_noise_taken_back_is_stricter() -> None:
    altered, gone = noise_changes((entry("N-1"), entry("N-2")), (entry("N-1", sha256="1"),))
    assert (altered.subject, altered.effect) == ("N-1", Effect.OTHER)
    assert (gone.subject, gone.effect) == ("N-2", Effect.STRICTER)


def test_settings_are_told_with_both_values_but_never_a_variable() -> None:
    before = {"mock.allow": ["a.test"], "replay.timeout": 5.0, "app.env": {"TOKEN": "sha256:1", "MODE": "sha256:2"}}
    now = {"mock.allow": ["a.test", "b.test"], "replay.warmup": 3, "app.env": {"TOKEN": "sha256:9", "X": "sha256:3"}}
    assert [change.message for change in setting_changes(before, now)] == [  # type: ignore[arg-type]
        "app.env.MODE is no longer set",
        "app.env.TOKEN has another value",
        "app.env.X is set now",
        'mock.allow was ["a.test"], now it is ["a.test", "b.test"]',
        "replay.timeout was 5.0, now it has its default",
        "replay.warmup is 3 now, before it had its default",
    ]


def test_how_a_load_is_sent_counts_where_times_are_judged_and_against_a_lock() -> None:
    sent = {"load.scale": 5.0, "load.duration": "5s", "load.arrivals": "closed 4", "load.compare": "bytes"}
    untimed = Basis(recording=TAPE, evals=("requests.failed > 0",), replayed=5, load=True)
    now = untimed.model_copy(update={"settings": sent})
    assert one(changes_since_run(untimed, now)).subject == "load.compare"
    timed = BASIS.model_copy(update={"load": True})
    assert len(changes_since_run(timed, timed.model_copy(update={"settings": sent}))) == len(sent)
    lock = Lock(evals=untimed.evals, snapshot=(TAPE,))
    assert [change.subject for change in changes_since_lock(lock, now)] == sorted(sent)


def test_locking_is_no_change_and_unlocking_counts() -> None:
    assert list(setting_changes({}, {"replay.locked": True})) == []
    assert one(setting_changes({"replay.locked": True}, {})).effect is Effect.OTHER


def test_another_recording_tells_what_it_lost() -> None:
    fewer = TAPE.model_copy(update={"sha256": "b" * 64, "inbound": 2, "routes": {"GET /orders/{id}": 2}})
    change = one(changes_since_lock(LOCK, BASIS.model_copy(update={"recording": fewer, "replayed": 2})))
    assert (change.kind, change.effect) == (Kind.RECORDING, Effect.LOOSER)
    assert change.message == (
        "snapshot shop is another recording: aaaaaaaaaaaa, now bbbbbbbbbbbb; 5 to 2 inbound exchanges; "
        "routes gone: POST /orders; fewer exchanges of GET /orders/{id} (3 to 2)"
    )


def test_a_snapshot_that_was_never_locked_counts() -> None:
    other = TAPE.model_copy(update={"name": "tonight"})
    change = one(changes_since_lock(LOCK, BASIS.model_copy(update={"recording": other})))
    assert change.message == (
        "snapshot tonight (aaaaaaaaaaaa, 5 inbound exchanges) was not judged by before; known: shop"
    )


def test_a_narrowed_run_counts_unless_the_lock_has_it_so() -> None:
    narrow = BASIS.model_copy(update={"narrowed": True, "replayed": 1, "settings": {"replay.only": ["3"]}})
    change = one(changes_since_run(narrow, narrow))
    assert change.message == 'only 1 of 5 inbound exchanges were replayed (replay.only ["3"])'
    locked = LOCK.model_copy(update={"settings": {"replay.only": ["3"]}})
    assert changes_since_lock(locked, narrow) == ()
    assert changes_since_lock(locked, BASIS) == (), "replaying all again is no loss"


def test_another_file_and_a_baseline_that_is_not_unchanged_count() -> None:
    before = BASIS.model_copy(update={"files": {"replay.openapi": "a" * 64}})
    now = BASIS.model_copy(update={"files": {"replay.openapi": "b" * 64}, "baseline": "4f2a9c1-dirty",
                                   "settings": {"replay.baseline_cwd": "../main"}})  # fmt: skip
    kinds = [change.kind for change in changes_since_run(before, now)]
    assert kinds == [Kind.CONFIG, Kind.FILE, Kind.BASELINE]


def test_a_lock_that_nobody_reviewed_counts() -> None:
    assert one(changes_since_lock(LOCK, BASIS, "wiretape.lock is not committed")).kind is Kind.LOCK
