"""What the wheel holds, and that users' own `server.py`, `capture.py` and `replay.py` never get in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def test_lock_file_names_no_index_but_the_default() -> None:
    sources = {line.strip() for line in (ROOT / "uv.lock").read_text().splitlines() if "registry = " in line}
    assert len(sources) == 1
    assert "file://" not in sources.pop()


def test_wiretape_starts_beside_modules_named_like_our_wings(tmp_path: Path) -> None:
    for name in ("server", "capture", "replay"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user\\'s own module was imported')\n")
    ran = subprocess.run(
        [BIN / "wiretape", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("wiretape ")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return next(out.glob("*.whl"))


def test_wheel_holds_the_three_packages_and_their_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name and ".data/" not in name}
    assert tops == {"wiretape_capture", "wiretape_replay", "wiretape_server"}
    for wanted in (
        "wiretape_capture/py.typed",
        "wiretape_capture/launch/node_hook.cjs",
        "wiretape_capture/launch/python_hook/sitecustomize.py",
    ):
        assert wanted in names
    assert any(name.endswith("share/wiretape/examples/shop/shop.py") for name in names)
