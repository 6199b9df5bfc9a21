"""Sessions: which exchanges must keep their order among each other. The same recording always gives the same.

Exchanges belong together when they share a named session, a session cookie, an authorization, or a value born in one
and used in another. Anonymous ones belong to their connection. Groups that followed each other in time stay in order
where one writes what the other touches: running them at once could change what they see. A load, which runs clones
of all of them at once anyway, keeps clients that name themselves apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from wiretape_capture.protocols.http import SAFE, header, header_values
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.messages import cookie_pairs, set_cookies
from wiretape_replay.bindings.plan import BindingPlan, find_bindings
from wiretape_replay.bindings.tokens import is_distinctive
from wiretape_replay.formats import TIMED, format_of
from wiretape_replay.routes import is_identifier

_SESSION_HEADERS = ("x-session-id", "x-session", "session-id", "x-wiretape-session")
_SESSION_COOKIES = ("sess", "sid", "auth", "token", "jwt", "remember")
_CLIENT = re.compile(r"sess|sid$|(?:^|[^a-z])sid(?:[^a-z]|$)", re.IGNORECASE)
"""Names of cookies that are the session itself: no `sidebar`, no `remember`."""
_OF_A_PAGE = re.compile("csrf|xsrf", re.IGNORECASE)
_FLAGS = frozenset({"", "0", "1", "true", "false", "yes", "no", "on", "off"})
"""Values of `remember` and the like that any client may have."""
_EPOCH = 10
"""Digits of a time since the Unix epoch, at least."""
_GENERIC = frozenset({"api", "rest", "v1", "v2", "v3", "v4"})
_OWN = frozenset({"login", "logout", "signin", "signup", "register", "session", "sessions", "token", "oauth", "auth"})
"""Resources that each client writes for itself."""


def assign_sessions(exchanges: Sequence[Exchange], plan: BindingPlan | None = None) -> dict[int, str]:
    """The session of each exchange by sequence: its own name where the traffic gives one, else `s1`, `s2`, …"""
    return _assigned(exchanges, plan, apart=False)


def assign_clients(exchanges: Sequence[Exchange], plan: BindingPlan | None = None) -> dict[int, str]:
    """The same for who plays many clones of each: clients that name themselves stay apart, whatever they write."""
    return _assigned(exchanges, plan, apart=True)


def _assigned(exchanges: Sequence[Exchange], plan: BindingPlan | None, *, apart: bool) -> dict[int, str]:
    ordered = sorted(exchanges, key=lambda each: each.sequence)
    groups, marks = _Groups(each.sequence for each in ordered), _Marks.of(ordered)
    for exchange in ordered:
        for mark in marks.found[exchange.sequence] or [("connection", exchange.connection)]:
            groups.join(exchange.sequence, mark)
    known = {each.sequence for each in ordered}
    for edge in (plan or find_bindings(ordered)).edges:
        if (edge.needed or not edge.noun) and edge.producer in known and edge.consumer in known:
            groups.join(edge.producer, edge.consumer)
    spans = [span for span in _spans(ordered, groups, marks) if not span.named]
    _keep_order([span for span in spans if not (apart and span.sure)], groups)
    return _names(ordered, groups)


class _Groups:
    """Union-find over exchanges and what they share."""

    def __init__(self, members: Iterable[int]) -> None:
        self._parent: dict[Hashable, Hashable] = {member: member for member in members}

    def root(self, member: Hashable) -> Hashable:
        self._parent.setdefault(member, member)
        while (parent := self._parent[member]) != member:
            self._parent[member] = self._parent[parent]
            member = parent
        return member

    def join(self, one: Hashable, other: Hashable) -> None:
        self._parent[self.root(other)] = self.root(one)


@dataclass(frozen=True, slots=True)
class _Cookie:
    """A cookie that may name a client."""

    name: str
    value: str
    given: bool
    """Whether the service set it."""

    @property
    def mark(self) -> Hashable:
        """A distinctive value is the same one under every name; any other (`1`, `yes`) only under its own."""
        return ("cookie", "" if is_distinctive(self.value) else self.name, self.value)

    @property
    def names_a_session(self) -> bool:
        """Whether its name says that it is the session; one that holds a time is made again and again."""
        timed = format_of(self.value) in TIMED or (self.value.isdecimal() and len(self.value) >= _EPOCH)
        return bool(_CLIENT.search(self.name)) and not timed

    def is_sure(self, lasting: Collection[str]) -> bool:
        """Whether it surely stands for a client: by its name, or since its values come again."""
        return self.names_a_session or (self.name in lasting and not _OF_A_PAGE.search(self.name))


@dataclass(frozen=True, slots=True)
class _Marks:
    """What names the client of each exchange: nothing for an anonymous one."""

    found: dict[int, list[Hashable]]
    sure: frozenset[int]
    """Exchanges whose marks are surely a client's and not of one page or request only."""

    @classmethod
    def of(cls, ordered: Sequence[Exchange]) -> Self:
        """The marks of all exchanges, without those that several clients share."""
        cookies = {each.sequence: list(_cookies(each)) for each in ordered}
        lasting = _lasting(cookies.values())
        shared = _shared(cookies.values(), lasting)
        headers = {each.sequence: _headers(each) for each in ordered}
        own = {sequence: [each for each in some if each.mark not in shared] for sequence, some in cookies.items()}
        sure = (sequence for sequence, some in own.items()
                if headers[sequence] or any(each.is_sure(lasting) for each in some))  # fmt: skip
        return cls({sequence: headers[sequence] + [each.mark for each in some] for sequence, some in own.items()},
                   frozenset(sure))  # fmt: skip


def _headers(exchange: Exchange) -> list[Hashable]:
    marks: list[Hashable] = []
    if named := _given_name(exchange):
        marks.append(("named", named))
    if authorization := header(exchange.request.headers, "authorization"):
        marks.append(("authorization", authorization))
    return marks


def _cookies(exchange: Exchange) -> Iterator[_Cookie]:
    for line in header_values(exchange.request.headers, "cookie"):
        yield from (_Cookie(name, value, False) for name, value in cookie_pairs(line)
                    if _is_session_cookie(name, value))  # fmt: skip
    if exchange.response:
        set_here = set_cookies(exchange.response.headers).items()
        yield from (_Cookie(name, value, True) for name, (value, _) in set_here if _is_session_cookie(name, value))


def _lasting(exchanges: Iterable[Sequence[_Cookie]]) -> frozenset[str]:
    """Names of cookies most of whose values came with more than one request."""
    uses = Counter(each for cookies in exchanges for each in set(cookies) if not each.given)
    values, again = Counter(each.name for each in uses), Counter(each.name for each, count in uses.items() if count > 1)
    return frozenset(name for name, count in values.items() if 2 * again[name] > count)


def _shared(exchanges: Iterable[Sequence[_Cookie]], lasting: Collection[str]) -> frozenset[Hashable]:
    """Marks that came with several values of one session cookie: a flag, a consent, a variant, and no client.

    That is certain only where the service never set that session cookie: one that it set may be the next of the same
    client, which such a mark holds together. A cookie whose values do not come again is made afresh for each request.
    """
    every = [cookies for cookies in exchanges if cookies]
    given = {cookie.name for cookies in every for cookie in cookies if cookie.given}
    own = [[each for each in cookies if each.names_a_session and each.name not in given] for cookies in every]
    sessions = {each.mark for cookies in every for each in cookies if each.names_a_session}
    beside: dict[tuple[Hashable, str], str] = {}
    shared: set[Hashable] = set()
    for cookies, mine in zip(every, own, strict=True):
        for mark in {each.mark for each in cookies} - sessions:
            for session in mine:
                if session.name in lasting and beside.setdefault((mark, session.name), session.value) != session.value:
                    shared.add(mark)
    return frozenset(shared)


def _given_name(exchange: Exchange) -> str:
    sent = (header(exchange.request.headers, name) for name in _SESSION_HEADERS)
    return exchange.session or next((value for value in sent if value), "")


def _is_session_cookie(name: str, value: str) -> bool:
    if is_distinctive(value) or _CLIENT.search(name):
        return bool(value)
    return value.lower() not in _FLAGS and any(part in name.lower() for part in _SESSION_COOKIES)


@dataclass(slots=True)
class _Span:
    """What one group did and when."""

    root: Hashable
    start_ns: int
    end_ns: int
    anonymous: bool
    sure: bool
    named: bool
    touched: set[str]
    written: set[str]


def _keep_order(spans: list[_Span], groups: _Groups) -> None:
    _chain([span for span in spans if span.anonymous], groups, overlapping=False)
    written = set().union(*(span.written for span in spans))
    for resource in sorted(written - _OWN):
        touching = [span for span in spans if resource in span.touched]
        _chain([span for span in touching if span.anonymous], groups, overlapping=True)
        _chain(touching, groups, overlapping=False)


def _spans(ordered: list[Exchange], groups: _Groups, marks: _Marks) -> list[_Span]:
    spans: dict[Hashable, _Span] = {}
    for each in ordered:
        root, end_ns = groups.root(each.sequence), each.started_ns + each.duration_us * 1000
        span = spans.setdefault(root, _Span(root, each.started_ns, end_ns, True, False, False, set(), set()))
        span.start_ns, span.end_ns = min(span.start_ns, each.started_ns), max(span.end_ns, end_ns)
        span.anonymous &= not marks.found[each.sequence]
        span.sure |= each.sequence in marks.sure
        span.named |= bool(_given_name(each))
        span.touched.add(_resource(each))
        if each.command not in SAFE:
            span.written.add(_resource(each))
    return list(spans.values())


def _chain(spans: list[_Span], groups: _Groups, *, overlapping: bool) -> None:
    """Join groups that follow each other in time, or all of them."""
    chains: list[_Span] = []
    ends: list[int] = []
    for span in sorted(spans, key=lambda each: each.start_ns):
        place = next((i for i, end in enumerate(ends) if overlapping or end <= span.start_ns), None)
        if place is None:
            chains.append(span)
            ends.append(span.end_ns)
        else:
            groups.join(chains[place].root, span.root)
            ends[place] = max(ends[place], span.end_ns)


def _resource(exchange: Exchange) -> str:
    words = exchange.request.target.partition("?")[0].split("/")
    return next((word for word in words if word and word not in _GENERIC and not is_identifier(word)), "")


def _names(ordered: list[Exchange], groups: _Groups) -> dict[int, str]:
    given: dict[Hashable, str] = {}
    for exchange in ordered:
        if name := _given_name(exchange):
            given.setdefault(groups.root(exchange.sequence), name)
    roots = dict.fromkeys(groups.root(exchange.sequence) for exchange in ordered)
    unnamed = [root for root in roots if root not in given]
    names = given | {root: f"s{index}" for index, root in enumerate(unnamed, 1)}
    return {exchange.sequence: names[groups.root(exchange.sequence)] for exchange in ordered}
