"""Finding, listing, renaming and deleting snapshots, and the filters of `show`."""

from __future__ import annotations

import gzip
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from wiretape_capture.errors import SnapshotUnreadable, UsageError, WiretapeError
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Response, SnapshotInfo
from wiretape_capture.snapshot.listing import (
    delete_snapshot,
    find_snapshot,
    list_snapshots,
    passed_over,
    rename_snapshot,
    tape_path,
)
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import TapeWriter

type WriteTape = Callable[[Path, Iterable[Exchange]], Awaitable[SnapshotInfo]]
type Made = Callable[..., Exchange]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_broken_snapshots_are_listed_and_stop_nothing(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    await tape_of(tmp_path / "good.tape", [plain(1)])
    (tmp_path / "bad.tape").write_bytes(b"nonsense")
    (tmp_path / "notes.txt").write_text("not listed")
    listing = await list_snapshots(tmp_path)
    assert [info.name for info in listing.snapshots] == ["good"]
    assert [(one.name, one.hint) for one in listing.broken] == [("bad", "name a .tape file")]
    assert "is not a snapshot" in listing.broken[0].problem


async def test_a_folder_without_snapshots_lists_none(tmp_path: Path) -> None:
    listing = await list_snapshots(tmp_path / "none")
    assert (listing.snapshots, listing.broken) == ((), ())
    with pytest.raises(UsageError, match="there are no snapshots in"):
        find_snapshot(tmp_path / "none")


async def test_a_snapshot_is_found_by_name_and_the_newest_without_one(tmp_path: Path, tape_of: WriteTape,
                                                                      plain: Made) -> None:  # fmt: skip
    for name in ("checkout", "search"):
        await tape_of(tmp_path / f"{name}.tape", [plain(1)])
    assert find_snapshot(tmp_path).stem == "search"
    assert find_snapshot(tmp_path, "checkout") == find_snapshot(tmp_path, "checkout.tape") == tmp_path / "checkout.tape"
    with pytest.raises(UsageError, match="there is no snapshot 'chekout'; did you mean 'checkout'"):
        find_snapshot(tmp_path, "chekout")
    with pytest.raises(UsageError, match="there is no snapshot 'zzz'; list them with"):
        find_snapshot(tmp_path, "zzz")


async def test_what_is_of_no_use_is_passed_over_and_told(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    for age, (name, exchanges) in enumerate({
        "calls": [plain(1, direction=Direction.OUTBOUND)], "empty": [], "shop": [plain(1)],
    }.items()):  # fmt: skip
        await tape_of(tmp_path / f"{name}.tape", exchanges)
        os.utime(tmp_path / f"{name}.tape", (9 - age, 9 - age))
    shop, calls = (find_snapshot(tmp_path, None, direction) for direction in (Direction.INBOUND, Direction.OUTBOUND))
    assert (shop.stem, calls.stem, find_snapshot(tmp_path).stem) == ("shop", "calls", "calls")
    assert passed_over(tmp_path, calls, Direction.OUTBOUND) == ""
    assert passed_over(tmp_path, shop, Direction.INBOUND) == (
        "snapshot calls and 1 more newer than shop passed over: no inbound exchange there"
    )


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "-flag", "a b", "x" * 101, "a\0", "a.tape", "é"])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a snapshot"):
        tape_path(tmp_path, name)


async def test_renaming_keeps_the_exchanges_and_their_hash(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    before = await tape_of(tmp_path / "a.tape", [plain(1)])
    await tape_of(tmp_path / "taken.tape", [])
    with pytest.raises(UsageError, match="there is a snapshot 'taken' already"):
        await rename_snapshot(tmp_path, "a", "taken")
    with pytest.raises(UsageError, match="cannot name a snapshot"):
        await rename_snapshot(tmp_path, "a", "../b")
    async with await TapeReader.open(await rename_snapshot(tmp_path, "a", "b")) as reader:
        assert await reader.info() == before.model_copy(update={"name": "b"})
    assert names(tmp_path) == ["b.tape", "taken.tape"]


async def test_a_snapshot_being_recorded_is_neither_renamed_nor_deleted(tmp_path: Path, plain: Made) -> None:
    tape = await TapeWriter.create(tmp_path / "a.tape", name="a", created_ns=1)
    tape.put(plain(1))
    await tape.flush()
    for refused in (rename_snapshot(tmp_path, "a", "b"), delete_snapshot(tmp_path, "a")):
        with pytest.raises(WiretapeError, match="snapshot 'a' is being recorded or read; stop that first"):
            await refused
    assert (await tape.close()).exchanges == 1


async def test_deleting_removes_also_what_cannot_be_read(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    await tape_of(tmp_path / "a.tape", [plain(1)])
    for name in ("bad.tape", "bad.tape-wal"):
        (tmp_path / name).write_bytes(b"nonsense")
    await delete_snapshot(tmp_path, "a")
    await delete_snapshot(tmp_path, "bad")
    assert names(tmp_path) == []


async def test_renaming_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.tape").write_bytes(b"nonsense")
    with pytest.raises(SnapshotUnreadable):
        await rename_snapshot(tmp_path, "a", "b")
    assert names(tmp_path) == ["a.tape"]


@pytest.fixture
async def searched(tmp_path: Path, tape_of: WriteTape, plain: Made) -> Path:
    zipped = Response(status=200, headers=(("content-encoding", "gzip"),), body=body_of(gzip.compress(b"Hidden Gem")))
    await tape_of(tmp_path / "a.tape", [
        plain(1, "/orders/1?x=/users"),
        plain(2, "/orders/2", status=404, method="DELETE"),
        plain(3, "/users/[7]", status=503, service="Pay.example:443", direction=Direction.OUTBOUND),
        plain(4, "/users", body="Grüße".encode()).model_copy(update={"error": "cut by PEER"}),
        plain(5, "/zip").model_copy(update={"response": zipped}),
        plain(6, "/lost").model_copy(update={"response": None, "status": ""}),
    ])  # fmt: skip
    return tmp_path / "a.tape"


@pytest.mark.parametrize(("query", "found"), [
    (Query(), [1, 2, 3, 4, 5, 6]),
    (Query(direction=Direction.OUTBOUND), [3]),
    (Query(service="pay"), [3]),
    (Query(service="shop.local:8000"), [1, 2, 4, 5, 6]),
    (Query(service="*.example:443"), [3]),
    (Query(command="delete"), [2]),
    (Query(path="/users"), [3, 4]),
    (Query(path="/orders/*"), [1, 2]),
    (Query(path="[7]"), [3]),
    (Query(path="?"), []),
    (Query(status="404"), [2]),
    (Query(status="5xx"), [3]),
    (Query(status="2XX"), [1, 4, 5]),
    (Query(status="none"), [6]),
    (Query(text="GRÜSSE"), []),
    (Query(text="grüße"), [4]),
    (Query(text="hidden gem"), [5]),
    (Query(text="by peer"), [4]),
    (Query(text="pay.example"), [3]),
    (Query(text='"id"', limit=2), [1, 2]),
    (Query(text="%"), []),
    (Query(since_ns=1_700_000_000_000_000_005), [5, 6]),
    (Query(after_sequence=2, limit=2), [3, 4]),
    (Query(status="2xx", path="/users", direction=Direction.INBOUND), [4]),
])  # fmt: skip
async def test_filters_all_hold(searched: Path, query: Query, found: list[int]) -> None:
    async with await TapeReader.open(searched) as reader:
        assert [exchange.sequence for exchange in await reader.exchanges(query)] == found


async def test_statuses_of_databases_are_found(tmp_path: Path, tape_of: WriteTape, plain: Made) -> None:
    statuses = ("00000", "23505", "57P03", "WRONGTYPE", "DuplicateKey", "ok")
    made = [plain(sequence).model_copy(update={"status": status}) for sequence, status in enumerate(statuses, 1)]
    await tape_of(tmp_path / "db.tape", made)
    async with await TapeReader.open(tmp_path / "db.tape") as reader:
        for sequence, status in enumerate(statuses, 1):
            assert [one.sequence for one in await reader.exchanges(Query(status=status))] == [sequence]
        assert len(await reader.exchanges(Query(status="57p03"))) == 1


@pytest.mark.parametrize("status", ["40", "abc", "5x", "4*"])
def test_an_unknown_status_is_a_usage_error(status: str) -> None:
    with pytest.raises(UsageError, match=r"is not a status; write one like 404"):
        Query(status=status)
