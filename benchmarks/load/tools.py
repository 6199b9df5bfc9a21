"""The references: found, or installed where that needs no more than the ordinary clients of Debian and Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

DEBIAN = ("nginx", "wrk", "hey")
LOCUST_HOME = Path.home() / ".cache" / "wiretape-benchmarks" / "locust"
HOW = {
    "nginx": "apt-get install nginx",
    "wrk": "apt-get install wrk",
    "hey": "apt-get install hey",
    "vegeta": "no package of Debian, Python or npm has it: put the program on PATH",
    "locust": f"python -m venv {LOCUST_HOME} && {LOCUST_HOME}/bin/pip install locust",
}
INSTALL_SECONDS = 120


def installed() -> dict[str, str]:
    """Each tool that is there, with its path, after an attempt to install what is not."""
    wanted = [name for name in DEBIAN if not _path(name)]
    if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
        _try("apt-get", "update", "-q")
        for name in wanted:
            _try("apt-get", "install", "-q", "-y", "--no-install-recommends", name)
    if not _path("locust"):
        _try(sys.executable, "-m", "venv", str(LOCUST_HOME))
        _try(str(LOCUST_HOME / "bin" / "pip"), "install", "-q", "locust")
    return {name: path for name in HOW if (path := _path(name))}


def missing(found: dict[str, str]) -> list[str]:
    """What is not there, and how to get it."""
    return [f"{name}: {how}" for name, how in HOW.items() if name not in found]


def _path(name: str) -> str:
    own = LOCUST_HOME / "bin" / "locust"
    if name == "locust" and own.exists():
        return str(own)
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""


def _try(*command: str) -> None:
    try:
        subprocess.run(command, capture_output=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
