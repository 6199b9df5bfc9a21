"""The digest of a project's source changes with the code, and with nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wiretape_server.hook import memory, source


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.db\n")
    (tmp_path / "app.py").write_text("a = 1\n")
    (tmp_path / "gone.py").write_text("b = 1\n")
    (tmp_path / "README.md").write_text("# x\n")
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    return tmp_path


def write(name: str, text: str) -> Callable[[Path], object]:
    def do(root: Path) -> object:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        return (root / name).write_text(text)

    return do


CHANGES: dict[str, tuple[Callable[[Path], object], bool, bool]] = {
    "an edit": (write("app.py", "a = 2\n"), True, True),
    "a new file": (write("new/untracked.py", "c = 1\n"), True, True),
    "noise that was accepted": (write("wiretape-noise.toml", ""), True, True),
    "a deletion": (lambda root: (root / "gone.py").unlink(), True, True),
    "a rename": (lambda root: (root / "gone.py").rename(root / "there.py"), True, True),
    "a link": (lambda root: (root / "link.py").symlink_to("app.py"), True, True),
    "a file that git ignores": (write("shop.db", "x"), False, True),
    "prose": (write("README.md", "# y\n"), False, False),
    "what wiretape writes": (write(".wiretape/runs/x.run", "x"), False, False),
    "what a tool writes": (write(".cursor/mcp.json", "{}"), False, False),
    "another time of change": (lambda root: os.utime(root / "app.py", (1, 1)), False, False),
}
"""Name → change, whether it counts in a repository, and without one."""


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
@pytest.mark.parametrize("name", CHANGES)
def test_what_counts_as_a_change(repository: Path, name: str, git: bool) -> None:
    change, *counts = CHANGES[name]
    if not git:
        shutil.rmtree(repository / ".git")
    before = source.look(repository, {})
    change(repository)
    after = source.look(repository, before.files)

    assert (after.digest != before.digest) == counts[not git]
    assert after.digest == source.look(repository, {}).digest, "what was seen before makes no difference"


def test_what_did_not_change_is_not_read_again(repository: Path) -> None:
    before = source.look(repository, {})
    seen = {name: [known[0], known[1], "remembered"] for name, known in before.files.items()}

    assert {known[2] for known in source.look(repository, seen).files.values()} == {"remembered"}


def test_the_newest_change_is_known(repository: Path) -> None:
    os.utime(repository / "app.py", ns=(5, 9_000_000_000_000_000_000))

    assert source.look(repository, {}).newest_ns == 9_000_000_000_000_000_000


def test_memory_that_is_damaged_or_foreign_is_forgotten(tmp_path: Path) -> None:
    known = memory.Memory(digest="d", verdict="pass", files={"a\udcff": [1, 2, "x"]})
    memory.keep(tmp_path / "jobs", known)
    assert memory.recall(tmp_path / "jobs") == known
    for damage in (b"", b"{", b"[]", b'{"version": 1, "strange": 2}', b'{"version": 99}'):
        (tmp_path / "jobs" / memory.NAME).write_bytes(damage)
        assert memory.recall(tmp_path / "jobs") == memory.Memory()
