"""Headers, codings, targets and forms of HTTP messages, also hostile ones."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.protocols.http import (
    charset,
    decode_content,
    header,
    header_values,
    is_json,
    is_text,
    json_body,
    media_type,
    parse_form,
    split_target,
)
from wiretape_capture.snapshot.exchange import Headers


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress,
}  # fmt: skip


def coded(*names: str) -> Headers:
    return tuple(("Content-Encoding", name) for name in names)


def test_headers_are_found_in_any_case_and_kept_in_order() -> None:
    headers = (("Set-Cookie", "a=1"), ("X", "y"), ("SET-COOKIE", "b=2"))
    assert header(headers, "set-cookie") == "a=1"
    assert header_values(headers, "Set-Cookie") == ["a=1", "b=2"]
    assert (header(headers, "host"), header_values(headers, "host")) == (None, [])


@pytest.mark.parametrize(("value", "media", "named"), [
    ("Application/JSON; Charset=UTF-8", "application/json", "utf-8"),
    ('text/html;charset="latin-1"', "text/html", "latin-1"),
    ("text/html; boundary=x", "text/html", None),
    ("", "", None),
    ("text/plain; charset=", "text/plain", None),
])  # fmt: skip
def test_content_types(value: str, media: str, named: str | None) -> None:
    assert (media_type((("content-type", value),)), charset((("content-type", value),))) == (media, named)


@given(st.binary(max_size=3000), st.lists(st.sampled_from(sorted(ENCODERS)), max_size=4))
def test_stacked_codings_are_undone_in_reverse(data: bytes, names: list[str]) -> None:
    body = data
    for name in names:
        body = ENCODERS[name](body)
    if body or not names:
        assert decode_content(coded(*names), body) == data
        assert decode_content(coded(", ".join(name.upper() for name in names)), body) == data


def test_forms_of_gzip_and_deflate_that_servers_send() -> None:
    assert decode_content(coded("gzip"), gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
    assert decode_content(coded("x-gzip"), gzip.compress(b"a") + b"\0\0padding") == b"a"
    assert decode_content(coded("deflate"), raw_deflate(b"raw")) == b"raw"
    assert decode_content(coded("identity"), b"as is") == b"as is"
    assert decode_content(coded("gzip"), b"") == b""
    assert decode_content(coded("zstd"), zstandard.compress(b"a") + zstandard.compress(b"b")) == b"ab"


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_damaged_bodies_are_value_errors(name: str) -> None:
    whole = ENCODERS[name](b"wiretape " * 400)
    for broken in (b"plain text, no coding", whole[: len(whole) // 2], whole[:-1]):
        with pytest.raises(ValueError, match=r"damaged|too early"):
            decode_content(coded(name), broken)


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_a_bomb_stops_at_the_limit(name: str) -> None:
    bomb = ENCODERS[name](b"\0" * 10_000_000)
    with pytest.raises(ValueError, match="decodes to more than 100000 bytes"):
        decode_content(coded(name), bomb, limit=100_000)
    assert len(decode_content(coded(name), bomb, limit=10_000_000)) == 10_000_000


def test_unknown_and_absurd_codings_are_value_errors() -> None:
    with pytest.raises(ValueError, match="content coding 'snappy' is unknown"):
        decode_content(coded("snappy"), b"x")
    with pytest.raises(ValueError, match="6 content codings are stacked"):
        decode_content(coded(*["gzip"] * 6), b"x")


def test_json_bodies() -> None:
    assert json_body(coded("gzip"), gzip.compress(b'{"a": [1, null]}')) == {"a": [1, None]}
    for bad in (b"", b"{", b"\xff", b"[" * 100_000, b"NaN"):
        with pytest.raises(ValueError, match=r".+"):
            json_body((), bad)


def test_media_types_that_are_json_or_text() -> None:
    assert [name for name in ("application/json", "application/problem+json", "text/json", "text/plain", "")
            if is_json(name)] == ["application/json", "application/problem+json", "text/json"]  # fmt: skip
    assert [name for name in ("text/csv", "application/xml", "image/svg+xml", "image/png", "application/octet-stream")
            if is_text(name)] == ["text/csv", "application/xml", "image/svg+xml"]  # fmt: skip


@pytest.mark.parametrize(("target", "path", "pairs"), [
    ("/a%20b?x=1&x=%20&y", "/a%20b", [("x", "1"), ("x", " "), ("y", "")]),
    ("/a?b=c?d#frag", "/a", [("b", "c?d")]),
    ("*", "*", []),
    ("", "", []),
    ("/?%ff=%zz", "/", [("\ufffd", "%zz")]),
])  # fmt: skip
def test_targets(target: str, path: str, pairs: list[tuple[str, str]]) -> None:
    assert split_target(target) == (path, pairs)


def test_forms() -> None:
    assert parse_form(b"a=1&a=&b+c=%26") == [("a", "1"), ("a", ""), ("b c", "&")]


@given(st.text(), st.binary())
def test_nothing_that_arrives_raises(target: str, data: bytes) -> None:
    split_target(target)
    parse_form(data)
