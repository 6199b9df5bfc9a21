"""What a SQL statement is: its template with every constant taken out, and those constants in order. Pure.

Two statements are the same when their templates are: comments, white space and the case of what stands outside of
quotes do not count. A constant and a parameter are both `?`, so that a driver that writes values into the text and one
that binds them ask the same. What a piece of text is says the `Dialect`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

LONGEST = 1 << 20
"""Characters of a statement that are taken apart; a longer one is its own template."""

_BEFORE_SIGN = frozenset({
    "select", "where", "and", "or", "not", "in", "values", "limit", "offset", "set", "then", "else", "when", "between",
    "like", "returning", "by", "on", "case", "default", "using", "return", "distinct", "all", "any", "having",
})  # fmt: skip
"""Words after which a sign belongs to the number."""

NEXT = 0
"""Stands for the number of a parameter that has none in the text."""

type Constant = str | int | None
"""A constant in the text, the number of a parameter, or NULL."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a statement."""

    kind: str
    text: str


type ConstantOf = Callable[[Token, str, str], tuple[Constant] | None]
"""From a piece, its word and the word before it: the constant that it is, in a tuple; None where it is none."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The lexical rules of one kind of server."""

    pattern: re.Pattern[str]
    """Matches any piece, and names its kind by its group. Known here are `space`, `number`, `word`, `quoted` (a name),
    `mark`, `operator` and `param`."""
    end_of: Callable[[str, re.Match[str]], tuple[int, str]]
    """Where a piece ends and of which kind it is, for what no regular expression finds."""
    word_of: Callable[[Token], str]
    """A piece as a template has it."""
    constant_of: ConstantOf
    writes: frozenset[str]
    """First words of statements that change data."""
    session: frozenset[str]
    """First words of statements that concern the connection and not the data: transactions, settings, cursors."""
    releases: frozenset[str]
    """Templates of queries that only let go of what their connection holds."""
    probes: re.Pattern[str]
    """Matches the template of a query that asks for nothing but the server or the connection."""


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
    writes: bool = False
    """Whether it changes data, as far as its text tells: a function that does is not seen. Several statements count
    as a write, but for those of the connection, which may have probes beside them."""
    session: bool = False
    """Whether it concerns the connection and not the data; of several, whether each does."""


def tokens(sql: str, dialect: Dialect) -> Iterator[Token]:
    """The pieces of a text; comments and white space come as `space`."""
    at = 0
    while at < len(sql):
        found = dialect.pattern.match(sql, at)
        assert found is not None  # a dialect's last group takes any character
        end, kind = dialect.end_of(sql, found)
        yield Token(kind, sql[at:end])
        at = end


def taken_apart(sql: str, dialect: Dialect) -> Statement:
    """A text taken apart."""
    if len(sql) > LONGEST:
        command = sql.lstrip()[:20].partition(" ")[0].upper()
        return _statement(dialect, command, sql, (), ())
    pieces = _merged([each for each in tokens(sql, dialect) if each.kind != "space"])
    while pieces and pieces[-1].text == ";":
        pieces.pop()
    words, constants = _taken_out(pieces, dialect)
    command, template = _command(pieces), _spaced(words)
    tables = tuple(_tables(pieces, command, dialect))
    if not any(each.text == ";" for each in pieces):
        return _statement(dialect, command, template, tuple(constants), tables)
    parts = list(_parts(pieces, dialect))
    session = [word in dialect.session or part in dialect.releases for word, part in parts]
    probes = (dialect.probes.fullmatch(part) is not None for _, part in parts)
    idle = any(session) and all(one or other for one, other in zip(session, probes, strict=True))
    return Statement(command, template, tuple(constants), tables, several=True, writes=not idle, session=all(session))


def _statement(dialect: Dialect, command: str, template: str, constants: tuple[Constant, ...],
               tables: tuple[str, ...]) -> Statement:  # fmt: skip
    word = command.lower()
    return Statement(command, template, constants, tables, writes=word in dialect.writes,
                     session=word in dialect.session)  # fmt: skip


def _parts(pieces: Sequence[Token], dialect: Dialect) -> Iterator[tuple[str, str]]:
    """First word and template of each of several statements."""
    for between, some in groupby(pieces, key=lambda each: each.text == ";"):
        if not between:
            part = list(some)
            yield _command(part).lower(), _spaced(_taken_out(part, dialect)[0])


def statements_in(sql: str, dialect: Dialect) -> list[str]:
    """The statements of a text one by one, without what separates them."""
    parts: list[list[str]] = [[]]
    for each in tokens(sql, dialect):
        if each.text == ";":
            parts.append([])
        else:
            parts[-1].append(each.text)
    texts = ("".join(part).strip() for part in parts)
    return [text for text in texts if any(each.kind != "space" for each in tokens(text, dialect))]


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


def _taken_out(pieces: Sequence[Token], dialect: Dialect) -> tuple[list[str], list[Constant]]:
    words: list[str] = []
    constants: list[Constant] = []
    before, asked = "", 0
    for each in pieces:
        word = dialect.word_of(each)
        constant = dialect.constant_of(each, word, before)
        if constant is not None:
            if constant[0] == NEXT and each.kind == "param":
                asked += 1
                constant = (asked,)
            constants.append(constant[0])
            word = "?"
        words.append(word)
        before = word
    return words, constants


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


def _tables(pieces: Sequence[Token], command: str, dialect: Dialect) -> Iterator[str]:
    found: dict[str, None] = {}
    written: dict[str, None] = {}
    for at, each in enumerate(pieces):
        word = each.text.lower()
        if each.kind != "word" or word not in _INTRODUCES:
            continue
        name = _name_after(pieces, at + 1, dialect)
        if name is not None and name not in _NO_TABLE:
            target = word in ("into", "update", "table", "copy", "truncate") or (
                word == "from" and at and pieces[at - 1].text.lower() == "delete"
            )
            (written if target and command.lower() in dialect.writes else found)[name] = None
    yield from written
    yield from (name for name in found if name not in written)


def _name_after(pieces: Sequence[Token], at: int, dialect: Dialect) -> str | None:
    """The last part of a name such as `public.orders`; None for something that is no table, such as a subquery."""
    while at < len(pieces) and pieces[at].text.lower() in ("only", "if", "not", "exists", "table"):
        at += 1
    if at >= len(pieces) or pieces[at].kind not in ("word", "quoted"):
        return None
    while at + 2 < len(pieces) and pieces[at + 1].text == "." and pieces[at + 2].kind in ("word", "quoted"):
        at += 2
    following = pieces[at + 1].text if at + 1 < len(pieces) else ""
    name = dialect.word_of(pieces[at]).strip('"`')
    calls = following == "(" and at >= 1 and pieces[at - 1].text.lower() in ("from", "join")
    return None if calls else name
