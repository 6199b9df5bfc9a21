"""Reads a snapshot's inbound exchanges into a script."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wiretape_capture.snapshot.exchange import Direction
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.scripts.script import Script, script_of

BODY_LIMIT = 1 << 20
"""Bytes of a request's body above which it is left out: a script holds every body as text."""


async def read_script(tape: Path, routes: Iterable[str] = (), *, follow: bool = True) -> Script:
    """The script of a tape. Raises WiretapeError for a tape that cannot be read."""
    async with await TapeReader.open(tape) as reader:
        inbound = await reader.exchanges(Query(direction=Direction.INBOUND), max_body=BODY_LIMIT)
    return script_of(tape.stem, inbound, routes, follow=follow)
