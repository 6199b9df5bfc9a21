"""What the configuration names as unchanged code."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.spec import AppSpec
from wiretape_replay.engine.spec import BaselineSpec
from wiretape_server.workspace.baseline import baseline_spec, commit_of, is_url
from wiretape_server.workspace.workspace import Workspace

APP = AppSpec(command=("python", "app.py"), port=8000, log=Path("app.log"))


def spec(tmp_path: Path, app: AppSpec | None = APP, **keys: Any) -> BaselineSpec | None:
    (tmp_path / "old").mkdir(exist_ok=True)
    settings = {f"replay.{key}": value for key, value in keys.items()}
    return baseline_spec(Workspace(tmp_path).with_settings(settings), app, None)


def test_without_any_key_there_is_none(tmp_path: Path) -> None:
    assert spec(tmp_path) is None
    assert spec(tmp_path, baseline="20261123-120000") is None, "an earlier run is for evals"
    assert (is_url("20261123"), is_url("http://h:1")) == (False, True)


def test_a_url_is_a_running_instance(tmp_path: Path) -> None:
    found = spec(tmp_path, baseline="http://127.0.0.1:9000/", baseline_runs=5)
    assert found == BaselineSpec(target="http://127.0.0.1:9000", runs=5)


def test_a_command_gets_a_port_where_it_asks_for_one(tmp_path: Path) -> None:
    found = spec(tmp_path, baseline_command="python app.py --port={port}")
    assert found is not None
    assert found.app is not None
    assert found.app.command == ("python", "app.py", f"--port={found.app.port}")
    assert found.app.port != APP.port
    assert (found.app.log, found.runs, found.target) == (APP.log, None, None)


@pytest.mark.parametrize(
    ("keys", "port"),
    [
        ({"baseline_command": "python old.py"}, 8000),
        ({"baseline_command": "python old.py", "baseline_port": 9001}, 9001),
        ({"baseline_command": "python old.py {port}", "baseline_port": 9001}, 9001),
        ({"baseline_cwd": "old"}, 8000),
    ],
)
def test_the_app_and_its_baseline_take_turns_on_one_port(tmp_path: Path, keys: dict[str, Any], port: int) -> None:
    found = spec(tmp_path, **keys)
    assert found is not None
    assert found.app is not None
    assert found.app.port == port


def test_another_checkout_runs_the_apps_own_command(tmp_path: Path) -> None:
    found = spec(tmp_path, baseline_cwd="old")
    assert found is not None
    assert found.app is not None
    assert (found.app.command, found.app.cwd) == (APP.command, tmp_path / "old")


@pytest.mark.parametrize(
    ("app", "keys", "problem"),
    [
        (APP, {"baseline": "http://h:1", "baseline_command": "x"}, "two baselines"),
        (None, {"baseline_cwd": "old"}, "no command that starts the baseline"),
        (None, {"baseline_command": "python app.py"}, "the port of the baseline 'python app.py' is not known"),
        (APP, {"baseline_cwd": "nowhere"}, "there is no directory"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, app: AppSpec | None, keys: dict[str, Any],
                                         problem: str) -> None:  # fmt: skip
    with pytest.raises(UsageError, match=problem):
        spec(tmp_path, app, **keys)


def test_the_version_is_what_git_says(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == ""
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    head = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert head.stdout.startswith(commit_of(tmp_path))
    (tmp_path / "file").touch()
    subprocess.run(["git", "-C", str(tmp_path), "add", "file"], check=True)
    assert commit_of(tmp_path).endswith("-dirty")
