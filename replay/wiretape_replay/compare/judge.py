"""Whether a difference between two values is noise: the value was bound, the clock moved, it is made afresh, the
recording shows it to vary, or the user said so. Without one of these reasons it is a finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from urllib.parse import unquote

from pydantic import JsonValue

from wiretape_capture.protocols.http import split_target
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.tokens import is_digest_name, is_id_name, is_secret_name, key_nouns, nouns_of
from wiretape_replay.compare.echoes import echo_place, is_sure
from wiretape_replay.compare.noise import NoiseModel, Variation
from wiretape_replay.compare.observations import Observations, never
from wiretape_replay.compare.places import Kind
from wiretape_replay.compare.shape import Shape, named_format
from wiretape_replay.content import read_content
from wiretape_replay.durations import is_duration
from wiretape_replay.formats import TIMED, VOLATILE, Window, format_of, jwt_claims
from wiretape_replay.instants import DAY, SECOND, Instant, instant_of
from wiretape_replay.leaves import kind_of, leaf_name, split
from wiretape_replay.masks import alike_tokens, cut_alike, drawn_alike, drawn_apart, pieces, same_make

COUNTER = "counter"
"""Noise only if all answers of the run together grew as the recorded ones did."""

_MOVING_CLAIMS = frozenset({"iat", "exp", "nbf", "jti", "auth_time"})
_PREFIX = re.compile(r"(?:[a-z]{3,12}|[A-Z]{3,12})[-_](?=[A-Za-z0-9]+$)")
_EPOCH_UNITS = (("epoch-s", SECOND), ("epoch-ms", 1_000_000), ("epoch-us", 1_000), ("epoch-ns", 1))
_YEARS = 20 * 366 * DAY
_DATES_AHEAD = 400 * DAY
_START, _AHEAD = 60 * SECOND, 5 * SECOND
"""How long before its first exchange a recording's app may have started, and how far its clock may be ahead."""


_PIDS_FROM, _PID_DIGITS = 300, 7
"""Linux gives no lower number once it has wrapped (RESERVED_PIDS in kernel/pid.c), and none above 2**22."""

SHARED_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Noise:
    """Why a difference is noise."""

    reason: str
    trial: str = ""
    """What is yet to be tested over all answers: a `Kind` whose rate may have risen, or `COUNTER`; empty: nothing."""


@dataclass(frozen=True)
class Judge:
    """Judges the leaves of one exchange."""

    exchange: Exchange
    route: str
    noise: NoiseModel
    session: LiveSession | None
    live_window: Window
    """From the start of the live app or run to the moment when this answer had come."""

    def reason(self, place: str, at: str, expected: JsonValue, actual: JsonValue) -> str | None:
        """Why two unequal scalars of one JSON type differ only by noise; None when the difference matters.

        `place` is where noise is counted, see `places`, or `header:NAME`.
        """
        noise = self.noise_at(place, at, expected, actual)
        return noise.reason if noise else None

    def noise_at(self, place: str, at: str, expected: JsonValue, actual: JsonValue) -> Noise | None:
        """The same, with what has to be tested when all answers are known."""
        found = self.explained(at, expected, actual)
        fixed = self._evidence.fixed(self.route, place, Kind.RAW)
        if found and not (fixed and self._drawn_anew(at, found, expected)):
            return Noise(found)
        if (rule := self.noise.rule_for(self.route, place)) and self.same_shape(expected, actual):
            return Noise(f"rule {rule.pointer}" + (f": {rule.reason}" if rule.reason else ""))
        if self._evidence.varies(self.route, place, Kind.VALUE):
            shape = self._evidence.shape(self.route, place)
            keeps = not shape.fault(actual, expected) if shape else self.same_shape(expected, actual)
            return Noise(self._evidence.said(self.route, place, Kind.VALUE), Kind.VALUE) if keeps else None
        if self._evidence.fixed(self.route, place, Kind.VALUE):
            return None
        return self._recorded_noise(place, expected, actual)

    def explained(self, at: str, expected: JsonValue, actual: JsonValue) -> str | None:
        """What the two values themselves say: bound, made afresh, read from a clock, measured."""
        if self._is_own_process(expected, actual):
            return "process id of the app"
        if isinstance(expected, str) and isinstance(actual, str):
            return self._text(at, expected, actual) or self._repeated(at, expected, actual)
        if isinstance(expected, bool) or expected is None:
            return None
        return self._number(at, expected, actual) or self._repeated(at, str(expected), str(actual))

    def unexplained(self, at: str, expected: JsonValue, actual: JsonValue) -> bool:
        """Whether a difference counts as variation: no reason, or one that is a coincidence.

        What stands where another host name stood at first looks bound to it; nobody ever sent it back.
        """
        if self.explained(at, expected, actual) is None:
            return True
        if not isinstance(expected, str) or not at or is_id_name(leaf_name(at)) or expected in self.noise.sent_back:
            return False
        return format_of(expected) is None and self._bound(at, expected) == actual

    def told(self, place: str, expected: JsonValue, actual: JsonValue) -> str:
        """What unchanged code says against noise, for the evidence of a finding; empty when nothing."""
        if self._evidence.varies(self.route, place, Kind.VALUE):
            shape = self._evidence.shape(self.route, place)
            fault = shape.fault(actual, expected) if shape else ""
            return f"{self._evidence.said(self.route, place, Kind.VALUE)}, but this one {fault}" if fault else ""
        fixed = self._evidence.fixed(self.route, place, Kind.RAW) or self._evidence.fixed(self.route, place, Kind.VALUE)
        return never(fixed) if fixed else ""

    def varies(self, place: str, kind: Kind) -> Noise | None:
        """Whether a difference of this kind is noise at this place, on the evidence of unchanged code or a rule."""
        if not self._evidence.varies(self.route, place, kind):
            return None
        return Noise(self._evidence.said(self.route, place, kind), kind)

    def recorded_orders(self, pointer: str) -> Variation | None:
        """How often the order of an array varied in the recording, if it did."""
        variation = self.noise.orders.get((self.route, pointer))
        return variation if variation and variation.differed else None

    def unordered(self, place: str, pointer: str) -> bool:
        """Whether the order of an array means nothing."""
        return self._evidence.varies(self.route, place, Kind.ORDER) or self.recorded_orders(pointer) is not None

    def order_known(self, place: str) -> bool:
        """Whether an array whose items vary was seen often enough to say that those it shares keep an order.

        Two shared items stand in the same order in half of all cases.
        """
        return self._evidence.known(self.route, place, Kind.ORDER).of >= SHARED_ENOUGH

    def lacks(self, place: str, kind: Kind) -> str:
        """The evidence of a finding about structure: whether unchanged code differs there too."""
        if fixed := self._evidence.fixed(self.route, place, kind):
            return never(fixed)
        if self._evidence.structural(self.route, place, kind):
            return f"unchanged code differs here too: {self._evidence.said(self.route, place, kind)}"
        return ""

    def shape(self, place: str) -> Shape | None:
        """What the values of unchanged code have in common at a place."""
        return self._evidence.shape(self.route, place)

    @property
    def _evidence(self) -> Observations:
        return self.noise.evidence

    def _recorded_noise(self, place: str, expected: JsonValue, actual: JsonValue) -> Noise | None:
        variation = self.noise.varying.get((self.route, place))
        if variation and variation.differed and self.same_shape(expected, actual):
            return Noise(str(variation))
        if isinstance(expected, int) and isinstance(actual, int) and (self.route, place) in self.noise.counters:
            grew = len(self.noise.counters[self.route, place])
            return Noise(f"counter: it only grew in {grew} answers of the recording, and began elsewhere", COUNTER)
        return None

    def _drawn_anew(self, at: str, reason: str, expected: JsonValue) -> bool:
        """Whether a reason speaks of values that never come out alike: without any variation they are data.

        A date, a duration or a serial number may well come out alike.
        """
        if reason.startswith("bound"):
            return self._born_here(at, expected)
        kinds = reason.removeprefix("holds ").split(" and ")
        if any(kind in TIMED for kind in kinds) and self._evidence.gap_ns < _granularity(expected):
            return False
        return all(kind in VOLATILE and kind != "etag" for kind in kinds)

    def _born_here(self, at: str, expected: JsonValue) -> bool:
        """Whether it is this very answer that gives a random value its birth, not one that only repeats it."""
        if not isinstance(expected, str):
            return False
        random = [text for text, name in pieces(expected) if name is not None and name not in TIMED]
        nouns = ("", *nouns_of(leaf_name(at), split(at), self._path))
        births = (self.noise.plan.born.get((noun, text)) for text in random for noun in nouns)
        return self.exchange.sequence in births

    def same_shape(self, expected: JsonValue, actual: JsonValue) -> bool:
        """Whether two scalars agree in what noise must keep: type, format, and roughly the range."""
        if kind_of(expected) != kind_of(actual):
            return False
        if isinstance(expected, str) and isinstance(actual, str):
            return _named_format(expected) == _named_format(actual) and bool(expected) == bool(actual)
        if isinstance(expected, bool) or not isinstance(expected, int | Decimal | float):
            return True
        assert isinstance(actual, int | Decimal | float)
        units = _epoch_unit(expected, self.exchange.started_ns), _epoch_unit(actual, self.live_window.end_ns)
        return (None in units or units[0] == units[1]) and _same_range(Decimal(expected), Decimal(actual))

    def formats(self, expected: JsonValue, actual: JsonValue) -> tuple[str | None, str | None]:
        """The formats of a recorded and a live value; a number has one only where it reads a clock of its run."""
        if isinstance(expected, str) and isinstance(actual, str):
            return _named_format(expected), _named_format(actual)
        return format_of(expected, window=self.noise.window), format_of(actual, window=self.live_window)

    def is_digest(self, at: str, expected: JsonValue) -> bool:
        """Whether a value is named as the hash of some content."""
        return isinstance(expected, str) and is_digest_name(leaf_name(at)) and format_of(expected) == "hex"

    def same_key(self, at: str, expected: str, actual: str) -> str | None:
        """Why a key that is data, of the object at a pointer, stands for a recorded one."""
        if (became := self.key_became(at, expected)) is not None and expected.isdecimal():
            return "bound" if became == actual else None
        return self._text("", expected, actual)

    def key_became(self, at: str, key: str) -> str | None:
        """What an identifier that is a key of the object at a pointer has become, by what such keys name."""
        if self.session is None:
            return None
        nouns = key_nouns(split(at), self._path)
        if not nouns:
            return self.session.only_value(key)
        live = (self.session.live_value(key, f"{noun}_id", self._path) for noun in nouns)
        return next((value for value in live if value is not None), None)

    def rename(self, name: str, value: JsonValue) -> JsonValue:
        """What a recorded key of an array's elements has become."""
        if self.session is None or isinstance(value, bool) or not isinstance(value, str | int):
            return value
        live = self.session.live_value(str(value), name, self._path)
        return value if live is None else live if isinstance(value, str) or not live.isdecimal() else int(live)

    def _text(self, at: str, expected: str, actual: str) -> str | None:
        if (claims := self._token_claims(at, expected, actual)) is not None:
            return "jwt" if claims else None
        bound = self._bound(at, expected)
        if bound is not None and bound == actual:
            return self._bound_reason(at, expected)
        if bound is None and (simple := self._fresh(expected, actual, leaf_name(at))):
            return simple
        if bound is None and self._numbered_by_clock(expected, actual):
            return "snowflake"
        if instants := self._instants(expected, actual):
            return instants[0].kind if self._clock_moved(*instants) else None
        created = bound is None and self._created(at, expected)
        if created and self.same_shape(expected, actual) and same_make(expected, actual):
            return "id made by the app"
        rewritten = self._addressed(self.session.rewrite(expected) if self.session else expected)
        if rewritten == self._addressed(actual):
            return "bound" if rewritten != self._addressed(expected) else "address of the app"
        return self._masked(rewritten, self._addressed(actual))

    def _bound(self, at: str, expected: str) -> str | None:
        if self.session is None:
            return None
        name = leaf_name(at) if at else ""
        live = self.session.live_value(expected, name, self._path, at)
        return self.session.echoed(self.exchange.sequence, expected) if live is None and is_id_name(name) else live

    def _repeated(self, at: str, expected: str, actual: str) -> str | None:
        """A field of any name that repeats an identifier of the request: both do so, from the very same place."""
        places = self.noise.echoes.get((self.route, echo_place(at))) if at and self.session else None
        if not places or not self.session:
            return None
        for edge in self.noise.plan.by_consumer.get(self.exchange.sequence, ()):
            values = places.get(edge.consumed_at)
            if values and (edge.value, self.session.sent(edge)) == (expected, actual):
                sure = is_sure(values, at, self.exchange.request.target)
                return f"bound to {self.noise.commands.get(edge.producer, '')}" if sure else None
        return None

    def _bound_reason(self, at: str, expected: str) -> str:
        nouns = ["", *nouns_of(leaf_name(at), split(at), self._path)]
        births = (self.noise.plan.born.get((noun, expected)) for noun in nouns)
        birth = next((sequence for sequence in births if sequence is not None), None)
        return f"bound to {self.noise.commands.get(birth, '')}" if birth in self.noise.commands else "bound"

    def _fresh(self, expected: str, actual: str, name: str = "") -> str | None:
        """A value of a format that is drawn anew: not what the client sent, and nothing the recording knows."""
        ours, theirs = format_of(expected), format_of(actual)
        if ours != theirs or ours is None:
            secret = is_secret_name(name) and alike_tokens(expected, actual)
            ours = "token" if secret or drawn_alike(expected, actual) else None
        if ours is None or ours in TIMED or not same_make(expected, actual) or not drawn_apart(expected, actual):
            return None
        known = actual in self.noise.known or self._was_sent(expected) or _other_prefix(expected, actual)
        return None if known else ours

    def _token_claims(self, at: str, expected: str, actual: str) -> bool | None:
        """Whether two JSON Web Tokens say the same; None when they are not both tokens."""
        ours, theirs = jwt_claims(expected), jwt_claims(actual)
        if ours is None or theirs is None:
            return None
        (ours_head, ours_claims), (theirs_head, theirs_claims) = ours, theirs
        if ours_head.keys() != theirs_head.keys() or ours_claims.keys() != theirs_claims.keys():
            return False
        names = [name for name in ours_claims if name not in _MOVING_CLAIMS]
        pairs = [(name, ours_claims[name], theirs_claims[name]) for name in names]
        pairs.append(("alg", ours_head.get("alg"), theirs_head.get("alg")))
        return all(
            a == b or (kind_of(a) == kind_of(b) and self.reason("", f"{at}/{name}", a, b) is not None)
            for name, a, b in pairs
        )

    def _instants(self, expected: str, actual: str) -> tuple[Instant, Instant] | None:
        ours, theirs = instant_of(expected), instant_of(actual)
        if ours is None and theirs is None and expected.isdecimal() and actual.isdecimal() and len(expected) < 21:
            return self._epochs(int(expected), int(actual)) if len(expected) >= 10 else None
        return (ours, theirs) if ours and theirs else None

    def _epochs(self, expected: float | Decimal, actual: float | Decimal) -> tuple[Instant, Instant] | None:
        for kind, unit in _EPOCH_UNITS:
            ours, theirs = int(Decimal(expected) * unit), int(Decimal(actual) * unit)
            if abs(ours - self.exchange.started_ns) < _YEARS and abs(theirs - self.live_window.end_ns) < _YEARS:
                return Instant(ours, kind), Instant(theirs, kind)
        return None

    def _clock_moved(self, ours: Instant, theirs: Instant) -> bool:
        """Both read a clock of their own run, or lie equally far from the moment of the answer."""
        if (ours.kind, ours.style) != (theirs.kind, theirs.style):
            return False
        before = ours.ns - self.exchange.started_ns
        after = theirs.ns - self.live_window.end_ns
        if ours.kind == "time":
            return _same_time_of_day(before, after)
        if ours.kind == "date":
            return _same_day_ahead(ours.ns, self.exchange.started_ns, theirs.ns, self.live_window.end_ns)
        if ours.inside(self.noise.window) and theirs.inside(self.live_window):
            # What was read while the recording ran is read while the run runs; older times tell of older starts.
            return not _read_during(ours, self.noise.window) or _read_during(theirs, self.live_window)
        lengths = self.noise.window.length_ns + self.live_window.length_ns + 5 * SECOND
        return abs(before - after) <= min(lengths, max(60 * SECOND, abs(before) // 2)) + ours.slack

    def _masked(self, expected: str, actual: str) -> str | None:
        ours, theirs = cut_alike(
            expected, actual, pieces(expected, self.noise.window), pieces(actual, self.live_window)
        )
        if len(ours) != len(theirs) or len(ours) < 2:
            return None
        names: list[str] = []
        for (text, name), (other, other_name) in zip(ours, theirs, strict=True):
            if text == other:
                continue
            if name is None or name != other_name or not (name == "duration" or self._piece(text, other)):
                return None
            names.append(name)
        return f"holds {' and '.join(dict.fromkeys(names))}"

    def _piece(self, expected: str, actual: str) -> bool:
        if self._token_claims("", expected, actual) or self._fresh(expected, actual):
            return True
        instants = self._instants(expected, actual)
        return instants is not None and self._clock_moved(*instants)

    def _number(self, at: str, expected: JsonValue, actual: JsonValue) -> str | None:
        assert isinstance(expected, int | float | Decimal)
        assert isinstance(actual, int | float | Decimal)
        if isinstance(expected, int) and (bound := self._bound(at, str(expected))) is not None:
            return self._bound_reason(at, str(expected)) if bound == str(actual) and bound != str(expected) else None
        if isinstance(expected, int) and self._created(at, str(expected)) and _same_range(expected, actual):
            return "id made by the app"
        if is_duration(leaf_name(at), expected, actual) and _same_range(expected, actual):
            return "duration"
        if not _finite(expected) or not _finite(actual) or min(expected, actual) < 1e8:
            return None
        if (instants := self._epochs(expected, actual)) and self._clock_moved(*instants):
            return instants[0].kind
        ours, theirs = (format_of(v, window=w) for v, w in ((expected, self.noise.window), (actual, self.live_window)))
        return ours if ours == theirs == "snowflake" else None

    def _is_own_process(self, expected: JsonValue, actual: JsonValue) -> bool:
        """Whether the live value is the number of a process of the app that answered."""
        if self.session is None or not self.session.processes or kind_of(expected) != kind_of(actual):
            return False
        ours, theirs = (value if isinstance(value, str) else str(value) for value in (expected, actual))
        if not (ours.isdecimal() and theirs.isdecimal()) or len(ours) > _PID_DIGITS or len(theirs) > _PID_DIGITS:
            return False
        return int(theirs) >= _PIDS_FROM and int(theirs) in self.session.processes

    def _created(self, at: str, expected: str) -> bool:
        """Whether a POST of the recording gave birth to this identifier: other methods are told what they act on."""
        if not at or not is_id_name(leaf_name(at)):
            return False
        for noun in ("", *nouns_of(leaf_name(at), split(at), self._path)):
            birth = self.noise.plan.born.get((noun, expected))
            if birth in self.noise.commands and self.noise.commands[birth].startswith("POST "):
                return True
        return False

    def _numbered_by_clock(self, expected: str, actual: str) -> bool:
        """Two snowflakes written as text: each embeds a time of its own run, and the live one is new."""
        formats = format_of(expected, window=self.noise.window), format_of(actual, window=self.live_window)
        new = actual not in self.noise.known and not self._was_sent(expected)
        return formats == ("snowflake", "snowflake") and new

    def _addressed(self, text: str) -> str:
        for address in self._addresses:
            if address in text:
                text = text.replace(address, "{app}")
        return text

    @cached_property
    def _addresses(self) -> tuple[str, ...]:
        """Both runs' own `host:port`, which an app puts into links."""
        names = {self.exchange.service} | {v for k, v in self.exchange.request.headers if k.lower() == "host"}
        names |= {self.session.target} if self.session else set()
        named = {name for name in names if ":" in name}
        local = {f"{host}:{name.rpartition(':')[2]}" for name in named for host in ("127.0.0.1", "localhost", "[::1]")
                 if name.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0")}  # fmt: skip
        return tuple(sorted(named | local, key=len, reverse=True))

    @cached_property
    def _path(self) -> str:
        return split_target(self.exchange.request.target)[0]

    def _was_sent(self, value: str) -> bool:
        return value in self._sent

    @cached_property
    def _sent(self) -> str:
        request = self.exchange.request
        body = read_content(request.headers, request.body)
        return "\n".join([unquote(request.target), *(value for _, value in request.headers), str(body.tree)])


def _other_prefix(expected: str, actual: str) -> bool:
    """`sess_9sXb…` and `user_h3Gk…` are tokens of different kinds."""
    ours, theirs = _PREFIX.match(expected), _PREFIX.match(actual)
    return bool(ours and theirs and ours[0] != theirs[0])


def _named_format(text: str) -> str | None:
    """The format with, for a point in time, how it is spelt."""
    name = named_format(text)
    return None if name == "text" else name


def _granularity(value: JsonValue) -> int:
    """So far apart two readings of a clock must lie before they cannot be spelt alike any more."""
    text = str(value)
    instant = instant_of(text)
    seconds = instant.ns // SECOND if instant else int(text) if text.isdecimal() else 1
    if (instant and instant.kind == "date") or seconds % 86_400 == 0:
        return 2 * DAY
    return (3661 if seconds % 60 == 0 else 2) * SECOND


def _epoch_unit(number: float | Decimal, near_ns: int) -> str | None:
    """In which unit a number counts to a time within twenty years of `near_ns`, if in any."""
    if not _finite(number):
        return None
    return next((kind for kind, unit in _EPOCH_UNITS if abs(int(Decimal(number) * unit) - near_ns) < _YEARS), None)


def _finite(number: float | Decimal) -> bool:
    return number == number and abs(number) != float("inf")


def _same_range(expected: float | Decimal, actual: float | Decimal) -> bool:
    """Same sign, both whole or both not, and within a factor of a thousand."""
    if not _finite(expected) or not _finite(actual):
        return False
    ours, theirs = Decimal(expected), Decimal(actual)
    if (ours < 0) != (theirs < 0) or (ours == 0 or theirs == 0):
        return (ours < 0) == (theirs < 0) and max(abs(ours), abs(theirs)) <= 1000
    whole = ours == ours.to_integral_value(), theirs == theirs.to_integral_value()
    return whole[0] <= whole[1] and abs(ours.adjusted() - theirs.adjusted()) <= 3


def _read_during(instant: Instant, window: Window) -> bool:
    return window.contains(instant.ns, before=_START + instant.slack, after=_AHEAD + instant.slack)


def _same_day_ahead(ours: int, recorded_at: int, theirs: int, live_at: int) -> bool:
    """Whether two dates lie equally many days from their today; which day it was depends on the app's time zone.

    A date far from the recording's own is no reading of a clock. Runs within the hour are taken to be in UTC: some
    zone always has its midnight near, and a date that is a day off would pass in it.
    """
    if abs(ours - recorded_at) > _DATES_AHEAD:
        return False
    near = live_at - recorded_at < 3600 * SECOND
    zones = [0] if near else range(-12 * 3600 * SECOND, 14 * 3600 * SECOND + 1, 900 * SECOND)
    return theirs - ours in {((live_at + zone) // DAY - (recorded_at + zone) // DAY) * DAY for zone in zones}


def _same_time_of_day(before: int, after: int) -> bool:
    """Equally far from the clock modulo a day, and a whole number of quarter hours away as time zones are."""
    day, quarter, tolerance = DAY, int(timedelta(minutes=15).total_seconds()) * SECOND, 10 * SECOND
    moved = (before - after + day // 2) % day - day // 2
    zone = (before + quarter // 2) % quarter - quarter // 2
    return abs(moved) <= tolerance and abs(zone) <= tolerance
