"""What ends an app's whole process group when this process dies, even by SIGKILL.

PR_SET_PDEATHSIG reaches the app itself only; `npm start` and its kind have children. So a shell outside the group
holds the read end of a pipe whose write end only this process has: end of file means that we are gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import Self

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# A released leash reads a line and leaves; a torn one reads end of file.
_WATCH = 'read -r released && exit; kill -TERM -"$1"; sleep 2; kill -KILL -"$1"'


def die_with_parent() -> None:
    """Runs in the app's process between fork and exec, so it only calls what was loaded before."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Leash:
    """Holds one process group; tearing it ends the group."""

    def __init__(self, watcher: subprocess.Popen[bytes]) -> None:
        self._watcher = watcher

    @classmethod
    def tie(cls, group: int) -> Self:
        """Start watching over `group`."""
        return cls(subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "leash", str(group)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, cwd="/", env={"PATH": os.defpath},
        ))  # fmt: skip

    def release(self) -> None:
        """Stop watching: the group has ended, and its number may come to mean another one."""
        self._watcher.communicate(b"released\n")
