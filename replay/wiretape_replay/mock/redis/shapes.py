"""An answer recorded in one version of RESP as the server would give it in the other. Pure.

Down to RESP2 the server's own rules say how each type becomes another, but for commands that nest differently. Up to
RESP3 it takes to know the command: what is not in these tables is not given, rather than wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wiretape_capture.protocols.redis.cells import NULL_ARRAY, Cell, error_of, without_attributes
from wiretape_capture.protocols.redis.commands import is_known, meaning_of, word
from wiretape_capture.protocols.redis.requests import Arguments

type Shape = Callable[[Cell], Cell]


class Unshaped(Exception):
    """The answer cannot be given in the version that is asked for."""


def shaped(cell: Cell, arguments: Arguments, recorded: int, asked: int) -> Cell:
    """The answer to a command in RESP `asked`. Raises Unshaped."""
    if recorded == asked or error_of(cell) is not None:
        return cell
    name = meaning_of(arguments).name
    if asked == 2:
        return _down(without_attributes(cell), name, arguments)
    return _up(cell, name, arguments)


def shaped_all(cell: Cell, commands: Sequence[Arguments], recorded: int, asked: int) -> Cell:
    """The answer to a transaction of these commands. Raises Unshaped."""
    if not isinstance(cell, list):
        return NULL_ARRAY if cell is None and asked == 2 else cell
    return [shaped(each, arguments, recorded, asked) for arguments, each in zip(commands, cell, strict=False)]


# To RESP2

NULL_ARRAYS = frozenset({"BLPOP", "BRPOP", "BLMPOP", "BZMPOP", "BZPOPMIN", "BZPOPMAX", "LMPOP", "ZMPOP", "XREAD",
                         "XREADGROUP"})  # fmt: skip
"""Commands without an answer whose null is one of an array in RESP2."""
_SCORED = frozenset({"ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZUNION", "ZINTER", "ZDIFF",
                     "ZRANDMEMBER"})  # fmt: skip
_POPS = frozenset({"ZPOPMIN", "ZPOPMAX"})


def _down(cell: Cell, name: str, arguments: Arguments) -> Cell:
    if cell is None:
        counted = name in ("LPOP", "RPOP") and len(arguments) > 2
        return NULL_ARRAY if name in NULL_ARRAYS or counted else None
    if _nests(name, arguments) and isinstance(cell, list) and all(isinstance(each, list) for each in cell):
        return [plain(each) for pair in cell for each in pair]
    if name in ("XREAD", "XREADGROUP") and isinstance(cell, dict) and "map" in cell:
        return [plain(pair) for pair in cell["map"]]
    if name == "GEOPOS" and isinstance(cell, list):
        return [NULL_ARRAY if each is None else plain(each) for each in cell]
    return plain(cell)


def plain(cell: Cell) -> Cell:
    """A value as RESP2 has it: maps, sets and pushes are arrays, everything else without a type is a string."""
    cell = without_attributes(cell)
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, list):
        return [plain(each) for each in cell]
    if not isinstance(cell, dict):
        return cell
    kind, value = next(iter(cell.items()))
    match kind:
        case "map":
            return [plain(each) for pair in value for each in pair]
        case "set" | "push":
            return [plain(each) for each in value]
        case "double" | "big" | "verbatim":
            return value
        case _:
            return cell


def _nests(name: str, arguments: Arguments) -> bool:
    """Whether pairs of an answer are arrays of their own in RESP3, and one after the other in RESP2."""
    said = {word(raw) for raw in arguments[2:]}
    if name in _SCORED:
        return "WITHSCORES" in said
    if name == "HRANDFIELD":
        return "WITHVALUES" in said
    return name in _POPS and len(arguments) > 2


# To RESP3


def _double(cell: Cell) -> Cell:
    return {"double": cell} if isinstance(cell, str) else cell


def _doubles(cell: Cell) -> Cell:
    return [_double(each) for each in cell] if isinstance(cell, list) else cell


def _pairs(cell: Cell) -> list[list[Cell]]:
    if not isinstance(cell, list) or len(cell) % 2:
        raise Unshaped
    return [[cell[at], cell[at + 1]] for at in range(0, len(cell), 2)]


def _map(cell: Cell) -> Cell:
    return {"map": _pairs(cell)}


def _maps(cell: Cell) -> Cell:
    return [_map(each) for each in cell]


def _set(cell: Cell) -> Cell:
    return {"set": cell} if isinstance(cell, list) else cell


def _streams(cell: Cell) -> Cell:
    return None if _is_null(cell) else {"map": cell}


def _verbatim(cell: Cell) -> Cell:
    return {"verbatim": cell, "format": "txt"} if isinstance(cell, str) else cell


def _with_scores(cell: Cell) -> Cell:
    return [[member, _double(score)] for member, score in _pairs(cell)]


def _popped(cell: Cell) -> Cell:
    return [cell[0], _double(cell[1])] if isinstance(cell, list) and len(cell) == 2 else cell


def _popped_of(cell: Cell) -> Cell:
    return [*cell[:2], _double(cell[2])] if isinstance(cell, list) and len(cell) == 3 else cell


def _popped_many(cell: Cell) -> Cell:
    return cell if _is_null(cell) else [cell[0], [[member, _double(score)] for member, score in cell[1]]]


def _positions(cell: Cell) -> Cell:
    return [None if _is_null(each) else _doubles(each) for each in cell]


def _ranked(cell: Cell) -> Cell:
    return [cell[0], _double(cell[1])] if isinstance(cell, list) and len(cell) == 2 else cell


_SHAPES: Mapping[str, Shape] = {
    "HGETALL": _map, "CONFIG GET": _map, "XINFO GROUPS": _maps, "XINFO CONSUMERS": _maps,
    "SMEMBERS": _set, "SUNION": _set, "SINTER": _set, "SDIFF": _set,
    "SPOP": _set,
    "ZSCORE": _double, "ZINCRBY": _double, "ZMSCORE": _doubles, "GEOPOS": _positions,
    "XREAD": _streams, "XREADGROUP": _streams,
    "ZMPOP": _popped_many, "BZMPOP": _popped_many, "BZPOPMIN": _popped_of, "BZPOPMAX": _popped_of,
    "ZRANK": _ranked, "ZREVRANK": _ranked,
    "INFO": _verbatim, "CLIENT LIST": _verbatim, "CLIENT INFO": _verbatim, "LOLWUT": _verbatim,
    "CLUSTER INFO": _verbatim, "CLUSTER NODES": _verbatim,
}  # fmt: skip
_NOT_KNOWN = frozenset({"COMMAND", "MEMORY", "ACL", "FUNCTION", "XINFO", "LCS", "DEBUG", "LATENCY", "MODULE", "CLUSTER",
                        "SENTINEL", "FCALL", "FCALL_RO"})  # fmt: skip
"""Commands whose answers have maps somewhere."""


def _up(cell: Cell, name: str, arguments: Arguments) -> Cell:
    first = name.partition(" ")[0]
    if (shape := _SHAPES.get(name)) is None:
        if _nests(name, arguments):
            shape = _with_scores if name != "HRANDFIELD" else _pairs
        elif name in _POPS:
            shape = _popped
        elif name == "ZADD" and "INCR" in {word(raw) for raw in arguments[2:]}:
            shape = _double
        elif first == "GEOSEARCH" and any(word(raw) == "WITHCOORD" for raw in arguments):
            raise Unshaped
    if shape is None and (not is_known(first) or first in _NOT_KNOWN):
        raise Unshaped
    try:
        return _nulls(shape(cell) if shape is not None else cell)
    except (TypeError, ValueError, IndexError, KeyError):
        raise Unshaped from None


def _nulls(cell: Cell) -> Cell:
    return None if _is_null(cell) else [_nulls(each) for each in cell] if isinstance(cell, list) else cell


def _is_null(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, dict) and "null" in cell)
