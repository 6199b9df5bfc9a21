"""A project and a home of its own for each test, and the command line in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from install_place import Place

from wiretape_server.cli.main import run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Place:
    """An empty project and an empty home; `wiretape` is on PATH, no agent is."""
    project, home, programs = (tmp_path / name for name in ("project", "home", "programs"))
    for folder in (project, home, programs):
        folder.mkdir()
    script = programs / "wiretape"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(words)
        return (code, *capfd.readouterr())

    return Place(project, home, call)
