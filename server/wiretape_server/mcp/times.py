"""Times as answers show them: UTC to the second, durations in milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(ns: int) -> str:
    """`2026-11-23T17:04:27Z`."""
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> datetime:
    """The time that names of snapshots and runs are made from."""
    return datetime.now().astimezone()
