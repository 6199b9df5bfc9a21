"""What the bytes of an HTTP message mean: headers, media types, content codings, targets and forms. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

import brotli
import orjson
import zstandard
from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Headers

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 §9.2.1)."""

DECODED_LIMIT = 256 * 1024 * 1024
"""Most bytes that a body may decode to."""
CODINGS_LIMIT = 5
"""Most codings that may be stacked on one body."""
_STEP = 64 * 1024
_ZSTD_STEP = 1024
_ZSTD_WINDOW = 1 << 27

type Pairs = Sequence[tuple[str, str]]


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header; names match in any case."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def header_values(headers: Headers, name: str) -> list[str]:
    """Every value of a header, in order, lines not split at commas."""
    wanted = name.lower()
    return [value for key, value in headers if key.lower() == wanted]


def media_type(headers: Headers) -> str:
    """`type/subtype` in lower case without parameters; empty where none was sent."""
    return (header(headers, "content-type") or "").partition(";")[0].strip().lower()


def charset(headers: Headers) -> str | None:
    """The charset parameter of the content type, in lower case."""
    for parameter in (header(headers, "content-type") or "").split(";")[1:]:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            return value.strip().strip("\"'").lower() or None
    return None


def codings(headers: Headers) -> list[str]:
    """Content codings in the order in which they were applied (RFC 9110 §8.4)."""
    lines = ",".join(header_values(headers, "content-encoding")).lower()
    return [coding for part in lines.split(",") if (coding := part.strip()) and coding != "identity"]


def decode_content(headers: Headers, data: bytes, *, limit: int = DECODED_LIMIT) -> bytes:
    """The body with its content codings undone. Raises ValueError when it is damaged, unknown or above `limit`."""
    applied = codings(headers)
    if len(applied) > CODINGS_LIMIT:
        raise ValueError(f"{len(applied)} content codings are stacked")
    for coding in reversed(applied if data else []):
        decode = _DECODERS.get(coding)
        if decode is None:
            raise ValueError(f"content coding '{coding}' is unknown")
        data = decode(data, limit)
    return data


def is_json(media: str) -> bool:
    """Whether a media type is JSON (RFC 8259) or structured on it (RFC 6839 `+json`)."""
    return media in {"application/json", "text/json"} or media.endswith("+json")


def is_text(media: str) -> bool:
    """Whether people read bodies of a media type as text."""
    return media.startswith("text/") or is_json(media) or media.endswith("+xml") or media in _TEXT


def json_body(headers: Headers, data: bytes) -> JsonValue:
    """The decoded body as JSON, whatever media type it claims. Raises ValueError when it is none."""
    value: JsonValue = orjson.loads(decode_content(headers, data))
    return value


def split_target(target: str) -> tuple[str, Pairs]:
    """Path and decoded query pairs of a request target; the path stays as sent."""
    path, _, query = target.partition("#")[0].partition("?")
    return path, parse_form(query.encode("utf-8", "surrogateescape"))


def parse_form(data: bytes) -> Pairs:
    """Pairs of an `application/x-www-form-urlencoded` body, in order, blanks kept."""
    text = data.decode("utf-8", "replace")
    return parse_qsl(text, keep_blank_values=True, max_num_fields=None)


_TEXT = {
    "application/xml", "application/javascript", "application/ecmascript", "application/x-www-form-urlencoded",
    "application/graphql", "application/x-ndjson", "application/jsonl", "application/yaml", "application/toml",
    "application/sql", "image/svg+xml",
}  # fmt: skip


class _Inflate(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gzip(data: bytes, limit: int) -> bytes:
    """One or more gzip members; what follows the last one and is none is ignored, as browsers do."""
    out = bytearray()
    while data[:2] == b"\x1f\x8b" or not out:
        member = zlib.decompressobj(31)
        out += _inflate(member, data, limit - len(out))
        data = member.unused_data
        if not data:
            break
    return bytes(out)


def _deflate(data: bytes, limit: int) -> bytes:
    """With the zlib wrapper of RFC 9110 §8.4.1.2, or raw as many servers send it."""
    try:
        return _inflate(zlib.decompressobj(15), data, limit)
    except ValueError as error:
        if isinstance(error, TooLarge):
            raise
        return _inflate(zlib.decompressobj(-15), data, limit)


class TooLarge(ValueError):
    """A body decodes to more than was allowed."""


def _inflate(stream: _Inflate, data: bytes, limit: int) -> bytes:
    try:
        out = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise ValueError(f"the compressed body is damaged: {error}") from None
    if len(out) > limit:
        raise TooLarge(f"the body decodes to more than {limit} bytes")
    if not stream.eof:
        raise ValueError("the compressed body ends too early")
    return out


def _brotli(data: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    out = bytearray()
    try:
        for start in range(0, len(data), _STEP):
            out += decoder.process(data[start : start + _STEP], output_buffer_limit=limit + 1 - len(out))
            if len(out) > limit or not decoder.can_accept_more_data():
                break
    except brotli.error as error:
        raise ValueError(f"the brotli body is damaged: {error}") from None
    if len(out) > limit:
        raise TooLarge(f"the body decodes to more than {limit} bytes")
    if not decoder.is_finished():
        raise ValueError("the brotli body ends too early")
    return bytes(out)


def _zstd(data: bytes, limit: int) -> bytes:
    """One or more zstd frames (RFC 8878), fed in steps so small that a bomb shows before it fills memory."""
    out = bytearray()
    try:
        while data:
            frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
            fed = 0
            while fed < len(data) and not frame.eof:
                out += frame.decompress(data[fed : fed + _ZSTD_STEP])
                fed += _ZSTD_STEP
                if len(out) > limit:
                    raise TooLarge(f"the body decodes to more than {limit} bytes")
            if not frame.eof:
                raise ValueError("the zstd body ends too early")
            data = frame.unused_data + data[fed:]
    except zstandard.ZstdError as error:
        raise ValueError(f"the zstd body is damaged: {error}") from None
    return bytes(out)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd,
}  # fmt: skip
