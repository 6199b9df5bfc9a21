"""The corpus of faults: what can go wrong in an answer, and where, drawn by seed from the answers of a recording.

A fault changes one thing. `apply` makes it in a live answer; `Fault.pointer` says where a finding must point.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.verdict.wire import Message
from wiretape_capture.protocols.http import header, media_type
from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.leaves import split

SHAPES = ("shape-missing", "shape-null", "shape-type", "shape-format", "shape-empty")
"""Faults on noisy leaves that break their shape."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in the answers to some steps."""

    kind: str
    part: str
    pointer: str
    """Into the body; a header's name."""
    steps: tuple[int, ...]
    value: Any = None
    """What the kind needs to know: the new value, an index."""
    noisy: bool = False
    before: Any = None
    """The recorded value, for the list of misses."""

    @property
    def shape(self) -> bool:
        """Whether it breaks the shape of a noisy leaf."""
        return self.kind in SHAPES


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of a recorded body."""

    step: int
    pointer: str
    value: Any
    noisy: bool


def apply(fault: Fault, message: Message) -> Message:
    """The answer with the fault in it; unchanged when this answer has no such place."""
    if fault.part == "status":
        return replace(message, start=f"HTTP/1.1 {fault.value} Changed")
    if fault.part == "header":
        return _with_header(message, fault)
    if fault.kind == "mojibake":
        return message.with_body(message.body.decode().encode("utf-8").decode("latin-1").encode("utf-8"))
    if fault.kind == "cut-body":
        return message.with_body(message.body[: len(message.body) * 2 // 3])
    if fault.kind == "text":
        return message.with_body(message.body.replace(*fault.value))
    try:
        tree = json.loads(message.body)
        changed = _changed(copy.deepcopy(tree), fault)
    except (KeyError, IndexError, TypeError, ValueError):
        return message
    return (
        message
        if changed == tree and type(changed) is type(tree) and _same(changed, tree)
        else message.with_body(_dumped(changed))
    )


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)


def _with_header(message: Message, fault: Fault) -> Message:
    name, headers = fault.pointer, message.headers
    if fault.kind == "cookie-flag":
        return replace(
            message,
            headers=tuple(
                (n, v.replace("; HttpOnly", "")) if n.lower() == "set-cookie" else (n, v) for n, v in headers
            ),
        )
    if fault.kind == "header-lost":
        return replace(message, headers=tuple((n, v) for n, v in headers if n.lower() != name))
    return replace(message, headers=tuple((n, fault.value) if n.lower() == name else (n, v) for n, v in headers))


def _changed(tree: Any, fault: Fault) -> Any:
    keys = split(fault.pointer)
    if not keys:
        return _whole(tree, fault)
    parent = tree
    for key in keys[:-1]:
        parent = parent[_own(parent, key)]
    last = _own(parent, keys[-1])
    old = parent[last]
    if fault.kind in ("drop", "shape-missing"):
        del parent[last]
    elif fault.kind == "rename":
        parent[f"{last}_v2"] = parent.pop(last)
    else:
        parent[last] = _new(old, fault)
    return tree


def _own(parent: Any, key: str) -> Any:
    """The live key for a recorded one: where keys are data, the first of them."""
    if isinstance(parent, list):
        return int(key)
    return key if key in parent or not any(c.isdigit() for c in key) else next(iter(parent))


def _whole(tree: Any, fault: Fault) -> Any:
    return _new(tree, fault)


def _new(old: Any, fault: Fault) -> Any:
    match fault.kind:
        case "null" | "shape-null":
            return None
        case "type" | "shape-type":
            return {"value": old} if isinstance(old, bool) else str(old) if not isinstance(old, str) else [old]
        case "off-by-one":
            return old + 1
        case "negated":
            return not old
        case "sign":
            return -old
        case "scaled":
            return old * 1000 if isinstance(old, int) and old < 10**11 else old // 1000
        case "rounded":
            return float(round(old))
        case "cut-text":
            return old[: max(1, len(old) // 2)]
        case "shape-empty":
            return ""
        case "swapped":
            return [*old[1:2], *old[0:1], *old[2:]]
        case "reversed":
            return old[::-1]
        case "cut-list":
            return old[:-1]
        case "doubled-item":
            return [*old, old[-1]]
        case "empty-list":
            return []
    return fault.value


def leaves_of(tree: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a body, containers too."""
    yield pointer, tree
    if isinstance(tree, dict):
        for key, member in tree.items():
            yield from leaves_of(member, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(tree, list):
        for index, member in enumerate(tree):
            yield from leaves_of(member, f"{pointer}/{index}")


def is_noisy(pointer: str, value: Any, noisy: frozenset[str]) -> bool:
    """Whether a scalar, or the order of a list, varies from run to run."""
    return f"order:{pointer}" in noisy if isinstance(value, dict | list) else pointer in noisy


def tree_of(response: Response) -> Any:
    """A JSON body; Ellipsis when it is none."""
    if "json" not in media_type(response.headers) or "ndjson" in media_type(response.headers) or not response.body.data:
        return ...
    return json.loads(response.body.data)


def corpus(
    recorded: Mapping[int, Response],
    noisy: Mapping[int, frozenset[str]],
    routes: Mapping[int, str],
    source: random.Random,
    size: int,
) -> list[Fault]:
    """So many faults, a third of them in the shape of noise, spread over all kinds."""
    possible = list(_possible(recorded, noisy, source))
    shapes = _spread([one for one in possible if one.shape], routes, source, size // 3)
    others = _spread([one for one in possible if not one.shape], routes, source, size - len(shapes))
    return [_widened(one, recorded, noisy, routes, source) for one in (*shapes, *others)]


def _spread(possible: Sequence[Fault], routes: Mapping[int, str], source: random.Random, size: int) -> list[Fault]:
    """Each kind is drawn before its place is; no place twice."""
    by_kind: dict[str, dict[tuple[str, str], list[Fault]]] = {}
    for fault in possible:
        places = by_kind.setdefault(fault.kind, {})
        places.setdefault((routes[fault.steps[0]], fault.pointer), []).append(fault)
    chosen: list[Fault] = []
    kinds = sorted(by_kind)
    while len(chosen) < size and any(by_kind.values()):
        source.shuffle(kinds)
        for kind in kinds:
            if by_kind[kind] and len(chosen) < size:
                chosen.append(source.choice(by_kind[kind].pop(source.choice(list(by_kind[kind])))))
    return chosen


def _widened(
    fault: Fault,
    recorded: Mapping[int, Response],
    noisy: Mapping[int, frozenset[str]],
    routes: Mapping[int, str],
    source: random.Random,
) -> Fault:
    """Every other fault is in all answers of its route that have the place with the same value, as most bugs are."""
    if source.random() < 0.5 or fault.part != "body" or fault.kind in ("mojibake", "cut-body", "text"):
        return fault
    first = fault.steps[0]
    more = [
        step
        for step, response in recorded.items()
        if step != first
        and routes[step] == routes[first]
        and response.status == recorded[first].status
        and (fault.pointer in noisy[step]) == fault.noisy
        and (tree := tree_of(response)) is not ...
        and dict(leaves_of(tree)).get(fault.pointer, ...) == fault.before
    ]
    return replace(fault, steps=(first, *more))


def _possible(
    recorded: Mapping[int, Response], noisy: Mapping[int, frozenset[str]], source: random.Random
) -> Iterator[Fault]:
    values: dict[str, list[str]] = {}
    for response in recorded.values():
        for pointer, value in leaves_of(tree_of(response)):
            if isinstance(value, str):
                values.setdefault(pointer.rpartition("/")[2], []).append(value)
    for step, response in recorded.items():
        yield from _around(step, response, noisy[step])
        tree = tree_of(response)
        if tree is ...:
            yield from _in_text(step, response)
            continue
        for pointer, value in leaves_of(tree):
            leaf = Leaf(step, pointer, value, is_noisy(pointer, value, noisy[step]))
            for kind, new in _kinds(leaf, values.get(pointer.rpartition("/")[2], ()), source):
                yield Fault(
                    kind,
                    "body",
                    pointer,
                    (step,),
                    new,
                    leaf.noisy,
                    value if not isinstance(value, dict | list) else None,
                )


def _around(step: int, response: Response, noisy: frozenset[str]) -> Iterator[Fault]:
    """Status and headers."""
    status = response.status
    for other in (500, 404, 200 if status != 200 else 201):
        if other != status:
            yield Fault("status", "status", "", (step,), other, before=status)
    for name in (
        "content-type",
        "location",
        "cache-control",
        "etag",
        "www-authenticate",
        "vary",
        "link",
        "x-depot-tenant",
        "x-api-version",
        "last-modified",
        "content-language",
    ):
        value = header(response.headers, name)
        if value is None:
            continue
        yield Fault("header-lost", "header", name, (step,), before=value)
        changed = {
            "content-type": "text/html",
            "cache-control": "no-store, must-revalidate",
            "location": "/elsewhere",
            "vary": "Cookie",
        }.get(name, "wrong")
        if f"header:{name}" not in noisy and value != changed and name not in ("etag", "last-modified"):
            yield Fault("header-changed", "header", name, (step,), changed, before=value)
    for name, value in response.headers:
        if name.lower() == "set-cookie":
            yield Fault("cookie-flag", "header", f"set-cookie/{value.partition('=')[0]}", (step,), before=value)
    if response.body.data and any(byte > 127 for byte in response.body.data):
        yield Fault("mojibake", "body", "", (step,))
    if len(response.body.data or b"") > 30:
        yield Fault("cut-body", "body", "", (step,))
    if response.body.data:
        yield Fault("latency", "latency", "", (step,), 1.2)


def _in_text(step: int, response: Response) -> Iterator[Fault]:
    """One figure or word of a body that is no JSON."""
    data = response.body.data or b""
    for before, after in (
        (b"created", b"made"),
        (b"delivered", b"returned"),
        (b"Sign in</h1>", b"Log in</h1>"),
        (b"deposit", b"withdrawal"),
        (b"\t", b";"),
        (b",DHX,", b",XXX,"),
        (b"</balance>", b"0</balance>"),
        (b"packed", b"PACKED"),
    ):
        if before in data:
            yield Fault("text", "body", "", (step,), (before, after), before=before.decode())


def _kinds(leaf: Leaf, seen: Sequence[str], source: random.Random) -> Iterator[tuple[str, Any]]:
    value = leaf.value
    if not leaf.pointer:
        yield from _lists(leaf)
        return
    if leaf.noisy and not isinstance(value, dict | list):
        yield from _shapes(value)
        return
    if not leaf.noisy or isinstance(value, dict | list):
        item = leaf.pointer.rpartition("/")[2].isdecimal()
        if not item:
            yield "drop", None
            yield "rename", None
        if value is not None:
            yield "null", None
            yield "type", None
    if isinstance(value, list):
        yield from _lists(leaf)
    elif isinstance(value, bool):
        yield "negated", None
    elif isinstance(value, int):
        yield "off-by-one", None
        yield from [("sign", None)] if value else []
    elif isinstance(value, float):
        yield from [("rounded", None)] if value != round(value) else []
        yield "off-by-one", None
    elif isinstance(value, str):
        others = sorted({one for one in seen if one != value})
        yield from [("value", source.choice(others))] if others else [("value", f"not {value}")]
        yield from [("cut-text", None)] if len(value) > 3 else []
    elif value is None:
        yield "value", "something"


def _lists(leaf: Leaf) -> Iterator[tuple[str, Any]]:
    if not isinstance(leaf.value, list) or not leaf.value:
        return
    yield "cut-list", None
    yield "empty-list", None
    yield "doubled-item", None
    texts = [json.dumps(one) for one in leaf.value]
    if not leaf.noisy:
        if len(texts) > 1 and texts[0] != texts[1]:
            yield "swapped", None
        if texts != texts[::-1]:
            yield "reversed", None


def _shapes(value: Any) -> Iterator[tuple[str, Any]]:
    yield "shape-missing", None
    yield "shape-null", None
    yield "shape-type", None
    if isinstance(value, str):
        yield "shape-empty", None
        yield "shape-format", "n/a"
    elif isinstance(value, int) and 10**9 <= value < 10**14:
        yield "scaled", None
