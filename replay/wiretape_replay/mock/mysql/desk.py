"""One MySQL database of a snapshot: how its connections are greeted, and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wiretape_capture.protocols.mysql import login
from wiretape_capture.protocols.mysql.login import Greeting
from wiretape_capture.protocols.mysql.packets import Column
from wiretape_capture.protocols.mysql.wire import UNREADABLE, Capability, Extended, Status
from wiretape_replay.mock.mysql.recording import MysqlRecording
from wiretape_replay.mock.mysql.transaction import error_of
from wiretape_replay.mock.sql.desk import MISS, Missed, SqlDesk
from wiretape_replay.mock.sql.recording import Error

UNKNOWN_ERROR = 1105
"""ER_UNKNOWN_ERROR, of a statement that no recording answers."""
VERSION = "8.0.40-wiretape"
"""Of a server of which no connection was recorded."""
CAPABILITIES = (
    Capability.MYSQL | Capability.FOUND_ROWS | Capability.CONNECT_WITH_DB | Capability.LOCAL_FILES
    | Capability.PROTOCOL_41 | Capability.TRANSACTIONS | Capability.SECURE_CONNECTION | Capability.MULTI_STATEMENTS
    | Capability.MULTI_RESULTS | Capability.PS_MULTI_RESULTS | Capability.PLUGIN_AUTH | Capability.CONNECT_ATTRS
    | Capability.LENENC_AUTH | Capability.DEPRECATE_EOF | 1 << 2 | 1 << 8 | 1 << 10 | 1 << 14
)  # fmt: skip
"""What such a server can do."""
PLUGINS = frozenset({login.NATIVE, login.CACHING_SHA2})


class MysqlDesk(SqlDesk[Column]):
    """Answers the statements of one database."""

    recording: MysqlRecording

    def greeting(self, connection: int, scramble: bytes) -> Greeting:
        """What a client is told first: as in the last recorded connection."""
        server: Mapping[str, Any] = next((each.server for each in reversed(self.recording.logins) if each.server), {})
        capabilities = int(server.get("capabilities", CAPABILITIES)) & ~UNREADABLE | Capability.SSL
        plugin = str(server.get("plugin", login.CACHING_SHA2))
        return Greeting(
            str(server.get("version", VERSION)), connection, scramble, capabilities,
            int(server.get("charset", login.CHARSET)) & 0xFF, Status.AUTOCOMMIT,
            plugin if plugin in PLUGINS else login.NATIVE, int(server.get("extended", 0)) & Extended.KNOWN,
        )  # fmt: skip

    def refusal(self, user: str, database: str) -> Error | None:
        """The error with which every recorded login of this user to this database was refused."""
        logins = [each for each in self.recording.logins if (each.user, each.database) == (user, database)]
        return logins[-1].error if logins and all(each.error for each in logins) else None

    def _miss_error(self, missed: Missed) -> Error:
        message = "; ".join(each.rstrip(".") for each in (missed.problem, missed.detail, missed.hint) if each)
        return error_of(UNKNOWN_ERROR, "HY000", f"{MISS} {message}")
