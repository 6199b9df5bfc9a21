"""What a SQL statement is: its template with every constant taken out, and those constants in order. Pure.

Two statements are the same when their templates are: comments, white space and the case of what stands outside of
quotes do not count. A constant and a parameter `$n` are both `?`, so that a driver that writes values into the text and
one that binds them ask the same. PostgreSQL's lexical rules (chapter "Lexical Structure") hold: nested comments, `E''`,
`U&''`, dollar quotes, `::`, and the JSON operators with a question mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 1 << 20
"""Characters of a statement that are taken apart; a longer one is its own template."""

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
_BEFORE_SIGN = frozenset({
    "select", "where", "and", "or", "not", "in", "values", "limit", "offset", "set", "then", "else", "when", "between",
    "like", "returning", "by", "on", "case", "default", "using", "return", "distinct", "all", "any", "having",
})  # fmt: skip
"""Words after which a sign belongs to the number."""
_NULL_STAYS = frozenset({"is", "not", "nulls"})
_WRITES = frozenset({"insert", "update", "delete", "merge", "copy", "create", "alter", "drop", "truncate", "call", "do",
                     "grant", "revoke", "refresh", "comment", "import", "notify", "reindex", "vacuum", "analyze",
                     "cluster", "security", "reassign", "lock"})  # fmt: skip
_SESSION = frozenset({"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "set", "reset",
                      "discard", "deallocate", "listen", "unlisten", "close", "checkpoint", "load"})  # fmt: skip

_OF_CURSOR = re.compile(r"\s*(?:declare|fetch|move|close)\b", re.IGNORECASE)

type Constant = str | int | None
"""A constant in the text, the number of a parameter, or NULL."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a statement."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with one statement, or with several of them."""

    command: str
    """Its first word in upper case: `SELECT`, `INSERT`; `WITH` gives that of its main part."""
    template: str
    constants: tuple[Constant, ...]
    tables: tuple[str, ...]
    """Tables that it names, without a schema; for a write the one that it writes to comes first."""
    several: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes data, as far as its text tells: a function that does is not seen."""
        return self.command.lower() in _WRITES or self.several

    @property
    def session(self) -> bool:
        """Whether it concerns the connection and not the data: transactions, settings, cursors that end."""
        return self.command.lower() in _SESSION and not self.several


def tokens(sql: str) -> Iterator[Token]:
    """The pieces of a text; comments and white space come as `space`."""
    at = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        assert found is not None  # `other` takes any character
        kind, end = found.lastgroup or "other", found.end()
        if kind == "comment":
            end, kind = _after_comment(sql, at), "space"
        elif kind == "dollar":
            close = sql.find(found[0], end)
            end = len(sql) if close < 0 else close + len(found[0])
        yield Token(kind, sql[at:end])
        at = end


def _after_comment(sql: str, at: int) -> int:
    """Where a comment ends; comments nest."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", sql[at:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return at + mark.end()
    return len(sql)


@lru_cache(maxsize=4096)
def statement_of(sql: str) -> Statement:
    """A text taken apart."""
    if len(sql) > LONGEST:
        command = sql.lstrip()[:20].partition(" ")[0].upper()
        return Statement(command, sql, (), ())
    pieces = _merged([each for each in tokens(sql) if each.kind != "space"])
    while pieces and pieces[-1].text == ";":
        pieces.pop()
    words, constants = _taken_out(pieces)
    several = any(each.text == ";" for each in pieces)
    command = _command(pieces)
    return Statement(command, _spaced(words), tuple(constants), tuple(_tables(pieces, command)), several)


def statements_in(sql: str) -> list[str]:
    """The statements of a text one by one, without what separates them."""
    parts: list[list[str]] = [[]]
    for each in tokens(sql):
        if each.text == ";":
            parts.append([])
        else:
            parts[-1].append(each.text)
    texts = ("".join(part).strip() for part in parts)
    return [text for text in texts if any(each.kind != "space" for each in tokens(text))]


def cursor_of(sql: str) -> str:
    """The cursor that DECLARE, FETCH, MOVE or CLOSE names; empty for any other statement."""
    if not _OF_CURSOR.match(sql):
        return ""
    names = [_word(each).strip('"') for each in tokens(sql) if each.kind in ("word", "quoted")]
    if names[0] == "declare":
        return names[1] if len(names) > 1 else ""
    return names[-1] if len(names) > 1 else ""


def _merged(pieces: Sequence[Token]) -> list[Token]:
    """Signs joined to their numbers, so that a written `-5` and a bound one are the same."""
    out: list[Token] = []
    for each in pieces:
        if each.kind == "number" and out and out[-1].kind == "operator" and out[-1].text in ("-", "+"):
            before = out[-2] if len(out) > 1 else Token("mark", "(")
            if before.kind == "operator" or before.text in ("(", ",", "[") or before.text.lower() in _BEFORE_SIGN:
                sign = out.pop().text.replace("+", "")
                out.append(Token("number", sign + each.text))
                continue
        out.append(each)
    return out


def _taken_out(pieces: Sequence[Token]) -> tuple[list[str], list[Constant]]:
    words: list[str] = []
    constants: list[Constant] = []
    before = ""
    for each in pieces:
        word = _word(each)
        constant = _constant(each, word, before)
        if constant is not None:
            constants.append(constant[0])
            word = "?"
        words.append(word)
        before = word
    return words, constants


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


_TIGHT_AFTER = frozenset({"(", "[", ".", "::"})
_TIGHT_BEFORE = frozenset({")", "]", ",", ";", ".", "::", "["})


def _spaced(words: Sequence[str]) -> str:
    """The words as one line, spaced as a person would."""
    line: list[str] = []
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        tight = not at or before in _TIGHT_AFTER or word in _TIGHT_BEFORE or (word == "(" and _calls(before))
        line.append(word if tight else f" {word}")
    return "".join(line)


def _calls(before: str) -> bool:
    return before[:1].isalpha() and before not in ("in", "values", "and", "or", "as", "on", "where", "from", "select")


def _command(pieces: Sequence[Token]) -> str:
    """The first word; after WITH that of the statement which the common tables are for, a write before all."""
    words = [each.text.lower() for each in pieces if each.kind == "word"]
    if not words:
        return "EMPTY" if not pieces else pieces[0].text[:1].upper()
    if words[0] == "with":
        return next((word for word in words if word in ("insert", "update", "delete", "merge")), "select").upper()
    if words[0] == "explain" and "analyze" in words[:3]:
        return next((word for word in words if word in ("insert", "update", "delete", "merge")), "explain").upper()
    return words[0].upper()


_INTRODUCES = {"from", "join", "into", "update", "table", "only", "copy", "truncate", "using"}
_NO_TABLE = frozenset({"select", "set", "lateral", "unnest", "if", "values", "as", "where", "stdin", "stdout", "btree"})


def _tables(pieces: Sequence[Token], command: str) -> Iterator[str]:
    found: dict[str, None] = {}
    written: dict[str, None] = {}
    for at, each in enumerate(pieces):
        word = each.text.lower()
        if each.kind != "word" or word not in _INTRODUCES:
            continue
        name = _name_after(pieces, at + 1)
        if name is not None and name not in _NO_TABLE:
            target = word in ("into", "update", "table", "copy", "truncate") or (
                word == "from" and at and pieces[at - 1].text.lower() == "delete"
            )
            (written if target and command.lower() in _WRITES else found)[name] = None
    yield from written
    yield from (name for name in found if name not in written)


def _name_after(pieces: Sequence[Token], at: int) -> str | None:
    """The last part of a name such as `public.orders`; None for something that is no table, such as a subquery."""
    while at < len(pieces) and pieces[at].text.lower() in ("only", "if", "not", "exists", "table"):
        at += 1
    if at >= len(pieces) or pieces[at].kind not in ("word", "quoted"):
        return None
    while at + 2 < len(pieces) and pieces[at + 1].text == "." and pieces[at + 2].kind in ("word", "quoted"):
        at += 2
    following = pieces[at + 1].text if at + 1 < len(pieces) else ""
    name = _word(pieces[at]).strip('"')
    calls = following == "(" and at >= 1 and pieces[at - 1].text.lower() in ("from", "join")
    return None if calls else name
