"""Reading OpenAPI files: what is understood, and one clear sentence for each file that cannot be used."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_replay.openapi.check import SpecCheck
from wiretape_replay.openapi.document import SIZE_LIMIT, parse_description, read_description


def described(**more: Any) -> bytes:
    return json.dumps({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}} | more).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe\x00", "spec is not UTF-8 text; give a JSON or YAML file"),
        (b'{"a" "3"}', "spec is not valid JSON: expecting ':' delimiter: line 1 column 6 (char 5); mend that line"),
        (b"openapi: [", "spec is neither JSON nor YAML: line 2: did not find expected node content; mend that line"),
        (b"just words", "spec is no OpenAPI description: it holds no object; give an OpenAPI 3.0 or 3.1 file"),
        (b"", "spec is no OpenAPI description: it holds no object; give an OpenAPI 3.0 or 3.1 file"),
        (b"a: 1", 'spec is no OpenAPI description: it has no key "openapi"; give an OpenAPI 3.0 or 3.1 file'),
        (b"swagger: '2.0'", "spec is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1 first"),
        (b"openapi: 4.0.0", "spec is OpenAPI 4.0.0; 3.0 and 3.1 are understood"),
        (b"openapi: 3.1.0\npaths: []", 'in spec, "paths" is no object; mend it: paths maps /path to its operations'),
        (described(x={"$ref": "#/components/schemas/Gone"}),
         'spec refers to "#/components/schemas/Gone" at #/x, which does not exist; mend the reference'),
        (described(x={"$ref": "other.yaml#/Order"}),
         'spec refers to "other.yaml#/Order" at #/x, outside of the file; bundle the description into one file first'),
        (described(x={"$ref": "https://example.com/a.json"}),
         'spec refers to "https://example.com/a.json" at #/x, outside of the file; '
         "bundle the description into one file first"),
        (described(x={"$ref": "#order"}), 'spec refers to the anchor "#order" at #/x; '
                                          "write the reference as a JSON Pointer: #/components/schemas/NAME"),
        (described(a={"$ref": "#/b"}, b={"$ref": "#/a"}),
         'in spec, "#/a" at #/b refers to itself only; mend the reference'),
        (b"[" * 100_000, "spec is nested too deeply; give an OpenAPI 3.0 or 3.1 file"),
        (b'{"openapi": ' * 100_000, "spec is nested too deeply; give an OpenAPI 3.0 or 3.1 file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_description(data, "spec")
    assert str(caught.value) == message


def test_files_too_large_or_missing(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(max(SIZE_LIMIT + 1, 50_000_000))
    with pytest.raises(UsageError) as caught:
        read_description(large)
    assert str(caught.value) == (
        "large.json has 50 MB; an OpenAPI file may have 32 MB: cut it down to the routes that were recorded"
    )
    with pytest.raises(WiretapeError, match="no such file or directory; give --openapi the path of an OpenAPI file"):
        read_description(tmp_path / "gone.yaml")


def test_yaml_keeps_what_json_would_have_said() -> None:
    text = b"""
openapi: 3.0.3
info: {title: NO, version: 1.10}
paths:
  /x:
    get:
      responses:
        200: {description: yes}
x-day: 2026-01-02
x-step: 0.10
"""
    tree = parse_description(text, "spec").tree
    assert tree["info"] == {"title": "NO", "version": Decimal("1.10")}
    assert tree["paths"]["/x"]["get"]["responses"] == {"200": {"description": "yes"}}
    assert (tree["x-day"], tree["x-step"]) == ("2026-01-02", Decimal("0.10"))


def test_references_in_examples_are_data_and_schemas_may_hold_themselves() -> None:
    node = {
        "type": "object",
        "properties": {"below": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}},
    }
    description = parse_description(
        described(
            example={"$ref": "nothing"},
            components={"schemas": {"Node": node, "Tree": {"$ref": "#/components/schemas/Node"}}},
        ),
        "spec",
    )
    assert description.resolved({"$ref": "#/components/schemas/Tree"}, "")[1] == "/components/schemas/Node"


def test_a_yaml_alias_inside_itself_ends() -> None:
    assert parse_description(b"openapi: 3.1.0\nx: &x {y: *x}", "spec").version == "3.1"


def test_aliases_that_grow_without_end_are_walked_once() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    assert parse_description("\n".join(["openapi: 3.1.0", *lines]).encode(), "spec").version == "3.1"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objekt"}, "in spec, the schema at #/paths/~1x/get/responses/200/content/application~1json/schema"
                             "/type is none: 'objekt' is not valid under any of the given schemas; mend it"),
        ({"required": True}, "in spec, the schema at #/paths/~1x/get/responses/200/content/application~1json/schema"
                             "/required is none: True is not of type 'array'; mend it"),
        ({"$ref": "#/components/schemas/Bad"}, "in spec, the schema at #/components/schemas/Bad/minimum is none: "
                                               "'0' is not of type 'number'; mend it"),
    ],
)  # fmt: skip
def test_a_schema_that_is_none_is_refused_before_anything_starts(schema: Any, message: str) -> None:
    answer = {"description": "", "content": {"application/json": {"schema": schema}}}
    data = described(paths={"/x": {"get": {"responses": {"200": answer}}}},
                     components={"schemas": {"Bad": {"minimum": "0"}}})  # fmt: skip
    check = SpecCheck(parse_description(data, "spec"))
    with pytest.raises(UsageError) as caught:
        check.prepare("GET", "/x")
    assert str(caught.value) == message
