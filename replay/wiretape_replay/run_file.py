"""The `.run` file: one run with its results, live responses, mock journal and the recorded side of what failed.

Self-contained SQLite, written once and complete or not at all; knows nothing of how a run is made or shown.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiosqlite
from pydantic import Field

from wiretape_capture.errors import SnapshotUnreadable, UsageError, WiretapeError
from wiretape_capture.snapshot.bodies import pack, unpack
from wiretape_capture.snapshot.database import connected, opened
from wiretape_capture.snapshot.exchange import Body, Exchange, Model, Request, Response
from wiretape_capture.snapshot.private import private
from wiretape_replay.mock.spec import MockAnswer
from wiretape_replay.verdict.model import ExchangeResult, Outcome, Run

APPLICATION_ID = 0x57545255
"""`WTRU` in the SQLite header's application id."""

FORMAT_VERSION = 1

BODY_LIMIT = 8 * 1024 * 1024
"""Bodies above this many bytes are kept as size and hash only."""

_SCHEMA = f"""
CREATE TABLE run (json TEXT NOT NULL) STRICT;
CREATE TABLE result (
    sequence INTEGER PRIMARY KEY, route TEXT NOT NULL, session TEXT NOT NULL, outcome TEXT NOT NULL, json TEXT NOT NULL
) STRICT;
CREATE TABLE live (sequence INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE recorded (sequence INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE journal (position INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE body_chunk (
    sha256 TEXT NOT NULL, position INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (sha256, position)
) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
"""


_RESULTS = """
SELECT json FROM result
WHERE sequence > ?1 AND (?2 IS NULL OR route = ?2) AND (?3 IS NULL OR outcome = ?3) ORDER BY sequence
"""


class ResultQuery(Model):
    """Which exchange results a reader wants; all filters must hold."""

    outcome: Outcome | None = None
    failed: bool = False
    """Only what did not come out equal."""
    route: str | None = None
    finding: str | None = None
    after_sequence: int = 0
    limit: int | None = Field(default=None, ge=0)


async def write_run(path: Path, run: Run, results: Iterable[ExchangeResult], live: Mapping[int, Response],
                    journal: Sequence[MockAnswer], recorded: Iterable[Exchange] = ()) -> None:  # fmt: skip
    """Write the file under another name and move it into place, so that a `.run` file is always whole."""
    part = path.with_suffix(".run.part")
    try:
        part.unlink(missing_ok=True)
        os.close(private(str(part), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        async with opened(part) as db:
            await db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; " + _SCHEMA)
            await _fill(db, run, results, live, journal, recorded)
            await db.commit()
        part.replace(path)
    except (sqlite3.OperationalError, OSError) as error:
        part.unlink(missing_ok=True)
        raise WiretapeError(
            f"cannot write the run file {path}: {error}", "make room or choose another folder"
        ) from None


async def _fill(db: aiosqlite.Connection, run: Run, results: Iterable[ExchangeResult], live: Mapping[int, Response],
                journal: Sequence[MockAnswer], recorded: Iterable[Exchange]) -> None:  # fmt: skip
    await db.execute("INSERT INTO run VALUES (?)", (run.model_dump_json(),))
    await db.executemany("INSERT INTO result VALUES (?, ?, ?, ?, ?)", (
        (one.sequence, one.route, one.session, one.outcome, one.model_dump_json()) for one in results
    ))  # fmt: skip
    await db.executemany("INSERT INTO journal VALUES (?, ?)", (
        (position, answer.model_dump_json()) for position, answer in enumerate(journal)
    ))  # fmt: skip
    for sequence, response in live.items():
        await _put_bodies(db, response.body)
        await db.execute("INSERT INTO live VALUES (?, ?)", (sequence, _bare(response).model_dump_json()))
    for exchange in recorded:
        await _put_exchange(db, exchange)


async def _put_exchange(db: aiosqlite.Connection, exchange: Exchange) -> None:
    await _put_bodies(db, exchange.request.body)
    changes: dict[str, Any] = {"request": _bare(exchange.request), "stream": ()}
    if exchange.response is not None:
        await _put_bodies(db, exchange.response.body)
        changes["response"] = _bare(exchange.response)
    bare = exchange.model_copy(update=changes)
    await db.execute("INSERT INTO recorded VALUES (?, ?)", (exchange.sequence, bare.model_dump_json()))


async def _put_bodies(db: aiosqlite.Connection, body: Body) -> None:
    if not body.data or len(body.data) > BODY_LIMIT:
        return
    chunks = ((body.sha256, position, chunk) for position, chunk in enumerate(pack(body.data)))
    await db.executemany("INSERT OR IGNORE INTO body_chunk VALUES (?, ?, ?)", chunks)


def _bare[M: (Request, Response)](message: M) -> M:
    return message.model_copy(update={"body": message.body.model_copy(update={"data": None})})


class RunReader:
    """A `.run` file opened read-only."""

    def __init__(self, db: aiosqlite.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open a run file, or say why it cannot be one."""
        if not await asyncio.to_thread(path.is_file):
            raise UsageError(f"there is no run file {path}", "`wiretape runs` lists the runs of this workspace")
        db = await connected(f"file:{_quoted(path)}?mode=ro", uri=True)
        try:
            await _check(db, path)
        except sqlite3.DatabaseError as error:
            await db.close()
            raise _unreadable(path, error) from None
        except WiretapeError:
            await db.close()
            raise
        return cls(db, path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the file."""
        await self._db.close()

    async def run(self) -> Run:
        """The run with its verdict."""
        text = await self._one("SELECT json FROM run")
        if text is None:
            raise SnapshotUnreadable(f"the run file {self._path} is empty", "run the replay again")
        return Run.model_validate_json(text)

    async def results(self, query: ResultQuery | None = None) -> list[ExchangeResult]:
        """Exchange results by sequence."""
        query = query or ResultQuery()
        rows = await self._all(_RESULTS, query.after_sequence, query.route, query.outcome)
        results = (ExchangeResult.model_validate_json(text) for text in rows)
        return list(islice((result for result in results if _wanted(result, query)), query.limit))

    async def live_response(self, sequence: int) -> Response | None:
        """What the app answered at replay; None where no response came. A body that was not kept has no data."""
        text = await self._one("SELECT json FROM live WHERE sequence = ?", sequence)
        return None if text is None else await self._loaded(Response.model_validate_json(text))

    async def recorded(self, sequence: int) -> Exchange | None:
        """The recorded exchange, kept for every exchange that has a finding or failed."""
        text = await self._one("SELECT json FROM recorded WHERE sequence = ?", sequence)
        if text is None:
            return None
        bare = Exchange.model_validate_json(text)
        response = None if bare.response is None else await self._loaded(bare.response)
        return bare.model_copy(update={"request": await self._loaded(bare.request), "response": response})

    async def journal(self) -> list[MockAnswer]:
        """Every answer of the mock, in order; empty when no mock took part."""
        rows = await self._all("SELECT json FROM journal ORDER BY position")
        return [MockAnswer.model_validate_json(text) for text in rows]

    async def _loaded[M: (Request, Response)](self, message: M) -> M:
        body = message.body
        sql = "SELECT data FROM body_chunk WHERE sha256 = ? ORDER BY position"
        chunks = await self._all(sql, body.sha256)
        try:
            data = b"".join(map(unpack, chunks))
        except ValueError as error:
            raise _unreadable(self._path, error) from None
        known = len(data) == body.size
        return message.model_copy(update={"body": body.model_copy(update={"data": data if known else None})})

    async def _one(self, sql: str, *values: object) -> str | None:
        rows = await self._all(sql, *values)
        return str(rows[0]) if rows else None

    async def _all(self, sql: str, *values: object) -> list[Any]:
        """The first column of every row."""
        try:
            return [row[0] for row in await self._db.execute_fetchall(sql, values)]
        except sqlite3.DatabaseError as error:
            raise _unreadable(self._path, error) from None


def _wanted(result: ExchangeResult, query: ResultQuery) -> bool:
    equal = result.outcome in (Outcome.BYTES_EQUAL, Outcome.SEMANTICALLY_EQUAL)
    return not (query.failed and equal) and (query.finding is None or query.finding in result.findings)


async def _check(db: aiosqlite.Connection, path: Path) -> None:
    async with db.execute("PRAGMA application_id") as cursor:
        mark = await cursor.fetchone()
    async with db.execute("PRAGMA user_version") as cursor:
        version = await cursor.fetchone()
    if mark is None or mark[0] != APPLICATION_ID:
        raise SnapshotUnreadable(f"{path} is a database, but not a run of wiretape", "name a .run file")
    if version is None or version[0] > FORMAT_VERSION:
        raise SnapshotUnreadable(f"{path} was written by a newer wiretape", "upgrade wiretape to read it")


def _quoted(path: Path) -> str:
    return quote(str(path.absolute()))


def _unreadable(path: Path, error: Exception) -> SnapshotUnreadable:
    if "locked" in str(error):
        return SnapshotUnreadable(f"the run file {path} is locked by another process", "try again when it has ended")
    return SnapshotUnreadable(f"the run file {path} is damaged: {error}", "delete it and run the replay again")


async def scan_runs(runs_dir: Path) -> tuple[list[Run], list[str]]:
    """The readable runs of a folder, newest first, and one sentence for each file that cannot be read."""
    runs, broken = [], []
    for path in _run_paths(runs_dir):
        try:
            async with await RunReader.open(path) as reader:
                runs.append(await reader.run())
        except WiretapeError as error:
            broken.append(str(error))
    return sorted(runs, key=lambda run: (run.started_ns, run.id), reverse=True), sorted(broken)


def _run_paths(runs_dir: Path) -> list[Path]:
    return sorted(runs_dir.glob("*.run"))


async def list_runs(runs_dir: Path) -> list[Run]:
    """The readable runs of a folder, newest first."""
    return (await scan_runs(runs_dir))[0]


def find_run(runs_dir: Path, run_id: str | None) -> Path:
    """The file of a run named by its id, by the beginning of its id, or by nothing: then the newest."""
    paths = {path.stem: path for path in _run_paths(runs_dir)}
    if not paths:
        raise UsageError("there are no runs yet", "make one with `wiretape verify` or `wiretape replay`")
    if run_id is None:
        return max(paths.values(), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if run_id in paths:
        return paths[run_id]
    begun = sorted(stem for stem in paths if stem.startswith(run_id)) if run_id else []
    if len(begun) == 1:
        return paths[begun[0]]
    if begun:
        raise UsageError(f"{run_id!r} is the beginning of {len(begun)} runs", f"say which: {', '.join(begun[:5])}")
    nearest = get_close_matches(run_id, paths, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else "`wiretape runs` lists the runs of this workspace"
    raise UsageError(f"there is no run {run_id!r}", hint)
