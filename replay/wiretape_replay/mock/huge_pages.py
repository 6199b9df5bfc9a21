"""What a large snapshot takes of memory is put on huge pages, so that the processor finds it with fewer steps.

Requests that come in any order touch memory all over: on pages of 4 KiB each is a miss of the TLB. Linux has huge pages
only for those who ask (`/sys/kernel/mm/transparent_hugepage/enabled` is `madvise` in most distributions).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

LARGE = 128 << 20
"""Resident bytes from which on it is worth its time, which is about a second for a gigabyte."""
HUGE = 2 << 20
"""Bytes of a huge page; where they are larger (some ARM kernels) the kernel rounds by itself or refuses."""
# linux/mman.h. MADV_COLLAPSE (since Linux 6.1) does at once what MADV_HUGEPAGE leaves to a daemon.
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25


def use_huge_pages() -> int:
    """Have this process's data on huge pages; for how many bytes the system agreed: 0 for little data.

    Takes a while, without the interpreter's lock: call it in a thread.
    """
    if sys.platform != "linux":
        return 0
    with suppress(OSError, AttributeError):
        if _resident() >= LARGE:
            madvise = ctypes.CDLL(None).madvise
            madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
            spans = list(data_spans(Path("/proc/self/maps").read_text(encoding="ascii", errors="replace")))
            return sum(length for start, length in spans if _taken(madvise, start, length))
    return 0


def data_spans(maps: str) -> Iterator[tuple[int, int]]:
    """Begin and length of heap and anonymous writable memory in whole huge pages, from proc_pid_maps(5). Pure."""
    for line in maps.splitlines():
        span, may, _, _, _, *name = line.split(maxsplit=5)
        if may.startswith("rw-p") and (not name or name == ["[heap]"]):
            begin, end = (int(one, 16) for one in span.split("-"))
            start, length = -(-begin // HUGE) * HUGE, end // HUGE * HUGE
            if length > start:
                yield start, length - start


def _taken(madvise: Callable[[int, int, int], int], start: int, length: int) -> bool:
    """Ask for a span; what was unmapped meanwhile the kernel refuses."""
    wanted = madvise(start, length, _MADV_HUGEPAGE) == 0
    madvise(start, length, _MADV_COLLAPSE)
    return wanted


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
