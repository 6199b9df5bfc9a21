"""Where a workspace is found, what it creates, and what its files are called."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wiretape_capture.errors import UsageError
from wiretape_server.workspace.names import name_from, nearest
from wiretape_server.workspace.workspace import JOB_FILES, Workspace

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_nearest_parent_with_a_file_is_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml").write_text('snapshot = "a"\n')
    deep = tmp_path / "src" / "shop"
    deep.mkdir(parents=True)
    found = Workspace.find(deep)
    assert (found.root, found.config.snapshot, found.file) == (tmp_path, "a", tmp_path / "wiretape.toml")


def test_a_data_directory_alone_makes_a_workspace(tmp_path: Path) -> None:
    (tmp_path / ".wiretape").mkdir()
    (tmp_path / "src").mkdir()
    assert Workspace.find(tmp_path / "src").root == tmp_path


def test_without_either_the_start_is_the_workspace_and_nothing_is_written(tmp_path: Path) -> None:
    assert Workspace.find(tmp_path).root == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_data_directories_are_private_and_ignored_by_git(tmp_path: Path) -> None:
    Workspace(tmp_path).create()
    folders = [tmp_path / ".wiretape", *(path for path in (tmp_path / ".wiretape").iterdir() if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert sorted(folder.name for folder in folders) == [".wiretape", "ca", "jobs", "runs", "snapshots"]
    assert "/ca/\n" in (tmp_path / ".wiretape" / ".gitignore").read_text()


def test_a_changed_gitignore_is_kept(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.create()
    (tmp_path / ".wiretape" / ".gitignore").write_text("/ca/\n")
    ws.create()
    assert (tmp_path / ".wiretape" / ".gitignore").read_text() == "/ca/\n"


def test_names_given_by_time_never_collide(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.create()
    ws.snapshot_path("20261123-120000").touch()
    assert [ws.new_run_path(NOON).name for _ in range(2)] == ["20261123-120000.run", "20261123-120000-2.run"]
    assert [ws.new_snapshot_name(NOON) for _ in range(2)] == ["20261123-120000-2", "20261123-120000-3"]
    assert [ws.new_mock_name() for _ in range(2)] == ["mock-1", "mock-2"]


def test_names_are_given_once_however_many_ask(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: ws.new_run_path(NOON), range(24)))
    assert len(set(paths)) == 24


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a b", "x" * 101, "a\n"])
def test_a_name_that_is_no_file_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Workspace(tmp_path).snapshot_path(name)


def test_a_name_is_made_from_any_file_stem() -> None:
    assert [name_from(stem) for stem in ("My Shop (1)", "..", "a.b")] == ["my-shop-1", "imported", "a.b"]


def test_the_nearest_word_is_found() -> None:
    assert nearest("chekout", ["login", "checkout"]) == "checkout"
    assert nearest("zzz", ["login"]) is None


def test_only_the_newest_job_files_are_kept(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.create()
    for number in range(JOB_FILES + 5):
        file = ws.jobs_dir / f"{number}.log"
        file.touch()
        os.utime(file, (number, number))
    ws.create()
    assert {int(file.stem) for file in ws.jobs_dir.iterdir()} == set(range(5, JOB_FILES + 5))
