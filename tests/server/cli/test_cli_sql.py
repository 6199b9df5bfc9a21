"""What `wiretape sql` tells of a snapshot, of a run, and of two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from golden_kit import FOLDER, Followed, lines

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.tape_writer import TapeWriter

type Run = Callable[..., CompletedProcess[str]]


async def write(folder: Path, name: str, exchanges: list[Exchange]) -> None:
    async with await TapeWriter.create(folder / f"{name}.tape", name=name, created_ns=1) as tape:
        for exchange in exchanges:
            tape.put(exchange)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two recordings of the same program; the second has one statement more and one less."""
    followed = Followed()
    followed.feed(lines(FOLDER / "with_psycopg2.jsonl.gz"))
    first = followed.exchanges()
    folder = tmp_path / ".wiretape" / "snapshots"
    folder.mkdir(parents=True)
    again = [each for each in first if "count(*)" not in each.location]
    twice = next(each for each in first if each.command == "INSERT")
    again.append(twice.model_copy(update={"sequence": 999}))
    asyncio.run(write(folder, "before", first))
    asyncio.run(write(folder, "after", again))
    return tmp_path


def test_statements_are_ranked_with_their_counts(shop: Path, in_process: Run) -> None:
    rows = json.loads(in_process("sql", "before", "--json", "--sort", "count").stdout)
    insert = next(row for row in rows if row["statement"].startswith("insert into p_item(sku, price"))
    assert insert["count"] == 4
    assert insert["times"]["n"] == 4
    assert [row["count"] for row in rows] == sorted((row["count"] for row in rows), reverse=True)
    assert not {"BEGIN", "COMMIT", "ROLLBACK"} & {row["command"] for row in rows}
    failed = [row for row in rows if row["failed"]]
    assert [row["statuses"] for row in failed] == [{"23505": 1}]
    text = in_process("sql", "before").stdout
    assert insert["fingerprint"] in text
    assert shop.exists()


def test_a_baseline_shows_what_changed(shop: Path, in_process: Run) -> None:
    changes = json.loads(in_process("sql", "after", "--baseline", "before", "--json").stdout)
    assert [(each["change"], each["statement"].split("(")[0]) for each in changes] == [
        ("gone", "select count"), ("more", "insert into p_item"),
    ]  # fmt: skip
    told = in_process("sql", "after", "--baseline", "before").stdout
    assert "2 statements not as in before" in told
    assert "4 -> 5" in told
    same = in_process("sql", "before", "--baseline", "before").stdout
    assert same.strip() == "the same statements as in before, as often"
    assert shop.exists()


def test_a_name_that_nothing_has_is_told(shop: Path, in_process: Run) -> None:
    wrong = in_process("sql", "bfore")
    assert wrong.returncode == 2
    assert "'bfore' is neither a snapshot nor a run" in wrong.stderr
    assert shop.exists()


def test_a_path_to_a_tape_is_its_name(shop: Path, in_process: Run) -> None:
    by_name = in_process("sql", "before").stdout
    assert in_process("sql", ".wiretape/snapshots/before.tape").stdout == by_name
    assert in_process("sql", str(shop / ".wiretape" / "snapshots" / "before.tape")).stdout == by_name
    elsewhere = in_process("sql", "other/before.tape")
    assert elsewhere.returncode == 2
    assert "name one without a path; wiretape snapshots lists them" in elsewhere.stderr


@pytest.mark.parametrize("arguments", [("sql", ""), ("sql", "before", "--baseline", "")])
def test_an_empty_name_is_a_usage_error(arguments: tuple[str, ...], shop: Path, in_process: Run) -> None:
    assert shop.exists()
    ran = in_process(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "a snapshot or run without a name; name one" in ran.stderr


def test_exchanges_are_shown_by_the_status_that_their_column_has(shop: Path, in_process: Run) -> None:
    assert shop.exists()
    rows = json.loads(in_process("show", "before", "--status", "23505", "--json").stdout)
    assert [row["status"] for row in rows] == ["23505"]
