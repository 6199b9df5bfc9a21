"""URLs of databases: how they are taken apart, and where they stand in the text of a variable. Pure text.

What is whole is read as clients do (RFC 3986 §3.2, the last `@` ends the login). Inside of a longer text, such as JSON,
a list or `key=value;key=value`, a URL ends at white space, quotes, brackets, commas and semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from wiretape_capture.errors import UsageError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", ""})
_ENDS = r"\s\"'`<>\\{}|^,;()\[\]"
"""What ends a URL inside of a longer text."""
_OF_HOST = r"(?:\w|%[0-9A-Fa-f]{2})"
_ONE_HOST = rf"(?:\[[0-9A-Fa-f:.%]+\]|{_OF_HOST}(?:(?:[.-]|{_OF_HOST})*{_OF_HOST})?)(?::\d+)?"
_AROUND = " \t\r\n\"'"
ENCODE = "in a user or password write @ as %40, : as %3A, / as %2F, ? as %3F and # as %23"


@dataclass(frozen=True)
class Dsn:
    """One server with a login."""

    host: str
    """For a Unix socket its path, or the directory where a Postgres server has it."""
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def is_at(self, host: str, port: int) -> bool:
        """Whether this names the server at an address; all names of this machine are one."""
        return self.port == port and _one_name(self.host) == _one_name(host)


def _one_name(host: str) -> str:
    return "localhost" if host.lower() in _LOOPBACK else host.lower()


@dataclass(frozen=True)
class Named:
    """A server that a variable names."""

    variable: str
    server: Dsn
    url: str = field(default="", repr=False)
    """The URL that does; empty where it is named in another way."""
    within: bool = False
    """Whether the URL is only a part of the variable's text: an example in a sentence, perhaps."""


class Urls:
    """The URLs of one kind of server, by a pattern of their schemes.

    They are matched in the groups `scheme`, `login`, `place`, `path` (with its slash) and `query`. `read` makes the
    server of a match and raises UsageError; `rewritten` makes the URL that names our listener (`host:port`) instead.
    """

    def __init__(self, schemes: str, read: Callable[[re.Match[str]], Dsn],
                 rewritten: Callable[[re.Match[str], Dsn, str], str]) -> None:  # fmt: skip
        self._read = read
        self._rewritten = rewritten
        self._whole = re.compile(
            rf"(?P<scheme>{schemes})://(?:(?P<login>[^/?\s]*)@)?"
            rf"(?P<place>(?:[^/?@\s,;]|,(?![\w+.:-]*//))*)(?P<path>/[^{_ENDS}?]*)?"
            rf"(?:\?(?P<query>(?:[^\s,;]|,(?![\w+.-]*:?//)|;(?![\w.-]+=))*))?"
        )
        self._within = re.compile(
            rf"(?<![\w.-])(?P<scheme>{schemes})://(?:(?P<login>[^{_ENDS}/?]*)@)?"
            rf"(?P<place>{_ONE_HOST}(?:,(?![\w+.:-]*//){_ONE_HOST}(?=[,/?{_ENDS}]|\Z))*|(?=/[^{_ENDS}]|\?))"
            # Not where a login goes on, of a kind that only a whole text can hold.
            rf"(?=[/?#]|[.:!]?(?:[{_ENDS}]|\Z))(?![^\s\"'/?]*@)(?!/[^{_ENDS}?]*@)"
            rf"(?P<path>/(?:[^{_ENDS}?#]*[^{_ENDS}?#.:!])?)?"
            rf"(?:\?(?P<query>(?:[^{_ENDS}#]|,(?![\w+.-]*(?:=|:?//))[^{_ENDS}])*))?"
        )

    def parse(self, text: str) -> Dsn | None:
        """The server that a URL names; None for a text that is no such URL. Raises UsageError for a bad one."""
        match = self._whole.fullmatch(text)
        return None if match is None else self._server(match)

    def _server(self, match: re.Match[str]) -> Dsn:
        if "@" in (match["path"] or "") or re.match(r"[^=&]*@", match["query"] or ""):
            raise UsageError(f"a {match['scheme']} URL has an @ behind its host",
                             f"{ENCODE}; behind the database only @PORT may stand, a number")  # fmt: skip
        return self._read(match)

    def _matches(self, text: str) -> Iterator[re.Match[str]]:
        if "://" not in text:
            return
        whole = self._whole.fullmatch(text)
        yield from [whole] if whole is not None else self._within.finditer(text)

    def _usable(self, text: str) -> Iterator[tuple[re.Match[str], Dsn]]:
        for match in self._matches(text):
            try:
                yield match, self._server(match)
            except UsageError:
                continue  # the app's own business

    def unusable(self, text: str) -> Iterator[UsageError]:
        """Why URLs in a text do not name a server that we could stand for."""
        for match in self._matches(text):
            try:
                self._server(match)
            except UsageError as error:
                yield error

    def named(self, environ: Mapping[str, str]) -> Iterator[Named]:
        """The servers that the URLs in an environment name."""
        for variable, value in environ.items():
            for match, server in self._usable(value):
                yield Named(variable, server, match[0], within=match[0] != value.strip(_AROUND).removeprefix("db+"))

    def pointed(self, text: str, host: str, port: int, local: str) -> str:
        """A text with every URL of the server at `host:port` pointed at `local` (`host:port`)."""
        pieces, at = [], 0
        for match, server in self._usable(text):
            if server.is_at(host, port):
                pieces += [text[at : match.start()], self._rewritten(match, server, local)]
                at = match.end()
        return "".join([*pieces, text[at:]])


def place_of(place: str, options: Mapping[str, str], default: int, scheme: str) -> tuple[str, int]:
    """Host and port of a URL, from the URL itself or its parameters. Raises UsageError."""
    if "," in place:
        raise UsageError(f"a {scheme} URL names several servers", f"name one: {scheme}://HOST:PORT/DATABASE")
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d*))?|([^:]*)(?::(\d*))?", place)
    host = "" if bracketed is None else bracketed[1] or unquote(bracketed[3] or "") or options.get("host", "")
    if bracketed is None or not re.fullmatch(r"/.*|[\w.-]*|[0-9A-Fa-f:]+[0-9A-Fa-f:.]*(?:%\w+)?", host):
        raise UsageError(f"a {scheme} URL names no host and port that can be read",
                         f"write {scheme}://HOST:PORT/DATABASE; {ENCODE}")  # fmt: skip
    digits = bracketed[2] or bracketed[4] or options.get("port", "") or str(default)
    if not digits.isdecimal() or len(digits) > 9 or not 0 < int(digits) < 65536:
        raise UsageError(f"{digits[:20]!r} in a {scheme} URL is not a port", "use a number from 1 to 65535")
    return host or "localhost", int(digits)


def login_of(match: re.Match[str]) -> tuple[str, str]:
    """User and password of a URL."""
    user, _, password = (match["login"] or "").partition(":")
    return unquote(user), unquote(password)


def login_here(match: re.Match[str]) -> str:
    """The login of a URL with its password replaced, and an `@` behind it; empty where there is none."""
    user, colon, _ = (match["login"] or "").partition(":")
    return f"{user}{':wiretape' if colon else ''}@" if match["login"] else ""


def known_login(environ: Mapping[str, str], prefix: str) -> tuple[str, str]:
    """User and password by `PREFIX_USER`, `PREFIX_PASSWORD` and their like."""
    user = next((environ[name] for end in ("USER", "USERNAME") if environ.get(name := f"{prefix}_{end}")), "")
    ends = ("PASSWORD", "PWD", "PASS")
    return user, next((environ[name] for end in ends if environ.get(name := f"{prefix}_{end}")), "")


def _pairs(environ: Mapping[str, str], host: str, port: int) -> Iterator[str]:
    """`DB` for each pair such as DB_HOST and DB_PORT that names the server at `host:port`."""
    for name, value in environ.items():
        prefix = name.removesuffix("_HOST")
        if prefix != name and environ.get(f"{prefix}_PORT") == str(port) and Dsn(value, port).is_at(host, port):
            yield prefix


def logins_by_name(environ: Mapping[str, str], host: str, port: int) -> Iterator[tuple[str, str]]:
    """Users and passwords beside pairs such as DB_HOST and DB_PORT that name the server at `host:port`."""
    for prefix in _pairs(environ, host, port):
        yield known_login(environ, prefix)


def pointed_by_name(environ: Mapping[str, str], host: str, port: int, local: str) -> dict[str, str]:
    """Changes to pairs such as DB_HOST and DB_PORT that name the server at `host:port`."""
    here, _, number = local.rpartition(":")
    changed: dict[str, str] = {}
    for prefix in _pairs(environ, host, port):
        changed |= {f"{prefix}_HOST": here, f"{prefix}_PORT": number}
    return changed
