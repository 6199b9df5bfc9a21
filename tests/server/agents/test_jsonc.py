"""The editor changes what it is asked to and nothing else, whatever the file's style."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wiretape_server.agents import jsonc

ENTRY = {"command": "wiretape", "args": ["mcp"], "env": {}}
COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)

# No slash in a text, so that what looks like a comment is one.
WORDS = st.text('ab"\\{}[],: \n\tü\u2028😀', max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FILES = st.dictionaries(st.sampled_from(["mcpServers", "a", "wiretape", "ü"]) | WORDS, VALUES, max_size=4)
GAPS = ("", "", " ", "\n", "\n  ", "\t", "\r\n    ", ' // note, } "x": 1\n', "/* { */", "\n// a\n  ")
SEEDS = st.integers(0, 2**32)


def spelled(value: Any, random: Random) -> str:
    """One of the many ways to write `value` with comments, odd spaces and trailing commas."""

    def gap() -> str:
        return random.choice(GAPS)

    if isinstance(value, dict):
        items = [f"{json.dumps(key)}{gap()}:{gap()}{spelled(each, random)}" for key, each in value.items()]
    elif isinstance(value, list):
        items = [spelled(each, random) for each in value]
    else:
        return json.dumps(value, ensure_ascii=random.random() < 0.5)
    text = ",".join(f"{gap()}{item}{gap()}" for item in items)
    if items and random.random() < 0.3:
        text += "," + gap()
    return f"{{{text}}}" if isinstance(value, dict) else f"[{text}]"


@st.composite
def files(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    value = draw(FILES)
    servers = value.get("mcpServers", {})
    if not isinstance(servers, dict):
        value["mcpServers"] = servers = {"other": servers}
    servers.pop("wiretape", None)
    random = Random(draw(SEEDS))
    return value, random.choice(GAPS) + spelled(value, random) + random.choice(GAPS)


def kept_in_order(before: str, after: str) -> bool:
    """Whether `after` is `before` with text put in between."""
    rest = iter(after)
    return all(char in rest for char in before)


def said(text: str) -> str:
    """All comments; two that now share a line are still both there."""
    return re.sub(r"\s", "", "".join(COMMENT.findall(text)))


@settings(deadline=None, max_examples=60)
@given(files())
def test_what_is_put_is_there_and_the_rest_is_as_it_was(file: tuple[dict[str, Any], str]) -> None:
    value, text = file
    edited = jsonc.put(text, ["mcpServers", "wiretape"], ENTRY)

    assert jsonc.parse(edited).value == {**value, "mcpServers": {**value.get("mcpServers", {}), "wiretape": ENTRY}}
    stripped = text if value.get("mcpServers") else re.sub(r"\s", "", text)
    assert kept_in_order(stripped, edited), "only white space inside an empty object may go"
    assert COMMENT.findall(text) == COMMENT.findall(edited)


@settings(deadline=None, max_examples=60)
@given(files())
def test_putting_twice_changes_nothing_more(file: tuple[dict[str, Any], str]) -> None:
    once = jsonc.put(file[1], ["mcpServers", "wiretape"], ENTRY)

    assert jsonc.parse(jsonc.put(once, ["mcpServers", "wiretape"], ENTRY)).value == jsonc.parse(once).value


@settings(deadline=None, max_examples=60)
@given(files())
def test_what_was_put_beside_others_is_taken_out_to_the_byte(file: tuple[dict[str, Any], str]) -> None:
    value, text = file
    edited = jsonc.put(text, ["mcpServers", "wiretape"], ENTRY)
    taken = jsonc.take(edited, ["mcpServers", "wiretape"])

    if value.get("mcpServers"):
        assert taken == text
    assert jsonc.parse(taken).value == {"mcpServers": {}, **value}


@settings(deadline=None, max_examples=60)
@given(files(), st.data())
def test_any_member_can_be_taken_and_no_comment_goes_with_it(
    file: tuple[dict[str, Any], str], data: st.DataObject
) -> None:
    value, text = file
    if not value:
        return
    key = data.draw(st.sampled_from(sorted(value)))
    taken = jsonc.take(text, [key])

    assert jsonc.parse(taken).value == {name: each for name, each in value.items() if name != key}
    item = jsonc.parse(text).child(key)
    assert item is not None
    outside = text[: item.start] + text[item.node.end :]
    assert said(taken) == said(outside)


@settings(deadline=None, max_examples=60)
@given(st.lists(VALUES, max_size=4), SEEDS)
def test_an_element_is_appended_and_taken(values: list[Any], seed: int) -> None:
    text = spelled({"hooks": values}, Random(seed))
    edited = jsonc.append(text, ["hooks"], ENTRY)

    assert jsonc.parse(edited).value == {"hooks": [*values, ENTRY]}
    taken = jsonc.take(edited, ["hooks", len(values)])
    assert jsonc.parse(taken).value == {"hooks": values}
    if values:
        assert taken == text


@settings(deadline=None, max_examples=60)
@given(VALUES)
def test_a_document_is_read_as_json(value: Any) -> None:
    assert json.loads(jsonc.document(value)) == value
    assert jsonc.parse(jsonc.document(value)).value == value


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet='{}[]",:/*1a \n\\', max_size=30))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        value = jsonc.parse(text).value
    except jsonc.NotJson as error:
        assert 1 <= error.line <= text.count("\n") + 1
        assert error.column >= 1
        with pytest.raises(ValueError):
            json.loads(text)
    else:
        if "//" not in text and "/*" not in text and not re.search(r",\s*[\]}]", text):
            assert json.loads(text) == value


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3, "a comma or } is missing"),
        ('{"a": 1', 1, 8, "} is missing at the end"),
        ("{a: 1}", 1, 2, "a key in double quotes is missing"),
        ('{"a" 1}', 1, 6, "a colon is missing"),
        ('{"a": }', 1, 7, "a value is missing"),
        ('{"a": nope}', 1, 7, "nope is not a value"),
        ('{"a": NaN}', 1, 7, "NaN is not a value"),
        ('{"a": "x\n"}', 1, 7, "the string is not closed on its line"),
        ("{} /* x", 1, 4, "a comment is not closed"),
        ("{} {}", 1, 4, "something follows the end of the value"),
        ("[" * 300, 1, 202, "it is nested more than 200 deep"),
        ("", 1, 1, "a value is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_line_and_column(text: str, line: int, column: int, what: str) -> None:
    with pytest.raises(jsonc.NotJson) as told:
        jsonc.parse(text)

    assert (told.value.what, told.value.line, told.value.column) == (what, line, column)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{\n\t"x": 1, // one\n\t// end\n}\n', '{\n\t"x": 1, // one\n\t"m": {\n\t\t"w": [1, 2]\n\t},\n\t// end\n}\n'),
        ('{\r\n    "x": 1\r\n}', '{\r\n    "x": 1,\r\n    "m": {\r\n        "w": [1, 2]\r\n    }\r\n}'),
        ('{"x": 1}', '{"x": 1, "m": {"w": [1, 2]}}'),
        ("", '{\n  "m": {\n    "w": [1, 2]\n  }\n}\n'),
        ('{\n  "m": {} // none\n}', '{\n  "m": {\n    "w": [1, 2]\n  } // none\n}'),
    ],
)
def test_the_style_of_the_file_is_kept(before: str, after: str) -> None:
    assert jsonc.put(before, ["m", "w"], [1, 2]) == after


def test_a_line_comment_never_swallows_what_follows_a_cut() -> None:
    text = '{ "a": 1, // one\n  "b": 2, "c": 3 }'

    assert jsonc.parse(jsonc.take(text, ["b"])).value == {"a": 1, "c": 3}


def test_slashes_in_strings_are_no_comments() -> None:
    text = '{"a": "http://x/*", "b": "*/"}'

    assert jsonc.parse(jsonc.put(text, ["c"], 1)).value == {"a": "http://x/*", "b": "*/", "c": 1}


def test_what_is_no_object_is_not_written_into() -> None:
    with pytest.raises(TypeError, match="mcpServers is not an object"):
        jsonc.put('{"mcpServers": []}', ["mcpServers", "wiretape"], ENTRY)
    with pytest.raises(TypeError, match="the whole file is not an object"):
        jsonc.put("[]", ["mcpServers"], ENTRY)
