"""Cells as the bytes that a Redis server sends. Pure."""

from __future__ import annotations

from wiretape_capture.protocols.redis.cells import Cell, from_text


def write(cell: Cell, resp: int) -> bytes:
    """A value in RESP `resp` (2 or 3). Raises ValueError where that version has no such type or it was not kept."""
    out: list[bytes] = []
    _write(cell, resp, out)
    return b"".join(out)


def _write(cell: Cell, resp: int, out: list[bytes]) -> None:
    if isinstance(cell, str):
        raw = cell.encode()
        out.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    elif cell is None:
        out.append(b"_\r\n" if resp == 3 else b"$-1\r\n")
    elif isinstance(cell, bool):
        _want3(resp, "boolean")
        out.append(b"#t\r\n" if cell else b"#f\r\n")
    elif isinstance(cell, int):
        out.append(b":%d\r\n" % cell)
    elif isinstance(cell, list):
        out.append(b"*%d\r\n" % len(cell))
        for each in cell:
            _write(each, resp, out)
    else:
        _write_named(cell, resp, out)


def _write_named(cell: Cell, resp: int, out: list[bytes]) -> None:
    kind = next(iter(cell))
    value = cell[kind]
    match kind:
        case "base64" | "omitted":
            raw = from_text(cell)
            out.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
        case "simple":
            out.append(b"+%b\r\n" % from_text(value))
        case "error":
            raw = from_text(value)
            out.append(b"!%d\r\n%b\r\n" % (len(raw), raw) if cell.get("blob") and resp == 3 else b"-%b\r\n" % raw)
        case "integer":
            out.append(b":%b\r\n" % value.encode("latin-1"))
        case "null":
            out.append(b"_\r\n" if resp == 3 else b"*-1\r\n")
        case "push" if resp == 2:
            _write(value, resp, out)
        case "attributes":
            if resp == 3:
                _write_pairs(b"|", value, resp, out)
            _write(cell["of"], resp, out)
        case _:
            _want3(resp, kind)
            _write_resp3(kind, cell, value, out)


def _write_resp3(kind: str, cell: Cell, value: Cell, out: list[bytes]) -> None:
    match kind:
        case "double":
            out.append(b",%b\r\n" % value.encode("latin-1"))
        case "big":
            out.append(b"(%b\r\n" % value.encode("latin-1"))
        case "verbatim":
            raw = cell["format"].encode("latin-1") + b":" + from_text(value)
            out.append(b"=%d\r\n%b\r\n" % (len(raw), raw))
        case "map":
            _write_pairs(b"%", value, 3, out)
        case "set" | "push":
            out.append(b"%b%d\r\n" % (b"~" if kind == "set" else b">", len(value)))
            for each in value:
                _write(each, 3, out)
        case _:
            raise ValueError(f"a value of the unknown type {kind!r}")


def _write_pairs(sign: bytes, pairs: Cell, resp: int, out: list[bytes]) -> None:
    out.append(b"%b%d\r\n" % (sign, len(pairs)))
    for name, value in pairs:
        _write(name, resp, out)
        _write(value, resp, out)


def _want3(resp: int, kind: str) -> None:
    if resp != 3:
        raise ValueError(f"RESP2 has no type {kind}")
