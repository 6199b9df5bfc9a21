"""`wiretape demo`, as a user runs it: the story told, the three regressions found, and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from workbench import BIN


def test_demo_finds_the_three_planted_regressions_and_nothing_else(tmp_path: Path) -> None:
    words: list[str | Path] = [BIN / "wiretape", "demo", "--keep", str(tmp_path / "demo"), "--json"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
    assert ran.returncode == 0, ran.stderr
    story = json.loads(ran.stdout)
    assert story["unchanged"]["verdict"]["verdict"] == "pass"
    assert story["unchanged"]["verdict"]["findings"] == []
    assert story["unchanged"]["mock"]["miss"] == 0
    assert story["edited"]["verdict"]["verdict"] == "fail"
    found = {(f["route"], f["kind"], f["pointer"]) for f in story["edited"]["verdict"]["findings"]}
    expected = set()
    for route in ("GET /cart", "POST /cart/items"):
        expected |= {(route, "removed", "/total"), (route, "added", "/amount")}
    expected |= {
        ("GET /products", "type", "/products/*/price"),
        ("GET /products", "removed", "/products/*"),
        ("GET /products/lamp", "type", "/price"),
    }
    assert found == expected
