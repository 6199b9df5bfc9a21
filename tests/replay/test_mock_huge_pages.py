"""Where a mock with much to answer keeps it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wiretape_replay.mock.huge_pages import LARGE, data_spans

MAPS = """\
55d0c0000000-55d0c0021000 r--p 00000000 fe:01 1234                       /usr/bin/python3.13
55d0c1400000-55d0c1a10000 rw-p 00000000 00:00 0                          [heap]
7f0000001000-7f0000c00000 rw-p 00000000 00:00 0
7f0001000000-7f0001100000 rw-p 00000000 00:00 0
7f0002000000-7f0002400000 rw-s 00000000 00:01 99                         /dev/shm/a b
7f0003000000-7f0003400000 rw-p 00000000 fe:01 77                         /usr/lib/libc.so.6
7f0004000000-7f0004400000 r--p 00000000 00:00 0
7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0                          [stack]
"""
TAKES = """
import sys
from wiretape_replay.mock.huge_pages import use_huge_pages

def huge():
    text = open("/proc/self/smaps_rollup").read()
    return int(text.partition("AnonHugePages:")[2].split()[0]) << 10

kept = [{"number": number} for number in range(int(sys.argv[1]))]
before = huge()
print(use_huge_pages(), huge() - before, sum(each["number"] for each in kept))
"""


def test_spans_are_whole_huge_pages_of_data_and_nothing_else() -> None:
    assert list(data_spans(MAPS)) == [(0x55D0C1400000, 6 << 20), (0x7F0000200000, 10 << 20)]


def takes(count: int) -> tuple[int, int]:
    """What a process with so many objects asked for, and what it got."""
    ran = subprocess.run(
        [sys.executable, "-c", TAKES, str(count)], capture_output=True, text=True, timeout=120, check=True
    )
    asked, got, total = map(int, ran.stdout.split())
    assert total == count * (count - 1) // 2
    return asked, got


def may_be_huge() -> bool:
    """Whether this system gives huge pages to those who ask; containers' kernels may have none."""
    enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return enabled.is_file() and "[never]" not in enabled.read_text()


@pytest.mark.skipif(not may_be_huge(), reason="this system has no transparent huge pages")
def test_much_data_is_put_on_huge_pages() -> None:
    asked, got = takes(1_000_000)
    assert asked > LARGE
    assert got > LARGE // 2


def test_little_data_stays_where_it_is() -> None:
    assert takes(1_000) == (0, 0)
