"""The settings of one connection as the server keeps them: SET LOCAL until the transaction ends, SET for good where it
is committed, each undone by going back to a savepoint before it. Pure.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from wiretape_capture.protocols.postgres.sql import unquoted
from wiretape_capture.protocols.sql import Token

type Values = dict[str, str]
"""What SET changed, by the setting's name in lower case."""
type Reports = tuple[tuple[str, str | None], ...]
"""Settings that changed and are told to the client. None: it is what it was at the login."""

REPORTED = {each.lower(): each for each in (
    "application_name", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings",
    "search_path", "default_transaction_read_only", "session_authorization",
)}  # fmt: skip
"""Settings whose change the server reports (GUC_REPORT), by their name in lower case."""
AUTHORIZATION = "session_authorization"
"""No RESET ALL changes it."""


@dataclass(slots=True)
class Settings:
    """What a connection has set."""

    now: Values = field(default_factory=dict)
    """What is in force."""
    _kept: Values = field(default_factory=dict)
    """What will be in force once the transaction is committed."""
    _marks: list[tuple[Values, Values]] = field(default_factory=list)
    """Both as they were at the begin of the transaction, then at each savepoint."""

    def set(self, name: str, value: str, *, local: bool) -> Reports:
        """SET and SET LOCAL."""
        self.now[name] = value
        if not local:
            self._kept[name] = value
        return ((REPORTED[name], as_reported(name, value)),) if name in REPORTED else ()

    def reset(self, names: Set[str], *, local: bool = False) -> Reports:
        """Give settings the values of the login; those that were set and are told to the client."""
        gone = [name for name in sorted(names) if self.now.pop(name, None) is not None]
        for name in names if not local else ():
            self._kept.pop(name, None)
        return tuple((REPORTED[name], None) for name in gone if name in REPORTED)

    def begin(self) -> None:
        """A transaction or a savepoint begins."""
        self._marks.append((dict(self.now), dict(self._kept)))

    def release(self, depth: int) -> None:
        """Forget savepoints but so many."""
        del self._marks[depth + 1 :]

    def back_to(self, depth: int) -> Reports:
        """Go back to a savepoint, the first of which is 0, and keep it."""
        self.release(depth + 1)
        return self.fail()

    def fail(self) -> Reports:
        """The transaction has failed: what was set since the last savepoint is undone at once."""
        now, kept = self._marks[-1]
        return self._become(now, dict(kept))

    def end(self, *, committed: bool) -> Reports:
        """The transaction is over."""
        if not self._marks:
            return ()
        kept = self._kept if committed else self._marks[0][1]
        self._marks.clear()
        return self._become(kept, kept)

    def _become(self, now: Values, kept: Values) -> Reports:
        before, self.now, self._kept = self.now, dict(now), kept
        changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        return tuple((REPORTED[name], as_reported(name, now[name]) if name in now else None)
                     for name in changed if name in REPORTED)  # fmt: skip


def setting_of(words: list[Token], texts: list[str]) -> tuple[str, str | None]:
    """Name and value of SET or RESET, None for the value of the login; no name for those that are no settings, such as
    SET TRANSACTION."""
    words = [each for each in words if each.text != ";"]
    if len(texts) < 2 or texts[1] in ("transaction", "characteristics", "role", "all"):
        return "", ""
    last = words[-1].text.lower()
    if last == "default" or (last == "local" and texts[1] == "time"):
        return _named(words[:-1], texts[1])[0], None
    return _named(words, texts[1])


def _named(words: list[Token], first: str) -> tuple[str, str]:
    known = {"time": "timezone", "names": "client_encoding", "authorization": AUTHORIZATION}.get(first)
    if known is not None:
        return known, _value(words[-1:])
    at = next((at for at, each in enumerate(words) if each.text.lower() in ("=", "to")), len(words))
    name = "".join(each.text for each in words[1:at] if each.text.lower() not in ("session", "local"))
    return name.lower().strip('"'), _value(words[at + 1 :])


def _value(words: list[Token]) -> str:
    return "".join(", " if each.text == "," else _bare(each) for each in words if each.text != ";")


def _bare(token: Token) -> str:
    return unquoted(token) if token.kind in ("string", "escaped") else token.text.strip('"')


def as_reported(name: str, value: str) -> str:
    """A value as the server tells it."""
    if name == "client_encoding":
        return {"UTF-8": "UTF8", "UNICODE": "UTF8"}.get(value.upper(), value.upper())
    if name == "datestyle" and "," not in value:
        return f"{value.upper() if value.lower() == 'iso' else value}, MDY"
    return value
