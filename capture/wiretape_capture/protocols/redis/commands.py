"""What Redis's commands mean, as far as wiretape needs it: where their keys are, which change data. Pure.

From the server's own COMMAND and redis.io/docs/latest/commands. A command that is not known, such as one of a module,
is taken as one that writes to its first argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

type Arguments = Sequence[bytes | int]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.upper().split())


CONTAINERS = _words(
    "acl client cluster command config debug function latency memory module object pubsub script slowlog "
    "sentinel xgroup xinfo"
)
"""Commands that are named by their first argument, too."""
CONNECTION = _words(
    "auth hello ping echo quit reset select client asking readonly readwrite monitor multi exec discard "
    "watch unwatch subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe sync psync "
    "replconf script wait waitaof"
)
"""Commands that concern the connection, or say nothing of data."""
PROBES = _words(
    "info command config cluster role time lastsave memory latency slowlog lolwut module acl debug "
    "sentinel function pubsub"
)
"""Commands by which drivers and tools learn about the server."""
BLOCKING = _words("blpop brpop bzpopmin bzpopmax blmove brpoplpush blmpop bzmpop xread xreadgroup")
SUBSCRIBING = _words("subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe")
SCRIPTED = _words("eval evalsha eval_ro evalsha_ro")

_READS_FIRST = _words(
    "bitcount bitfield_ro bitpos dump expiretime geodist geohash geopos georadius_ro georadiusbymember_ro "
    "geosearch get getbit getrange hexists hget hgetall hkeys hlen hmget hrandfield hscan hstrlen hvals "
    "lindex llen lpos lrange pexpiretime pttl scard sismember smembers smismember srandmember sscan "
    "strlen substr ttl type xlen xpending xrange xrevrange zcard zcount zlexcount zmscore zrandmember "
    "zrange zrangebylex zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan "
    "zscore sort_ro httl hpttl hexpiretime hpexpiretime vsim vcard vdim vemb vgetattr vinfo vismember "
    "vlinks vrandmember digest"
)
_READS_ALL = _words("exists mget pfcount sdiff sinter sunion touch")
_READS_NONE = _words("dbsize keys randomkey scan")
_READS_TWO = _words("lcs")
_READS_COUNTED = {"SINTERCARD": 1, "ZDIFF": 1, "ZINTER": 1, "ZINTERCARD": 1, "ZUNION": 1, "EVAL_RO": 2, "EVALSHA_RO": 2,
                  "FCALL_RO": 2}  # fmt: skip
"""Where the number of the keys that follow it stands."""
_WRITES_COUNTED = {"LMPOP": 1, "ZMPOP": 1, "BLMPOP": 2, "BZMPOP": 2, "EVAL": 2, "EVALSHA": 2, "FCALL": 2,
                   "ZDIFFSTORE": 2, "ZINTERSTORE": 2, "ZUNIONSTORE": 2}  # fmt: skip
_WRITES_ALL = _words("del unlink pfmerge sdiffstore sinterstore sunionstore")
_WRITES_PAIRS = _words("mset msetnx")
_WRITES_ALL_BUT_LAST = _words("blpop brpop bzpopmax bzpopmin")
_WRITES_TWO = _words("copy geosearchstore lmove rename renamenx rpoplpush smove zrangestore blmove brpoplpush")
_WRITES_NONE = _words(
    "flushall flushdb swapdb publish spublish save bgsave bgrewriteaof shutdown failover replicaof slaveof function"
)
_CONTAINED_WRITES = _words("xgroup")
_MODULE_READS = ("GET", "MGET", "SEARCH", "INFO", "EXISTS", "RANGE", "REVRANGE", "MRANGE", "TYPE", "LEN", "KEYS",
                 "CARD", "QUERY", "COUNT", "LIST", "AGGREGATE", "SCORE", "EXPLAIN", "PROFILE", "READ")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one command does."""

    name: str
    """In upper case, with the subcommand of a container: `CONFIG GET`."""
    keys: tuple[int, ...]
    """Positions of its keys."""
    writes: bool

    @property
    def first(self) -> str:
        """Its first word."""
        return self.name.partition(" ")[0]

    @property
    def connection(self) -> bool:
        """Whether it concerns the connection alone."""
        return self.first in CONNECTION

    @property
    def probes(self) -> bool:
        """Whether it asks about the server and not about data."""
        return self.first in PROBES and not self.writes


@lru_cache(maxsize=1 << 12)
def word(raw: bytes | int) -> str:
    """A command's word in upper case."""
    return raw.decode("latin-1").upper() if isinstance(raw, bytes) else "?"


def meaning_of(arguments: Arguments) -> Meaning:
    """What a command means, by its arguments from its name on."""
    first = word(arguments[0])
    name = f"{first} {word(arguments[1])}" if first in CONTAINERS and len(arguments) > 1 else first
    if first in ("XREAD", "XREADGROUP"):
        return Meaning(name, _streams(arguments), first == "XREADGROUP")
    if first == "MIGRATE":
        return Meaning(name, _migrated(arguments), writes=True)
    if first in ("SORT", "GEORADIUS", "GEORADIUSBYMEMBER"):
        stored = _stored(arguments)
        return Meaning(name, (1, *stored) if len(arguments) > 1 else (), first != "SORT" or bool(stored))
    return Meaning(name, _keys(first, arguments), _writes(first, name))


def _writes(first: str, name: str) -> bool:
    if first in CONTAINERS:
        return first in _CONTAINED_WRITES or name in _CONFIGURES
    if first in CONNECTION or first in PROBES:
        return False
    reads = first in _READS_FIRST or first in _READS_ALL or first in _READS_NONE or first in _READS_TWO
    if reads or first in _READS_COUNTED:
        return False
    return not ("." in first and first.partition(".")[2].endswith(_MODULE_READS))


_CONFIGURES = frozenset({"CONFIG SET", "CONFIG RESETSTAT", "CONFIG REWRITE", "FUNCTION LOAD", "FUNCTION DELETE",
                         "FUNCTION FLUSH", "FUNCTION RESTORE", "ACL SETUSER", "ACL DELUSER"})  # fmt: skip


def _keys(first: str, arguments: Arguments) -> tuple[int, ...]:
    count = len(arguments)
    if (at := _READS_COUNTED.get(first) or _WRITES_COUNTED.get(first)) is not None:
        stored = (1,) if first.endswith("STORE") else ()
        return (*stored, *range(at + 1, min(at + 1 + _counted(arguments, at), count)))
    if first in _READS_ALL or first in _WRITES_ALL or first == "WATCH":
        return tuple(range(1, count))
    if first in _WRITES_PAIRS:
        return tuple(range(1, count, 2))
    if first in _WRITES_ALL_BUT_LAST:
        return tuple(range(1, count - 1))
    if first in _WRITES_TWO or first in _READS_TWO:
        return tuple(range(1, min(3, count)))
    if first == "BITOP":
        return tuple(range(2, count))
    if first in ("OBJECT", "XGROUP", "XINFO", "MEMORY"):
        return (2,) if count > 2 else ()
    if first in _READS_NONE or first in _WRITES_NONE or first in CONNECTION or first in PROBES or first in CONTAINERS:
        return ()
    return (1,) if count > 1 else ()


def _counted(arguments: Arguments, at: int) -> int:
    raw = arguments[at] if len(arguments) > at else b""
    return int(raw) if isinstance(raw, bytes) and raw.isdigit() and len(raw) < 8 else 0


def _streams(arguments: Arguments) -> tuple[int, ...]:
    """The first half of what follows STREAMS."""
    for at, raw in enumerate(arguments):
        if isinstance(raw, bytes) and raw.upper() == b"STREAMS":
            return tuple(range(at + 1, at + 1 + (len(arguments) - at - 1) // 2))
    return ()


def _stored(arguments: Arguments) -> tuple[int, ...]:
    return tuple(at + 1 for at, raw in enumerate(arguments[:-1])
                 if at > 1 and isinstance(raw, bytes) and raw.upper() in (b"STORE", b"STOREDIST"))  # fmt: skip


def _migrated(arguments: Arguments) -> tuple[int, ...]:
    """MIGRATE host port key db timeout … [KEYS key …]."""
    for at, raw in enumerate(arguments):
        if isinstance(raw, bytes) and raw.upper() == b"KEYS":
            return tuple(range(at + 1, len(arguments)))
    return (3,) if len(arguments) > 3 else ()


_KNOWN = (
    _READS_FIRST | _READS_ALL | _READS_NONE | _READS_TWO | _WRITES_ALL | _WRITES_PAIRS | _WRITES_ALL_BUT_LAST
    | _WRITES_TWO | _WRITES_NONE | CONNECTION | PROBES | CONTAINERS | BLOCKING | SCRIPTED | frozenset(_READS_COUNTED)
    | frozenset(_WRITES_COUNTED)
    | _words(
        "append bitfield decr decrby expire expireat geoadd getdel getex getset hdel hincrby hincrbyfloat "
        "hmset hset hsetnx incr incrby incrbyfloat linsert lpop lpush lpushx lrem lset ltrim move persist "
        "pexpire pexpireat pfadd psetex restore rpop rpush rpushx sadd set setbit setex setnx setrange spop "
        "srem xack xadd xautoclaim xclaim xdel xsetid xtrim zadd zincrby zpopmax zpopmin zrem zremrangebylex "
        "zremrangebyrank zremrangebyscore sort georadius georadiusbymember bitop migrate object xgroup xinfo "
        "hexpire hpexpire hexpireat hpexpireat hpersist"
    )
)  # fmt: skip


def is_known(first: str) -> bool:
    """Whether a command is one of the server's own."""
    return first in _KNOWN
