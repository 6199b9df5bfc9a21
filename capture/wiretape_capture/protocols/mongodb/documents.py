"""BSON documents to and from canonical Extended JSON (version 2), so that every type comes back as it was. Pure.

A UUID is written as `{"$uuid": text}`, which every reader knows too, so that it can be found in a document. Extended
JSON has one NaN; another one, such as the negative one that processors make or R's missing value, is followed by its
bits: `{"$numberDouble": "NaN(fff8000000000000)"}`.

BSON itself is read by the library `bson` that comes with pymongo, the optional extra `wiretape[mongodb]`: this
module is imported only where a MongoDB is recorded, mocked or judged.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from wiretape_capture.errors import WiretapeError
from wiretape_capture.protocols.mongodb.wire import Malformed

if TYPE_CHECKING:  # the forwarding process is to start fast
    from pydantic import JsonValue


try:
    import bson
    from bson import json_util
    from bson.codec_options import CodecOptions, DatetimeConversion
    from bson.errors import BSONError
    from bson.int64 import Int64
except ImportError as error:
    raise WiretapeError("MongoDB needs the package pymongo, which is not installed",
                        "install it with: pip install 'wiretape[mongodb]'") from error  # fmt: skip

type Document = dict[str, Any]
"""A document with values as `bson` has them."""

UUID = bson.binary.UUID_SUBTYPE
_DOUBLE = struct.Struct(">d")
_NAN = _DOUBLE.pack(float("nan"))
NESTED = 200
"""Levels of a document: twice what the server allows (100), and few enough for every reader of JSON."""
_OPTIONS: CodecOptions[Document] = CodecOptions(
    document_class=dict, unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)
_CANONICAL = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS,
    uuid_representation=bson.binary.UuidRepresentation.UNSPECIFIED,
)  # fmt: skip


def decode(data: bytes) -> Document:
    """A document from its bytes. Raises Malformed."""
    try:
        return bson.decode(data, _OPTIONS)
    except (BSONError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise Malformed(f"a document is no BSON: {str(error)[:200]}") from error


def encode(document: Mapping[str, Any]) -> bytes:
    """A document's bytes. Raises Malformed."""
    try:
        return bson.encode(document, codec_options=_OPTIONS)
    except (BSONError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Malformed(f"a document cannot be written as BSON: {str(error)[:200]}") from error


def to_json(value: Any, depth: int = 0) -> JsonValue:
    """A value as canonical Extended JSON. Raises Malformed for one that is nested too deeply."""
    if depth > NESTED:
        raise Malformed(f"a document is nested more than {NESTED} levels deep")
    if value is None or type(value) in (str, bool):  # Code is a str, too
        return cast("JsonValue", value)
    if isinstance(value, dict):
        return {name: to_json(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [to_json(item, depth + 1) for item in value]
    if isinstance(value, Int64):
        return {"$numberLong": str(int(value))}
    if isinstance(value, int):
        return {"$numberInt": str(value)}
    if isinstance(value, float) and value != value and (bits := _DOUBLE.pack(value)) != _NAN:
        return {"$numberDouble": f"NaN({bits.hex()})"}
    if isinstance(value, bson.Binary) and value.subtype == UUID and len(value) == 16:
        return {"$uuid": str(value.as_uuid())}
    if isinstance(value, bson.dbref.DBRef):
        return {name: to_json(item, depth + 1) for name, item in value.as_doc().items()}
    return cast("JsonValue", json_util.default(value, _CANONICAL))


def from_json(value: JsonValue) -> Any:
    """The same again."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    inside = {name: from_json(item) for name, item in value.items()}
    if not any(name.startswith("$") for name in inside) or "$ref" in inside or "$regex" in inside:
        return inside
    try:
        double = inside.get("$numberDouble")
        if isinstance(double, str) and double.startswith("NaN(") and len(inside) == 1:
            return _DOUBLE.unpack(bytes.fromhex(double[4:-1]))[0]
        return json_util.object_hook(inside, _CANONICAL)
    except (TypeError, ValueError, BSONError, struct.error):
        return inside  # an operator, such as a $regex


def document_of(value: JsonValue) -> Document:
    """A stored document; empty for anything else."""
    found = from_json(value)
    return found if isinstance(found, dict) else {}
