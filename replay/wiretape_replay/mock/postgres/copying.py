"""A COPY FROM of a mocked Postgres that takes its data. Pure."""

from __future__ import annotations

from typing import Any

from wiretape_capture.protocols.sql import Statement


class Copying:
    """A COPY FROM that takes data."""

    def __init__(self, statement: Statement, document: dict[str, Any], rest: list[str] | None) -> None:
        self.statement = statement
        self.document = document
        self.rest = rest
        self.chunks: list[bytes] = []
        self.size = 0
