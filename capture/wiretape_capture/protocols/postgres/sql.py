"""PostgreSQL's SQL (chapter "Lexical Structure"): nested comments, `E''`, `U&''`, dollar quotes, `::`, `$1`, and
the JSON operators with a question mark. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from wiretape_capture.protocols import sql as shared
from wiretape_capture.protocols.sql import Constant, Dialect, Statement, Token

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)
    |(?P<param>\$\d+)
    |(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    |(?P<string>(?:[nNbBxX]|[uU]&)?'(?:[^']|'')*(?:'|\Z))
    |(?P<quoted>(?:[uU]&)?"(?:[^"]|"")*(?:"|\Z))
    |(?P<number>(?:0[xX][0-9A-Fa-f_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.(?!\.)[\d_]*)?(?:[eE][+-]?\d+)?
        |\.\d+(?:[eE][+-]?\d+)?))
    |(?P<word>[A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*)
    |(?P<mark>::|:=|=>|[()\[\],;.:])
    |(?P<operator>(?:-(?!-)|/(?!\*)|[+*<>=~!@\#%^&|`?])+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)|''", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NULL_STAYS = frozenset({"is", "not", "nulls"})
_WRITES = frozenset({"insert", "update", "delete", "merge", "copy", "create", "alter", "drop", "truncate", "call", "do",
                     "grant", "revoke", "refresh", "comment", "import", "notify", "reindex", "vacuum", "analyze",
                     "cluster", "security", "reassign", "lock"})  # fmt: skip
_SESSION = frozenset({"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "set", "reset",
                      "discard", "deallocate", "listen", "unlisten", "close", "checkpoint", "load"})  # fmt: skip
_RELEASES = frozenset({"select pg_advisory_unlock_all()", "select pg_catalog.pg_advisory_unlock_all()"})
_PROBES = re.compile(
    r"show .+|select \?|select (?:pg_catalog\.)?(?:version|current_schema|current_database|pg_backend_pid"
    r"|pg_is_in_recovery)\(\)|select (?:current_schema|current_user|session_user|user)"
)

_OF_CURSOR = re.compile(r"\s*(?:declare|fetch|move|close)\b", re.IGNORECASE)


def tokens(sql: str) -> Iterator[Token]:
    """The pieces of a text; comments and white space come as `space`."""
    return shared.tokens(sql, POSTGRES)


@lru_cache(maxsize=4096)
def statement_of(sql: str) -> Statement:
    """A text taken apart."""
    return shared.taken_apart(sql, POSTGRES)


def statements_in(sql: str) -> list[str]:
    """The statements of a text one by one, without what separates them."""
    return shared.statements_in(sql, POSTGRES)


def _end_of(sql: str, found: re.Match[str]) -> tuple[int, str]:
    kind, end = found.lastgroup or "other", found.end()
    if kind == "comment":
        return _after_comment(sql, found.start()), "space"
    if kind == "dollar":
        close = sql.find(found[0], end)
        end = len(sql) if close < 0 else close + len(found[0])
    return end, kind


def _after_comment(sql: str, at: int) -> int:
    """Where a comment ends; comments nest."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", sql[at:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return at + mark.end()
    return len(sql)


def cursor_of(sql: str) -> str:
    """The cursor that DECLARE, FETCH, MOVE or CLOSE names; empty for any other statement."""
    if not _OF_CURSOR.match(sql):
        return ""
    names = [_word(each).strip('"') for each in tokens(sql) if each.kind in ("word", "quoted")]
    if names[0] == "declare":
        return names[1] if len(names) > 1 else ""
    return names[-1] if len(names) > 1 else ""


def _word(token: Token) -> str:
    if token.kind == "word":
        return token.text.lower()
    if token.kind == "quoted" and re.fullmatch(r'"[a-z_][a-z0-9_]*"', token.text):
        return token.text[1:-1]  # drivers and mappers quote what needs no quotes
    return token.text


def _constant(token: Token, word: str, before: str) -> tuple[Constant] | None:
    """The constant that a piece is, in a tuple; None where it is none."""
    match token.kind:
        case "param":
            return (int(token.text[1:]),)
        case "number":
            return (token.text.replace("_", ""),)
        case "string" | "escaped" | "dollar":
            return (unquoted(token),)
        case "word" if word in ("true", "false"):
            return (word[0],)
        case "word" if word == "null" and before not in _NULL_STAYS:
            return (None,)
    return None


def unquoted(token: Token) -> str:
    """The text that a quoted constant stands for."""
    text = token.text
    if token.kind == "dollar":
        mark = text[: text.index("$", 1) + 1]
        return text[len(mark) :].removesuffix(mark)
    if token.kind == "escaped":
        return _ESCAPE.sub(_escape, text[2:].removesuffix("'"))
    begin = text.index("'")
    return text[:begin].lower().removeprefix("n") + text[begin + 1 :].removesuffix("'").replace("''", "'")


def _escape(found: re.Match[str]) -> str:
    code = found[1]
    if code is None:
        return "'"
    if code[0] in "xuU" and len(code) > 1:
        return chr(min(int(code[1:], 16), 0x10FFFF))
    return chr(int(code, 8)) if code[0] in "01234567" else _ESCAPES.get(code, code)


POSTGRES = Dialect(_TOKEN, _end_of, _word, _constant, _WRITES, _SESSION, _RELEASES, _PROBES)
