"""Puts a benchmark's published table into benchmarks/README.md, between two markers of its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).with_name("README.md")


def publish(page: Path, name: str, lines: Iterable[str]) -> None:
    """Replace what stands between the markers, or add a section at the page's end."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    if begin not in text:
        text += f"\n## {name}\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    body = "\n".join(lines)
    page.write_text(f"{before}{begin}\n{body}\n{end}{after}", encoding="utf-8")
