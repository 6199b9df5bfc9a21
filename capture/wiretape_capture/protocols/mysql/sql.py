"""The SQL of MySQL and MariaDB ("Language Structure" in their manuals): backticks, backslashes in strings, `#`
comments, `?` for parameters, user variables. Comments that are carried out, `/*! … */`, and optimizer hints stay. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from wiretape_capture.protocols import sql as shared
from wiretape_capture.protocols.mysql.values import spelled
from wiretape_capture.protocols.mysql.wire import decoded, encoded, is_all_text
from wiretape_capture.protocols.sql import NEXT, Constant, Dialect, Statement, Token

_TOKEN = re.compile(
    r"""(?P<space>\s+|--(?=[\s\x00-\x1f]|\Z)[^\n]*|\#[^\n]*|/\*(?![!+M]|M!)(?:.*?\*/|.*\Z)|/\*M(?!!)(?:.*?\*/|.*\Z))
    |(?P<hint>/\*M?!\d*|/\*\+.*?(?:\*/|\Z)|\*/)
    |(?P<hex>[xX]'[0-9A-Fa-f]*'|0x[0-9A-Fa-f]+(?![\w$]))
    |(?P<bits>[bB]'[01]*'|0b[01]+(?![\w$]))
    |(?P<string>(?:[nN]|_[A-Za-z0-9]+\s*)?(?:'(?:[^'\\]|\\.|'')*(?:'|\Z)|"(?:[^"\\]|\\.|"")*(?:"|\Z)))
    |(?P<introduced>_[A-Za-z0-9]+\s*(?:[xX]'[0-9A-Fa-f]*'|0x[0-9A-Fa-f]+))
    |(?P<quoted>`(?:[^`]|``)*(?:`|\Z))
    |(?P<number>(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?![A-Za-z_$\u0080-\uffff]))
    |(?P<param>\?)
    |(?P<word>@{0,2}[A-Za-z0-9_$\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*|@{0,2}`[^`]*`|@'[^']*'|@"[^"]*"|@@?)
    |(?P<mark>:=|[()\[\],;.:{}])
    |(?P<operator>(?:-(?!-[\s\x00-\x1f])|/(?!\*)|\*(?!/)|[+<>=~!%^&|])+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}
_NULL_STAYS = frozenset({"is", "not"})
_WRITES = frozenset({
    "insert", "update", "delete", "replace", "create", "alter", "drop", "truncate", "rename", "call", "do", "load",
    "grant", "revoke", "optimize", "repair", "analyze", "flush", "kill", "install", "uninstall", "import",
})  # fmt: skip
_SESSION = frozenset({
    "begin", "start", "commit", "rollback", "savepoint", "release", "set", "use", "lock", "unlock", "xa", "prepare",
    "deallocate",
})  # fmt: skip
_PROBES = re.compile(
    r"show (?:(?:session |global )?variables.*|warnings)|select \?|select (?:version|database|schema|connection_id"
    r"|user|current_user|session_user)\(\)|select @@[\w.]+(?:, @@[\w.]+)*"
)
_INSERT_ID = re.compile(r"select (last_insert_id\(\)|@@(session\.)?(last_insert_id|identity))( as)?( [\w`]+)?")
_ANSI = re.compile(r"\bsql_mode\b.*\bANSI", re.IGNORECASE | re.DOTALL)
_MODE = re.compile(r"\bsql_mode\b", re.IGNORECASE)


def tokens(sql: str) -> Iterator[Token]:
    """The pieces of a text; comments and white space come as `space`."""
    return shared.tokens(sql, MYSQL)


@lru_cache(maxsize=4096)
def statement_of(sql: str, *, ansi: bool = False) -> Statement:
    """A text taken apart; with `ansi` double quotes are around names (sql_mode ANSI_QUOTES)."""
    return shared.taken_apart(sql, ANSI if ansi else MYSQL)


def statements_in(sql: str) -> list[str]:
    """The statements of a text one by one, without what separates them."""
    return shared.statements_in(sql, MYSQL)


def params_in(statement: Statement) -> int:
    """How many parameters a statement takes."""
    return sum(isinstance(each, int) for each in statement.constants)


def asks_insert_id(statement: Statement) -> bool:
    """Whether a statement only asks for what the connection inserted last."""
    return _INSERT_ID.fullmatch(statement.template) is not None


def quotes_after(sql: str, ansi: bool) -> bool:
    """Whether double quotes are around names after a statement, which may be a SET of sql_mode."""
    if not _MODE.search(sql) or statement_of(sql, ansi=ansi).command != "SET":
        return ansi
    return bool(_ANSI.search(sql))


def _end_of(_sql: str, found: re.Match[str]) -> tuple[int, str]:
    kind = found.lastgroup or "other"
    return found.end(), kind


def _word(token: Token) -> str:
    if token.kind == "quoted":
        name = token.text[1:].removesuffix("`")
        return name.lower() if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else token.text
    if token.kind in ("word", "hint"):
        return " ".join(token.text.lower().split())
    return token.text


def _ansi_word(token: Token) -> str:
    if token.kind == "string" and token.text.startswith('"'):
        return _word(Token("quoted", f"`{token.text[1:].removesuffix('"')}`"))
    return _word(token)


def _constant(token: Token, word: str, before: str) -> tuple[Constant] | None:
    match token.kind:
        case "param":
            return (NEXT,)
        case "number":
            return (_number(token.text),)
        case "string":
            return (unquoted(token),)
        case "hex" | "introduced":
            return (_hex(token.text),)
        case "bits":
            return (str(int(token.text[2:].strip("'") or "0", 2)),)
        case "word" if word in ("true", "false"):
            return ("1" if word == "true" else "0",)
        case "word" if word == "null" and before not in _NULL_STAYS:
            return (None,)
    return None


def _ansi_constant(token: Token, word: str, before: str) -> tuple[Constant] | None:
    if token.kind == "string" and token.text.startswith('"'):
        return None
    return _constant(token, word, before)


def _number(text: str) -> str:
    """A number as it is written; one with an exponent as the server would write it."""
    if "e" not in text.lower():
        return text
    try:
        return spelled(float(text))
    except (ValueError, OverflowError):
        return text


def _hex(text: str) -> str:
    digits = text[text.lower().index("x") + 1 :].strip("'")
    return decoded(bytes.fromhex(digits.rjust(len(digits) + len(digits) % 2, "0")))


def unquoted(token: Token) -> str:
    """The text that a quoted constant stands for."""
    text = token.text
    begin = min(at for at in (text.find("'"), text.find('"')) if at >= 0)
    quote = text[begin]
    inner = text[begin + 1 :].removesuffix(quote)
    if "\\" not in inner and quote * 2 not in inner:
        return _joined(inner)
    other = '""' if quote == "'" else "''"
    return _joined(_ESCAPE.sub(lambda found: _escape(found, other), inner))


def _escape(found: re.Match[str], other: str) -> str:
    if found[1] is None:
        return other if found[0] == other else found[0][0]
    return _ESCAPES.get(found[1], found[1])


def _joined(text: str) -> str:
    """Bytes that an escape tore apart are put together again: `\\0` inside of a binary string."""
    return text if is_all_text(text) else decoded(encoded(text))


MYSQL = Dialect(_TOKEN, _end_of, _word, _constant, _WRITES, _SESSION, frozenset(), _PROBES)
ANSI = Dialect(_TOKEN, _end_of, _ansi_word, _ansi_constant, _WRITES, _SESSION, frozenset(), _PROBES)
