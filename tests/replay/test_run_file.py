"""The run file keeps a run whole, and says clearly why a file is none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from wiretape_capture.errors import SnapshotUnreadable, UsageError, WiretapeError
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_replay import run_file
from wiretape_replay.mock.spec import MockAnswer, MockTally
from wiretape_replay.run_file import ResultQuery, RunReader, find_run, list_runs, scan_runs, write_run
from wiretape_replay.verdict.changes import changes
from wiretape_replay.verdict.metrics import count_outcomes
from wiretape_replay.verdict.model import (
    ExchangeResult,
    Finding,
    FindingClass,
    Outcome,
    Part,
    RouteSummary,
    Run,
    Severity,
    Verdict,
)


def finding(name: str, route: str = "GET /a") -> Finding:
    return Finding(id=name, kind=FindingClass.VALUE, severity=Severity.ERROR, breaking=True, route=route,
                   part=Part.BODY, pointer="/x", message="x was 1, came 2", sequences=(2,), count=1, of=1)  # fmt: skip


def a_run(name: str = "r1", started_ns: int = 1, *findings: Finding) -> Run:
    return Run(
        id=name, snapshot="shop", snapshot_sha256="0" * 64, target="http://127.0.0.1:1", started_ns=started_ns,
        duration_ms=12.5, verdict=Verdict(verdict="fail", reason="one failed", findings=findings),
        counts=count_outcomes(["bytes-equal", "different"]), mock=MockTally(exact=3),
        routes=(RouteSummary(route="GET /a", requests=2, failed=1),),
    )  # fmt: skip


def exchange(sequence: int, body: bytes) -> Exchange:
    return Exchange(
        sequence=sequence, direction=Direction.INBOUND, service="app:80", command="GET", location="/a", status="200",
        started_ns=1, duration_us=1, request=Request(method="GET", target="/a", body=body_of(b"ask")),
        response=Response(status=200, headers=(("X-Odd", "\xff"),), body=body_of(body)),
    )  # fmt: skip


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


RESULTS = [
    ExchangeResult(sequence=1, route="GET /a", session="s", outcome=Outcome.BYTES_EQUAL, expected_status="200",
                   actual_status="200", latency_ms=1.0),
    ExchangeResult(sequence=2, route="GET /a", session="s", outcome=Outcome.DIFFERENT, expected_status="200",
                   actual_status="200", latency_ms=1.5, findings=("F-1",)),
]  # fmt: skip


async def test_a_run_file_gives_back_everything_that_was_written(tmp_path: Path) -> None:
    live = {1: Response(status=200, body=body_of(b"one")), 2: Response(status=200, body=body_of(b"two" * 200_000))}
    journal = [MockAnswer(at_ns=5, service="pay:443", command="GET", location="/rate", tier="exact", sequence=9)]
    run, recorded = a_run("r1", 1, finding("F-1")), exchange(2, b"was")
    await write_run(tmp_path / "r1.run", run, RESULTS, live, journal, [recorded])
    assert (tmp_path / "r1.run").stat().st_mode & 0o777 == 0o600
    async with await RunReader.open(tmp_path / "r1.run") as reader:
        assert await reader.run() == run
        assert await reader.results() == RESULTS
        assert await reader.results(ResultQuery(failed=True)) == RESULTS[1:]
        assert await reader.results(ResultQuery(finding="F-1", route="GET /a")) == RESULTS[1:]
        assert await reader.results(ResultQuery(limit=1, after_sequence=1)) == RESULTS[1:]
        assert await reader.results(ResultQuery(outcome=Outcome.ERROR)) == []
        assert [await reader.live_response(n) for n in (1, 2, 3)] == [live[1], live[2], None]
        assert await reader.recorded(2) == recorded
        assert await reader.recorded(1) is None
        assert await reader.journal() == journal
    assert names(tmp_path) == ["r1.run"]


async def test_a_body_above_the_limit_is_kept_as_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_file, "BODY_LIMIT", 10)
    large = body_of(b"x" * 11)
    await write_run(tmp_path / "r.run", a_run(), [], {1: Response(status=200, body=large)}, [])
    async with await RunReader.open(tmp_path / "r.run") as reader:
        kept = await reader.live_response(1)
    assert kept is not None
    assert kept.body == large.model_copy(update={"data": None})


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA application_id = {run_file.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 99")
    db.close()


def _text(path: Path) -> None:
    path.write_text("hello, I am no database at all" * 40)


@pytest.mark.parametrize(("spoil", "said"), [
    (_foreign, "not a run of wiretape"), (_newer, "newer wiretape"), (_text, "is damaged"),
])  # fmt: skip
async def test_a_file_that_is_no_run_says_why_and_stays_untouched(tmp_path: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "x.run"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(SnapshotUnreadable, match=said):
        await RunReader.open(path)
    assert path.read_bytes() == before


async def test_a_truncated_run_file_is_named_damaged(tmp_path: Path) -> None:
    path = tmp_path / "r.run"
    await write_run(path, a_run(), RESULTS, {1: Response(status=200, body=body_of(bytes(range(256)) * 999))}, [])
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(SnapshotUnreadable, match="damaged"):
        async with await RunReader.open(path) as reader:
            await reader.live_response(1)


async def test_a_folder_that_cannot_be_written_ends_in_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WiretapeError, match="cannot write the run file"):
        await write_run(tmp_path / "none" / "r.run", a_run(), [], {}, [])


async def test_runs_are_listed_newest_first_and_found_by_the_beginning_of_their_id(tmp_path: Path) -> None:
    for name, started in (("20260101-a", 1), ("20260102-b", 2), ("20260102-c", 3)):
        await write_run(tmp_path / f"{name}.run", a_run(name, started), [], {}, [])
    _text(tmp_path / "bad.run")
    runs, broken = await scan_runs(tmp_path)
    assert [run.id for run in runs] == ["20260102-c", "20260102-b", "20260101-a"]
    assert await list_runs(tmp_path) == runs
    assert len(broken) == 1
    (tmp_path / "bad.run").unlink()
    assert find_run(tmp_path, None).stem == "20260102-c"
    assert find_run(tmp_path, "20260101").stem == "20260101-a"
    assert find_run(tmp_path, "20260102-b").stem == "20260102-b"
    with pytest.raises(UsageError, match="say which: 20260102-b, 20260102-c"):
        find_run(tmp_path, "20260102")
    with pytest.raises(UsageError, match="did you mean 20260101-a"):
        find_run(tmp_path, "2026011-a")


def test_an_empty_folder_has_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no runs yet"):
        find_run(tmp_path / "nothing", None)


def test_two_runs_tell_new_still_fixed_and_what_was_not_replayed() -> None:
    other = RouteSummary(route="GET /b", requests=1, failed=1)
    before = a_run("r1", 1, finding("F-1"), finding("F-2"), finding("F-3", "GET /b"))
    before = before.model_copy(update={"routes": (*before.routes, other)})
    told = changes(before, a_run("r2", 2, finding("F-2"), finding("F-4")))
    assert [[one.id for one in part] for part in (told.new, told.still, told.fixed, told.not_replayed)] == [
        ["F-4"], ["F-2"], ["F-1"], ["F-3"],
    ]  # fmt: skip
