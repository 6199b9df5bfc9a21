"""SQL statements, or commands for Redis or MongoDB, of a snapshot or a run, counted by template, and what changed.

A run against a mock has counts only: how long a mock takes says nothing of a database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from wiretape_capture.protocols.mongodb import told as mongodb
from wiretape_capture.protocols.redis.told import NIL, OK
from wiretape_capture.snapshot.exchange import Direction, Protocol
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.match.asked import is_call, parts_of_request
from wiretape_replay.match.database import fingerprint
from wiretape_replay.match.statements import NO_STATEMENTS
from wiretape_replay.run_file import RunReader
from wiretape_replay.traffic.times import times_of
from wiretape_replay.traffic.view import Times

type Key = tuple[str, str]
"""Service and template."""
type Kind = Literal["sql", "redis", "mongodb"]
type Change = Literal["new", "gone", "more", "fewer", "slower", "faster"]

FINE = frozenset({"00000", OK, NIL, mongodb.OK, mongodb.UNACKNOWLEDGED})
"""How a statement, or a command for Redis or MongoDB, ends that did not fail."""
SLOWER = 1.5
"""Times the baseline's median from which on a statement is told as slower; below the inverse it is faster."""
NOTICEABLE_MS = 1.0
"""Difference of medians below which neither is told."""
ENOUGH = 5
"""Executions on both sides without which times are not compared."""


class _Value(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class StatementRow(_Value):
    """One statement, whatever its values."""

    fingerprint: str
    """Of the template: the same in every recording."""
    service: str
    command: str
    statement: str
    """The template: every constant and parameter is `?`."""
    count: int
    failed: int
    """Executions that ended in an error; in a run those that the mock could not answer."""
    statuses: dict[str, int]
    """By SQLSTATE, of Redis by `OK` or the first word of an error, of MongoDB by `ok` or an error's name; `none` where
    no answer came."""
    total_ms: float | None = None
    """All executions together; None for a run."""
    times: Times | None = None
    example: int = 0
    """A sequence number of the snapshot; 0: none."""


class StatementDrift(_Value):
    """One statement that is not as it was."""

    change: Change
    fingerprint: str
    service: str
    statement: str
    was: StatementRow | None = None
    now: StatementRow | None = None


class _Tally:
    def __init__(self) -> None:
        self.commands: dict[Key, str] = {}
        self.statuses: dict[Key, Counter[str]] = {}
        self.durations: dict[Key, list[int]] = {}
        self.examples: dict[Key, int] = {}
        self.failed: Counter[Key] = Counter()

    def add(self, key: Key, command: str, status: str, failed: bool, example: int, micros: int | None = None) -> None:
        self.commands.setdefault(key, command)
        self.statuses.setdefault(key, Counter())[status or "none"] += 1
        self.examples[key] = self.examples.get(key) or example
        self.failed[key] += failed
        if micros is not None:
            self.durations.setdefault(key, []).append(micros)

    def rows(self) -> list[StatementRow]:
        found = [self._row(key) for key in self.commands]
        return sorted(found, key=lambda row: (-(row.total_ms or 0), -row.count, row.service, row.statement))

    def _row(self, key: Key) -> StatementRow:
        durations, statuses = self.durations.get(key, []), self.statuses[key]
        return StatementRow(
            fingerprint=fingerprint(key[1]), service=key[0], command=self.commands[key], statement=key[1],
            count=statuses.total(), failed=self.failed[key], statuses=dict(statuses.most_common()),
            total_ms=round(sum(durations) / 1000, 2) if durations else None, times=times_of(durations),
            example=self.examples[key],
        )  # fmt: skip


def _is_of(kind: Kind, protocol: Protocol) -> bool:
    return protocol in NO_STATEMENTS if kind == "sql" else protocol == kind


async def statements_of_snapshot(tape: Path, kind: Kind = "sql") -> list[StatementRow]:
    """Every statement of a snapshot, or every command for Redis or MongoDB; those that took longest in all first."""
    tally = _Tally()
    async with await TapeReader.open(tape) as reader:
        async for one in reader.stream(Query(direction=Direction.OUTBOUND), max_body=1 << 20):
            if _is_of(kind, one.protocol) and is_call(one):
                template = parts_of_request(one.service, one.request).path
                failed = one.response is None or one.response.status >= 400
                tally.add((one.service, template), one.command, one.status, failed, one.sequence, one.duration_us)
    return tally.rows()


async def statements_of_run(run: Path, kind: Kind = "sql") -> list[StatementRow]:
    """Every statement, or command, that the app ran against the mock of a run, the most frequent first."""
    tally = _Tally()
    async with await RunReader.open(run) as reader:
        for one in await reader.journal():
            if _is_of(kind, one.protocol) and one.tier != "simulated":
                failed = one.tier == "miss" or one.status not in FINE
                tally.add((one.service, one.location), one.command, one.status, failed, one.sequence or 0)
    return tally.rows()


def drift(was: Iterable[StatementRow], now: Iterable[StatementRow]) -> list[StatementDrift]:
    """What changed: statements that are new or gone, then other numbers of executions, then other times."""
    before, after = _by_key(was), _by_key(now)
    found = [_change(before.get(key), after.get(key)) for key in dict.fromkeys((*after, *before))]
    order = ("new", "gone", "more", "fewer", "slower", "faster")
    return sorted((each for each in found if each is not None), key=lambda each: order.index(each.change))


def _by_key(rows: Iterable[StatementRow]) -> Mapping[Key, StatementRow]:
    return {(row.service, row.statement): row for row in rows}


def _change(was: StatementRow | None, now: StatementRow | None) -> StatementDrift | None:
    row = now or was
    assert row is not None
    change = _kind(was, now)
    if change is None:
        return None
    return StatementDrift(change=change, fingerprint=row.fingerprint, service=row.service, statement=row.statement,
                          was=was, now=now)  # fmt: skip


def _kind(was: StatementRow | None, now: StatementRow | None) -> Change | None:
    if was is None or now is None:
        return "new" if was is None else "gone"
    if was.count != now.count:
        return "more" if now.count > was.count else "fewer"
    before, after = was.times, now.times
    if (
        before is None
        or after is None
        or min(before.n, after.n) < ENOUGH
        or abs(after.p50 - before.p50) < NOTICEABLE_MS
    ):
        return None
    if after.p50 > SLOWER * before.p50:
        return "slower"
    return "faster" if before.p50 > SLOWER * after.p50 else None
