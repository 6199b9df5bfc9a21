"""A body that arrives in pieces: hashed as it comes, in memory while small, in an unnamed file beside the tape above.

Bound: `IN_MEMORY` bytes for each open sink; the file is gone when the sink or the process is.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO, cast

from wiretape_capture.snapshot.exchange import Body

IN_MEMORY = 256 * 1024


class BodySink:
    """Write pieces, then close it for the `Body` to put into the exchange."""

    def __init__(self, folder: Path, store: Callable[[str, BodySink], Awaitable[None]],
                 note: Callable[[str], None]) -> None:  # fmt: skip
        # Beside the tape and not in /tmp, which may be memory.
        self.spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=str(folder)))  # noqa: SIM115 - closed by close() or discard()
        self.size = 0
        self._hash = hashlib.sha256()
        self._store = store
        self._note = note
        self._broken = False

    def write(self, data: bytes) -> None:
        """Take the next piece. A full disk does not raise: the body ends there, is marked incomplete and noted."""
        if self._broken:
            return
        try:
            self.spool.write(data)
        except OSError as error:
            self._broken = True
            self._note(f"bodies cut because they could not be spooled: {error.strerror}")
            self.spool.truncate(self.size)
            return
        self._hash.update(data)
        self.size += len(data)

    async def close(self, *, complete: bool = True) -> Body:
        """Store what was written and name it; `complete` is False when the peer went away before the end."""
        sha256 = self._hash.hexdigest()
        try:
            self.spool.seek(0)
            await self._store(sha256, self)
        finally:
            self.spool.close()
        data = None if self.size else b""
        return Body(size=self.size, sha256=sha256, data=data, complete=complete and not self._broken)

    def discard(self) -> None:
        """Forget what was written; nothing reaches the tape."""
        self.spool.close()
