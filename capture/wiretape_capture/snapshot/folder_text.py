"""What the text folder's directories and files are called and how a body is shown for review. Pure."""

from __future__ import annotations

import re

import orjson

from wiretape_capture.protocols.http import codings, decode_content, is_json, media_type, split_target
from wiretape_capture.snapshot.exchange import Exchange, Headers

ATTRIBUTES = "*.body* -text\n*.http -text\n*.jsonl -text\n"
"""Git must not change line ends inside bodies."""
PRETTY_LIMIT = 1 << 20
"""Bytes of the largest body that is also shown pretty."""
_EXTENSIONS = {"text/html": "html", "text/plain": "txt", "text/css": "css", "application/xml": "xml",
               "text/xml": "xml", "text/csv": "csv", "application/javascript": "js"}  # fmt: skip
_CODINGS = {"gzip": "gz", "br": "br", "zstd": "zst", "deflate": "zz"}


def directory_name(exchange: Exchange) -> str:
    """Sequence, direction, command and path: stable, and sorted like the recording up to 99999 exchanges."""
    path = split_target(exchange.location)[0]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", f"{exchange.direction}-{exchange.command}-{path}").strip("-")
    return f"{exchange.sequence:05d}-{slug[:80].rstrip('-')}"


def pretty(headers: Headers, data: bytes) -> bytes | None:
    """A JSON body as people read it; None for what is not JSON."""
    if not is_json(media_type(headers)):
        return None
    try:
        value = orjson.loads(decode_content(headers, data, limit=16 * PRETTY_LIMIT))
    except ValueError:
        return None
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def body_extension(headers: Headers) -> str:
    media = media_type(headers)
    kind = "json" if is_json(media) else _EXTENSIONS.get(media, "")
    return "".join(f".{part}" for part in (kind, *(_CODINGS.get(name, "bin") for name in codings(headers))) if part)
