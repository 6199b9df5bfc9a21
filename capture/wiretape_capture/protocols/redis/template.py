"""A command without its values: what stays the same however often the app runs it. Pure.

`SET user:17 … EX 60` is `SET user:{n} ? EX ?`. Of keys only what tells one from the next is taken out, of everything
else all but the words that the command itself has. Values that follow each other are one `?`: their number does not
count.
"""

from __future__ import annotations

import re
from functools import lru_cache

from wiretape_capture.protocols.redis.commands import SCRIPTED, Arguments, Meaning, meaning_of, word

SHOWN = 200
"""Characters of a key that are looked at."""
KEYS = 4
"""Different shapes of keys that are named."""

_OPTIONS = {
    "SET": (3, "NX XX GET EX PX EXAT PXAT KEEPTTL"),
    "GETEX": (2, "EX PX EXAT PXAT PERSIST"),
    "EXPIRE": (3, "NX XX GT LT"), "PEXPIRE": (3, "NX XX GT LT"), "EXPIREAT": (3, "NX XX GT LT"),
    "PEXPIREAT": (3, "NX XX GT LT"),
    "ZADD": (2, "NX XX GT LT CH INCR"),
    "ZRANGE": (4, "BYSCORE BYLEX REV LIMIT WITHSCORES"), "ZREVRANGE": (4, "WITHSCORES"),
    "ZRANGEBYSCORE": (4, "WITHSCORES LIMIT"), "ZREVRANGEBYSCORE": (4, "WITHSCORES LIMIT"),
    "ZRANGESTORE": (5, "BYSCORE BYLEX REV LIMIT"), "ZRANDMEMBER": (3, "WITHSCORES"), "HRANDFIELD": (3, "WITHVALUES"),
    "ZUNION": (2, "WEIGHTS AGGREGATE SUM MIN MAX WITHSCORES"),
    "ZINTER": (2, "WEIGHTS AGGREGATE SUM MIN MAX WITHSCORES"),
    "ZUNIONSTORE": (3, "WEIGHTS AGGREGATE SUM MIN MAX"), "ZINTERSTORE": (3, "WEIGHTS AGGREGATE SUM MIN MAX"),
    "ZDIFF": (2, "WITHSCORES"), "SINTERCARD": (2, "LIMIT"), "LMPOP": (2, "LEFT RIGHT COUNT"),
    "ZMPOP": (2, "MIN MAX COUNT"), "BLMPOP": (3, "LEFT RIGHT COUNT"), "BZMPOP": (3, "MIN MAX COUNT"),
    "LMOVE": (3, "LEFT RIGHT"), "BLMOVE": (3, "LEFT RIGHT"), "LINSERT": (2, "BEFORE AFTER"),
    "LPOS": (3, "RANK COUNT MAXLEN"),
    "XADD": (2, "NOMKSTREAM MAXLEN MINID LIMIT"), "XTRIM": (2, "MAXLEN MINID LIMIT"),
    "XREAD": (1, "COUNT BLOCK STREAMS"), "XREADGROUP": (1, "GROUP COUNT BLOCK NOACK STREAMS"),
    "XRANGE": (4, "COUNT"), "XREVRANGE": (4, "COUNT"), "XPENDING": (3, "IDLE"),
    "SCAN": (2, "MATCH COUNT TYPE"), "HSCAN": (3, "MATCH COUNT NOVALUES"), "SSCAN": (3, "MATCH COUNT"),
    "ZSCAN": (3, "MATCH COUNT"), "SORT": (2, "BY LIMIT GET ASC DESC ALPHA STORE"),
    "GEOADD": (2, "NX XX CH"), "GEOSEARCH": (2, "FROMMEMBER FROMLONLAT BYRADIUS BYBOX ASC DESC COUNT ANY WITHCOORD "
                                                "WITHDIST WITHHASH"),
    "COPY": (3, "DB REPLACE"), "RESTORE": (4, "REPLACE ABSTTL IDLETIME FREQ"), "BITCOUNT": (4, "BYTE BIT"),
    "BITPOS": (5, "BYTE BIT"), "BITOP": (1, "AND OR XOR NOT"), "BITFIELD": (2, "GET SET INCRBY OVERFLOW WRAP SAT FAIL"),
    "LCS": (3, "LEN IDX MINMATCHLEN WITHMATCHLEN"), "FLUSHALL": (1, "ASYNC SYNC"), "FLUSHDB": (1, "ASYNC SYNC"),
}  # fmt: skip
OPTIONS = {name: (at, frozenset(words.split())) for name, (at, words) in _OPTIONS.items()}
"""By command: from which argument on it may have words of its own, and which."""

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{12,}")
_HEX = re.compile(r"(?<![A-Za-z0-9])(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{6,}(?![A-Za-z0-9])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORDS = re.compile(r"[a-z]+|[A-Z]+[a-z]*|\d+")


def template_of(arguments: Arguments) -> str:
    """The template of a command."""
    meaning = meaning_of(arguments)
    return " ".join((meaning.name if meaning.first not in SCRIPTED else "EVAL", *_rest(meaning, arguments)))


def _rest(meaning: Meaning, arguments: Arguments) -> list[str]:
    from_option, options = OPTIONS.get(meaning.first, (0, frozenset[str]()))
    begin = 2 if " " in meaning.name else 1
    keys = frozenset(meaning.keys)
    named: list[str] = []
    rest: list[str] = []
    if meaning.first in SCRIPTED and len(arguments) > 1:
        rest.append(script_name(arguments))
        begin = 2
    for at in range(begin, len(arguments)):
        raw = arguments[at]
        if at in keys:
            shape = key_shape(raw) if isinstance(raw, bytes) else "{large}"
            if shape not in named and len(named) < KEYS:
                named.append(shape)
                rest.append(shape)
            continue
        said = word(raw) if options and at >= from_option and isinstance(raw, bytes) and len(raw) < 16 else ""
        if said in options:
            rest.append(said)
        elif meaning.first in _CHANNELS and isinstance(raw, bytes) and at == 1:
            rest.append(key_shape(raw))
        elif rest[-1:] != ["?"]:
            rest.append("?")
    return rest


_CHANNELS = frozenset({"PUBLISH", "SPUBLISH"})


def script_name(arguments: Arguments) -> str:
    """The first digits of a script's SHA-1: the same for EVAL and EVALSHA."""
    return script_sha(arguments)[:8]


def script_sha(arguments: Arguments) -> str:
    """The SHA-1 by which a script is known."""
    from hashlib import sha1

    raw = arguments[1]
    if not isinstance(raw, bytes):
        return "?"
    if word(arguments[0]).startswith("EVALSHA"):
        return raw.decode("latin-1").lower()
    return sha1(raw, usedforsecurity=False).hexdigest()


@lru_cache(maxsize=1 << 14)
def key_shape(raw: bytes) -> str:
    """A key without what tells it from others of its kind: numbers, UUIDs, dates, addresses, random tokens."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "{binary}"
    cut = "…" if len(text) > SHOWN else ""
    text = text[:SHOWN].replace(" ", "_").replace("{", "(").replace("}", ")")
    for pattern, name in ((_UUID, "{uuid}"), (_MAIL, "{mail}"), (_TIME, "{time}")):
        text = pattern.sub(name, text)
    text = _TOKEN.sub(_tokened, text)
    text = _HEX.sub("{hex}", text)
    return _NUMBER.sub("{n}", text) + cut


def _tokened(found: re.Match[str]) -> str:
    """A token is random when letters and digits, or cases, change in it more often than in words."""
    text = found[0]
    changes = len(_WORDS.findall(text))
    digits = sum(each.isdigit() for each in text)
    return "{id}" if digits >= 2 and changes >= 5 and digits != len(text) else text
