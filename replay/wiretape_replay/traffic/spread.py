"""How the values of one route's requests and answers are spread: the contract's profiles, with medians. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.content import read_content
from wiretape_replay.contract.answers import STRUCTURED
from wiretape_replay.contract.credentials import names_credential
from wiretape_replay.contract.fold import folded
from wiretape_replay.contract.leaf import Profile, Span, exact_type, member_name
from wiretape_replay.contract.profile import Contract
from wiretape_replay.leaves import join
from wiretape_replay.routes import RouteTable
from wiretape_replay.traffic.view import Field

MOST_VALUES = 8
"""Different texts that are listed; a place with more is no enumeration to look through."""
_FEW = 0.5
"""Texts of a place are told where at most so many of them are different: names of people are not."""
MOST_NODES = 20_000
"""Of one body that are looked at one by one."""
_ROUNDED = Decimal("0.000001")

type Numbers = Mapping[tuple[str, str], list[Decimal]]
"""All numbers by side (`request` or a status) and pointer."""


def nodes(tree: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Every value of a body with its pointer, `*` for array positions and keys that are data."""
    pending, left = [("", tree)], MOST_NODES
    while pending and left:
        left -= 1
        pointer, node = pending.pop()
        yield pointer, node
        if isinstance(node, dict):
            pending += [(f"{pointer}/*" if member_name(key) == "*" else join(pointer, key), item)
                        for key, item in node.items()]  # fmt: skip
        elif isinstance(node, list):
            pending += [(f"{pointer}/*", item) for item in node]


def fields_of(route: str, exchanges: Sequence[Exchange], table: RouteTable) -> list[Field]:
    """The fields of a route's requests, then of its answers by status, most frequent status first."""
    contract, numbers = Contract.infer(exchanges, table), _numbers(exchanges)
    found: list[Field] = []
    if sent := contract.requests.get(route):
        for what, profile in (("path", sent.parameters), ("query", sent.query), ("header", sent.headers)):
            found += [_field(f"{what} {name}", name, below, profile.types["object"], ())
                      for name, below in sorted(profile.members.items())]  # fmt: skip
        for _, body in sorted(sent.bodies.items()):
            found += _fields("body", "request", folded(body), numbers)
    for status, _ in contract.statuses(route).most_common():
        profile = contract.body(route, status)
        if profile.seen:
            found += _fields(f"{status} body", str(status), profile, numbers)
    return found


def _fields(prefix: str, side: str, profile: Profile, numbers: Numbers) -> Iterator[Field]:
    pending = [("", profile, profile.seen)]
    while pending:
        pointer, node, of = pending.pop(0)
        if pointer or not node.members:
            yield _field(f"{prefix} {pointer or '/'}", pointer.rpartition("/")[2], node, of,
                         numbers.get((side, pointer), ()))  # fmt: skip
        pending[:0] = [
            (f"{pointer}/*" if name == "*" else join(pointer, name), below,
             below.seen if name == "*" else node.types["object"])
            for name, below in node.members.items()
        ]  # fmt: skip


def _field(place: str, name: str, profile: Profile, of: int, numbers: Sequence[Decimal]) -> Field:
    secret = names_credential(name)
    return Field(
        place=place, types=dict(profile.types.most_common()), present=profile.seen, of=of,
        values={} if secret else _texts(profile.texts),
        formats={format_: count for format_, count in profile.formats.most_common() if format_},
        numbers=() if secret else _ends(profile.numbers, sorted(numbers)),
        length=_span(profile.lengths), items=_span(profile.items),
    )  # fmt: skip


def _texts(texts: Counter[str] | None) -> dict[str, int]:
    if not texts or len(texts) > MOST_VALUES or (len(texts) > 2 and len(texts) > texts.total() * _FEW):
        return {}
    return dict(texts.most_common())


def _ends(span: Span | None, ordered: Sequence[Decimal]) -> tuple[str, ...]:
    if span is None:
        return ()
    middle = [ordered[(len(ordered) - 1) // 2]] if ordered else []
    return tuple(_short(number) for number in (span.least, *middle, span.most))


def _span(span: Span | None) -> tuple[str, ...]:
    return (_short(span.least), _short(span.most)) if span else ()


def _short(number: Decimal) -> str:
    """Binary fractions are spelt as they were meant."""
    if number == number.to_integral_value() or abs(number) > 10**12:
        return f"{number:.6g}" if abs(number) > 10**18 else f"{number:f}".partition(".")[0]
    return f"{number.quantize(_ROUNDED).normalize():f}"


def _numbers(exchanges: Iterable[Exchange]) -> Numbers:
    found: dict[tuple[str, str], list[Decimal]] = {}
    for each in exchanges:
        for side, tree in bodies(each):
            for pointer, node in nodes(tree):
                if exact_type(node) in ("integer", "number") and isinstance(node, int | float | Decimal):
                    number = Decimal(node)
                    if number.is_finite():
                        found.setdefault((side, pointer), []).append(number)
    return found


def bodies(exchange: Exchange) -> Iterator[tuple[str, JsonValue]]:
    """The structured bodies of an exchange: `request`, and its answer under the status."""
    asked = read_content(exchange.request.headers, exchange.request.body)
    if asked.kind in STRUCTURED:
        yield "request", asked.tree
    if exchange.response is not None:
        answered = read_content(exchange.response.headers, exchange.response.body)
        if answered.kind in STRUCTURED:
            yield str(exchange.response.status), answered.tree
