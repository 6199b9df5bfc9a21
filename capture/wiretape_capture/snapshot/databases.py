"""Which databases a tape knows, by the names that its recording gave them; read before anything else is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from wiretape_capture.snapshot.exchange import Protocol

_DATABASES = tuple(each for each in Protocol if each.is_database)
_QUERY = f"""
    SELECT DISTINCT scheme, service, CASE command WHEN 'CONNECT' THEN location ELSE '' END
    FROM exchange WHERE direction = 'outbound' AND protocol IN ({", ".join("?" * len(_DATABASES))})
    ORDER BY scheme, service
"""


@dataclass(frozen=True)
class RecordedDatabase:
    """One database of a recording. Where its server was is not on the tape, unless it was its name."""

    scheme: str
    name: str
    """The map's, or `host:port`."""
    opened: frozenset[str] = frozenset()
    """What its connections named, such as the database."""


def recorded_databases(tape: Path) -> tuple[RecordedDatabase, ...]:
    """The databases of a tape; none of one that cannot be read, of which whoever opens it says what is wrong."""
    uri = f"file:{quote(str(tape.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute(_QUERY, _DATABASES).fetchall()
    except sqlite3.Error:
        return ()
    opened: dict[tuple[str, str], set[str]] = {}
    for scheme, service, location in rows:
        opened.setdefault((scheme, service), set()).update([location] if location else [])
    return tuple(RecordedDatabase(*key, frozenset(named)) for key, named in opened.items())
