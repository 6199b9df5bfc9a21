"""Request bytes with places for the values that differ from clone to clone, so that filling in is all that is left.

Made by asking the binding engine itself: it rewrites the recorded request with two sets of made-up values, and what
changes is where values belong. Where that does not explain its bytes, or a live value needs spelling, it is asked
each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wiretape_capture.protocols.http import header, is_json, media_type
from wiretape_capture.snapshot.exchange import Exchange, Request
from wiretape_replay.bindings.live import Key, LiveSession
from wiretape_replay.bindings.plan import BindingPlan
from wiretape_replay.bindings.replacements import Replacements
from wiretape_replay.load.wire import wire_bytes

PLAIN = re.compile(rb"[A-Za-z0-9._~-]+")
"""Values that are spelt alike in URLs, headers and JSON."""
_LENGTH = re.compile(rb"(?i)(\r\ncontent-length: )(\d+)(?=\r\n|$)")


LENGTH = -1
"""In the place of a value's number: the length of the body."""


@dataclass(frozen=True, slots=True)
class Template:
    """A message: a printf-style format, and which values stand in its places."""

    form: bytes
    places: tuple[int, ...] = ()
    """By number in `keys`, in the order in which they stand; `LENGTH` for the body's length."""
    keys: tuple[Key, ...] = ()
    fixed: int = 0
    """Bytes of the body beside values."""
    in_body: tuple[int, ...] = ()
    """The values that stand in the body."""

    @property
    def whole(self) -> bytes | None:
        """The message, where it holds no values."""
        return None if self.keys else self.form % ()

    def arguments(self, values: Sequence[bytes]) -> tuple[bytes | int, ...]:
        """What is put into the places: the values are in the order of `keys`."""
        length = self.fixed + sum(len(values[number]) for number in self.in_body)
        return tuple(length if number == LENGTH else values[number] for number in self.places)

    def filled(self, values: Sequence[bytes]) -> bytes:
        """The message with these values, in the order of `keys`."""
        return self.form % self.arguments(values)


@dataclass(frozen=True, slots=True)
class Sources:
    """What may change in the requests of a recording."""

    plan: BindingPlan
    fresh: bool
    """Whether what the client made for itself is made anew."""
    signed: bool
    distinctive: Replacements
    """Every distinctive value that may be replaced, with its number in place of a live value."""
    values: tuple[str, ...]

    @classmethod
    def of(cls, plan: BindingPlan, *, fresh: bool, signed: bool) -> Sources:
        """The sources of a binding plan."""
        made = {value for values in plan.client.values.values() for value in values} if fresh else set[str]()
        values = tuple(sorted({value for noun, value in plan.born if not noun} | made))
        found = Replacements()
        for number, value in enumerate(values):
            found.put(value, _mark(number, "Z"))
        return cls(plan, fresh, signed, found, values)

    def template(self, exchange: Exchange, prefix: str, netloc: str) -> Template | None:
        """The template of a request; None where each must be built anew."""
        clocks = self.fresh and exchange.sequence in self.plan.client.clocks
        if self.signed or clocks or header(exchange.request.headers, "content-encoding") is not None:
            return None
        keys = self._keys(exchange)
        if not keys:
            return Template(_escaped(wire_bytes(exchange.request, prefix, netloc)))
        first, second = ([_mark(number, letter) for number in range(len(keys))] for letter in ("K", "QW"))
        built = self._built(exchange, keys, first, prefix, netloc)
        found = _cut(built, [mark.encode() for mark in first], keys)
        if found is None:
            return None
        again = self._built(exchange, keys, second, prefix, netloc)
        if found.filled([mark.encode() for mark in second]) != again:
            return None
        recorded = [value.encode() for _, value in keys]
        plain = all(PLAIN.fullmatch(value) for value in recorded)
        same = not plain or found.filled(recorded) == wire_bytes(exchange.request, prefix, netloc)
        return found if same else None

    def reply(self, exchange: Exchange) -> Template | None:
        """The body of a recorded answer with places for live values; None where it holds none, or not plainly."""
        response = exchange.response
        if response is None or response.body.data is None or not is_json(media_type(response.headers)):
            return None
        if header(response.headers, "content-encoding") is not None:
            return None
        marked = self.distinctive.apply(response.body.data.decode("latin-1"))
        numbers = sorted(set(_marked(marked)))
        values = [self.values[number] for number in numbers]
        if not values or _MARKED_KEY.search(marked) or not all(PLAIN.fullmatch(value.encode()) for value in values):
            return None
        places = {_mark(number, "Z").encode(): place for place, number in enumerate(numbers)}
        form, found = _spelt(marked.encode("latin-1"), _BYTE_MARKS, places)
        return Template(form, tuple(found), tuple(("", value) for value in values))

    def _keys(self, exchange: Exchange) -> list[Key]:
        carried = {(edge.noun, edge.value) for edge in self.plan.by_consumer.get(exchange.sequence, ())}
        texts = _texts(exchange.request)
        standing = {("", self.values[number]) for text in texts for number in _marked(self.distinctive.apply(text))}
        return sorted(carried | standing)

    def _built(self, exchange: Exchange, keys: Iterable[Key], marks: Iterable[str], prefix: str, netloc: str) -> bytes:
        session = LiveSession(self.plan)
        for key, mark in zip(keys, marks, strict=True):
            session.assume(key, mark)
        return wire_bytes(session.prepare(exchange), prefix, netloc)


def values_of(template: Template, session: LiveSession) -> list[bytes] | None:
    """The live values of a template's keys, recorded ones where nothing was learned; None where one needs spelling."""
    found = [(session.current(key) or key[1]).encode("utf-8", "replace") for key in template.keys]
    return found if all(map(PLAIN.fullmatch, found)) else None


def expected_of(reply: Template, session: LiveSession) -> tuple[bytes | int, ...]:
    """What stands in an answer's places by all that was learned; nothing where all of it is as recorded."""
    live = [session.live_value(value) or value for _, value in reply.keys]
    found = [value.encode("utf-8", "replace") for value in live]
    same = all(value == recorded for value, (_, recorded) in zip(live, reply.keys, strict=True))
    return () if same or not all(map(PLAIN.fullmatch, found)) else reply.arguments(found)


def _mark(number: int, letter: str) -> str:
    return f"x{letter}9{number}9{letter}x"


_MARKS = re.compile(r"xZ9(\d+)9Zx")
_BYTE_MARKS = re.compile(rb"xZ9\d+9Zx")
_MARKED_KEY = re.compile(r'xZ9\d+9Zx[^",:{}\[\]]*"\s*:')
"""A value in the name of a member."""


def _marked(text: str) -> Iterable[int]:
    return (int(found[1]) for found in _MARKS.finditer(text))


def _texts(request: Request) -> list[str]:
    """Where a value of the request may stand."""
    texts = [request.target, *(value for _, value in request.headers)]
    if request.body.data:
        texts.append(request.body.data.decode("latin-1"))
    return texts


def _cut(message: bytes, marks: Sequence[bytes], keys: Sequence[Key]) -> Template | None:
    places: Mapping[bytes, int] = {mark: number for number, mark in enumerate(marks)}
    head, blank, body = message.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if b"chunked" in head.lower() and length is None and any(mark in body for mark in marks):
        return None  # the sizes of chunks would have to change with the values
    pattern = re.compile(b"|".join(map(re.escape, sorted(marks, key=len, reverse=True))))
    if length is None:
        form, found = _spelt(head, pattern, places)
    else:
        before, first = _spelt(head[: length.end(1)], pattern, places)
        after, second = _spelt(head[length.end(2) :], pattern, places)
        form, found = before + b"%d" + after, [*first, LENGTH, *second]
    ending, in_body = _spelt(body, pattern, places)
    fixed = len(body) - sum(len(marks[number]) for number in in_body)
    return Template(form + blank + ending, (*found, *in_body), tuple(keys), fixed, tuple(in_body))


def _spelt(text: bytes, pattern: re.Pattern[bytes], places: Mapping[bytes, int]) -> tuple[bytes, list[int]]:
    """A text as a format, and the numbers of the values that stand in it."""
    form = b"%b".join(map(_escaped, pattern.split(text)))
    return form, [places[found] for found in pattern.findall(text)]


def _escaped(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
