"""One Postgres database of a snapshot: what its connections are told, and its errors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from wiretape_capture.protocols.postgres.told import DISCONNECT
from wiretape_capture.protocols.postgres.wire import Column
from wiretape_replay.mock.journal import Entry
from wiretape_replay.mock.postgres.recording import DatabaseRecording, Farewell, Fields, Shape, cursor_key, login_of
from wiretape_replay.mock.postgres.shortcut import Room
from wiretape_replay.mock.postgres.transaction import error_of
from wiretape_replay.mock.sql.desk import MISS, Missed, SqlDesk

DEFAULTS = {
    "server_version": "15.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres", "TimeZone": "Etc/UTC", "integer_datetimes": "on", "standard_conforming_strings": "on",
    "is_superuser": "off", "default_transaction_read_only": "off", "in_hot_standby": "off",
}  # fmt: skip
"""What a server says of itself where no connection was recorded."""


class PostgresDesk(SqlDesk[Column]):
    """Answers the statements of one database."""

    recording: DatabaseRecording

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.room = Room()
        self._farewells = {**self.recording.farewells}

    def parameters(self, startup: Mapping[str, str]) -> dict[str, str]:
        """What the server says of itself to this client: as in the recorded connection that is most like it."""
        user, database = login_of(startup)
        known = [each for each in self.recording.logins if each.parameters]
        alike = [each for each in known if (each.user, each.database) == (user, database)] or known
        told = DEFAULTS | (alike[-1].parameters if alike else {})
        return told | {"session_authorization": user, "application_name": startup.get("application_name", "")}

    def refusal(self, startup: Mapping[str, str]) -> Fields | None:
        """The error with which every recorded login of this user to this database was refused."""
        login = login_of(startup)
        logins = [each for each in self.recording.logins if (each.user, each.database) == login]
        return logins[-1].error if logins and all(each.error for each in logins) else None

    def farewell(self, sequence: int) -> Farewell | None:
        """How the connection ends on which an exchange was answered, once."""
        return self._farewells.pop(sequence, None)

    def ended(self, farewell: Farewell, thread: str) -> None:
        """Journal that a connection ended so."""
        self.journal.record(Entry(
            time.time_ns(), self.name, DISCONNECT, DISCONNECT, "simulated", farewell.sequence, farewell.status,
            protocol=self.recording.protocol, thread=thread,
        ))  # fmt: skip

    def cursor(self, declared: str) -> Shape | None:
        """What a cursor gives, by the statement that declared it."""
        known = self.recording.cursors.get(cursor_key(declared))
        return known or self.shape(cursor_key(declared))

    def copy_format(self, template: str) -> tuple[int, ...]:
        """How the data of a recorded COPY FROM is sent; empty for none."""
        return tuple(self.recording.copy_format(template))

    def _told_after(self, sequence: int) -> list[tuple[str, str]]:
        return self.recording.notifications.get(sequence, [])

    def _miss_error(self, missed: Missed) -> Fields:
        more = {"D": missed.detail} if missed.detail else {}
        return error_of(MISS, missed.problem, **more, H=missed.hint)
