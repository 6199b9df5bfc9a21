"""A body as one tree of values whatever its media type, so that one walk compares, binds and profiles all of them.

JSON is itself; XML, forms, CSV, NDJSON, server-sent events and multipart become trees; text becomes its lines; what is
binary, damaged or too large to be held is its hash.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from email import message_from_bytes
from xml.etree import ElementTree

from pydantic import JsonValue

from wiretape_capture.protocols.http import (
    charset,
    decode_content,
    header,
    is_json,
    is_text,
    media_type,
    parse_form,
)
from wiretape_capture.snapshot.exchange import Body, Headers
from wiretape_replay.exact_json import DEPTH_LIMIT, loads


@dataclass(frozen=True, slots=True)
class Content:
    """What a body holds."""

    kind: str
    """`empty`, `json`, `ndjson`, `events`, `form`, `multipart`, `xml`, `csv`, `text` or `binary`."""
    tree: JsonValue
    why: str = ""
    """Why it is not read as what it claims to be; empty when it is."""


EMPTY = Content("empty", None)


def read_content(headers: Headers, body: Body) -> Content:
    """The content of a body; anything that cannot be read as what it claims is read as text, then as bytes."""
    if body.size == 0:
        return EMPTY
    if body.data is None:
        return Content("binary", body.sha256, f"{body.size} bytes are too many to be read")
    try:
        data = decode_content(headers, body.data)
    except ValueError:
        return Content("binary", body.sha256, f"its content encoding {header(headers, 'content-encoding')} is damaged")
    return _read(media_type(headers), headers, data, body.sha256)


def _read(media: str, headers: Headers, data: bytes, sha256: str) -> Content:
    try:
        if media.startswith("multipart/"):
            return Content("multipart", _multipart(header(headers, "content-type") or "", data))
        text = _decode(data, charset(headers))
    except UnicodeError:
        return Content("binary", sha256, "it is no text in any known character set" if is_text(media) else "")
    except ValueError as error:
        return Content("binary", sha256, f"it is no valid {media}: {error}")
    why = ""
    try:
        return _structured(media, text)
    except ValueError as error:
        if is_text(media) and not media.startswith("text/"):
            why = f"it is no valid {media}: {_fault(error)}"
    if is_text(media) or not media or "\0" not in text:
        return Content("text", list[JsonValue](text.splitlines()), why)
    return Content("binary", sha256, why)


def _fault(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at line {error.lineno} column {error.colno}"
    return str(error)


def _structured(media: str, text: str) -> Content:
    """Raises ValueError when the text is not what its media type says."""
    if media == "application/x-www-form-urlencoded":
        return Content("form", _form(text))
    if media == "text/event-stream":
        return Content("events", _events(text))
    if media in {"application/x-ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines"}:
        return Content("ndjson", [loads(line) for line in text.splitlines() if line.strip()])
    if media == "text/csv":
        return Content("csv", _csv(text))
    if media.endswith(("/xml", "+xml")) and "<!DOCTYPE" not in text and "<!ENTITY" not in text:
        return Content("xml", _xml(text))
    if is_json(media) or text.lstrip()[:1] in ("{", "["):
        return Content("json", loads(text))
    raise ValueError("no structure")


def _decode(data: bytes, named: str | None) -> str:
    """Raises ValueError for bytes that are no text in the named or any Unicode encoding."""
    if named:
        try:
            return data.decode(named)
        except (LookupError, ValueError):
            pass
    return data.decode(json.detect_encoding(data), "surrogatepass" if data[:1] in b"{[" else "strict")


def _form(text: str) -> JsonValue:
    fields: dict[str, JsonValue] = {}
    for name, value in parse_form(text.encode("utf-8", "surrogatepass")):
        if name not in fields:
            fields[name] = value
        elif isinstance(held := fields[name], list):
            held.append(value)
        else:
            fields[name] = [held, value]
    return fields


def _events(text: str) -> JsonValue:
    events: list[JsonValue] = []
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                value = value.removeprefix(" ")
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        if fields:
            events.append({name: _maybe_json(value) if name == "data" else value for name, value in fields.items()})
    return events


def _maybe_json(text: str) -> JsonValue:
    if text[:1] not in ("{", "["):
        return text
    try:
        return loads(text)
    except ValueError:
        return text


def _csv(text: str) -> JsonValue:
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    columns = rows[0] if rows else []
    if len(set(columns)) < len(columns) or any(len(row) != len(columns) for row in rows):
        return [list[JsonValue](row) for row in rows]
    records: list[JsonValue] = [dict(zip(columns, row, strict=True)) for row in rows[1:]]
    return {"columns": list[JsonValue](columns), "rows": records}


def _xml(text: str) -> JsonValue:
    try:
        root = ElementTree.fromstring(text.partition("?>")[2] if text.startswith("<?xml") else text)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    return {_local(root.tag): _element(root, "", 1)}


def _element(element: ElementTree.Element, outer: str, depth: int) -> JsonValue:
    if depth > DEPTH_LIMIT:
        raise ValueError("nested too deeply")
    space = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    node: dict[str, JsonValue] = {f"@{name}": value for name, value in element.attrib.items()}
    if space != outer:
        node["@xmlns"] = space
    for child in element:
        below = node.setdefault(_local(child.tag), [])
        assert isinstance(below, list)
        below.append(_element(child, space, depth + 1))
    words = [piece.strip() for piece in (element.text, *(child.tail for child in element)) if piece and piece.strip()]
    if not node:
        return " ".join(words)
    return node | ({"#text": " ".join(words)} if words else {})


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _multipart(content_type: str, data: bytes) -> JsonValue:
    message = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + data)
    if not message.is_multipart():
        raise ValueError("no part")
    parts: list[JsonValue] = []
    for part in message.walk():
        payload = None if part.is_multipart() else part.get_payload(decode=True)
        if isinstance(payload, bytes):
            heads: dict[str, JsonValue] = {name.lower(): str(value) for name, value in part.items()}
            parts.append({"headers": heads, "body": payload.decode("latin-1")})
    return parts
