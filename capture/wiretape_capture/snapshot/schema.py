"""The tape's tables, its version and its mark in the SQLite header; knows nothing of exchanges as models.

Documented in docs/snapshot-format.md, which a test compares with these steps.
"""

from __future__ import annotations

APPLICATION_ID = 0x57544150
"""`WTAP` in the SQLite header's application id (https://www.sqlite.org/fileformat2.html#application_id)."""

M001_FIRST = """
CREATE TABLE snapshot (
    name TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    app_command TEXT NOT NULL,
    closed INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) STRICT;
CREATE TABLE exchange (
    sequence INTEGER PRIMARY KEY,
    direction TEXT NOT NULL,
    protocol TEXT NOT NULL,
    scheme TEXT NOT NULL,
    service TEXT NOT NULL,
    command TEXT NOT NULL,
    location TEXT NOT NULL,
    status TEXT NOT NULL,
    started_ns INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    connection TEXT NOT NULL,
    session TEXT NOT NULL,
    trace TEXT NOT NULL,
    error TEXT NOT NULL,
    request_method TEXT NOT NULL,
    request_target TEXT NOT NULL,
    request_version TEXT NOT NULL,
    request_headers TEXT NOT NULL,
    request_trailers TEXT NOT NULL,
    request_size INTEGER NOT NULL,
    request_sha256 TEXT NOT NULL,
    request_complete INTEGER NOT NULL,
    response_status INTEGER,
    response_reason TEXT,
    response_version TEXT,
    response_headers TEXT,
    response_trailers TEXT,
    response_size INTEGER,
    response_sha256 TEXT,
    response_complete INTEGER,
    stream TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT;
CREATE TABLE body_chunk (
    sha256 TEXT NOT NULL,
    position INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (sha256, position)
) STRICT;
CREATE TABLE note (
    text TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (M001_FIRST,)
"""Append-only: a released step is never edited; the header's user version is how many were applied."""

FORMAT_VERSION = len(MIGRATIONS)


def creation_script() -> str:
    """Everything that turns an empty file into a tape of the current version, as one transaction."""
    mark = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};"
    return f"BEGIN IMMEDIATE; {' '.join(MIGRATIONS)} {mark} COMMIT;"
