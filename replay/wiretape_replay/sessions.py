"""Sessions: which exchanges must keep their order among each other. The same recording always gives the same.

Exchanges belong together when they share a named session, a session cookie, an authorization, or a value born in one
and used in another. Anonymous ones belong to their connection. Groups that followed each other in time stay in order
where one writes what the other touches: running them at once could change what they see.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from wiretape_capture.protocols.http import SAFE, header, header_values
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.messages import cookie_pairs, set_cookies
from wiretape_replay.bindings.plan import BindingPlan, find_bindings
from wiretape_replay.bindings.tokens import is_distinctive
from wiretape_replay.routes import is_identifier

_SESSION_HEADERS = ("x-session-id", "x-session", "session-id", "x-wiretape-session")
_SESSION_COOKIES = ("sess", "sid", "auth", "token", "jwt", "remember")
_GENERIC = frozenset({"api", "rest", "v1", "v2", "v3", "v4"})
_OWN = frozenset({"login", "logout", "signin", "signup", "register", "session", "sessions", "token", "oauth", "auth"})
"""Resources that each client writes for itself."""


def assign_sessions(exchanges: Sequence[Exchange], plan: BindingPlan | None = None) -> dict[int, str]:
    """The session of each exchange by sequence: its own name where the traffic gives one, else `s1`, `s2`, …"""
    ordered = sorted(exchanges, key=lambda each: each.sequence)
    groups = _Groups(each.sequence for each in ordered)
    for exchange in ordered:
        for mark in _marks(exchange) or [("connection", exchange.connection)]:
            groups.join(exchange.sequence, mark)
    known = {each.sequence for each in ordered}
    for edge in (plan or find_bindings(ordered)).edges:
        if (edge.needed or not edge.noun) and edge.producer in known and edge.consumer in known:
            groups.join(edge.producer, edge.consumer)
    _keep_order(ordered, groups)
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


def _marks(exchange: Exchange) -> list[Hashable]:
    """What names the client: nothing for an anonymous one."""
    request = exchange.request
    marks: list[Hashable] = []
    if named := _given_name(exchange):
        marks.append(("named", named))
    if authorization := header(request.headers, "authorization"):
        marks.append(("authorization", authorization))
    for line in header_values(request.headers, "cookie"):
        marks += [("cookie", value) for name, value in cookie_pairs(line) if _is_session_cookie(name, value)]
    if exchange.response:
        set_here = set_cookies(exchange.response.headers).items()
        marks += [("cookie", value) for name, (value, _) in set_here if _is_session_cookie(name, value)]
    return marks


def _given_name(exchange: Exchange) -> str:
    sent = (header(exchange.request.headers, name) for name in _SESSION_HEADERS)
    return exchange.session or next((value for value in sent if value), "")


def _is_session_cookie(name: str, value: str) -> bool:
    return is_distinctive(value) or (bool(value) and any(part in name.lower() for part in _SESSION_COOKIES))


@dataclass(slots=True)
class _Span:
    """What one group did and when."""

    root: Hashable
    start_ns: int
    end_ns: int
    anonymous: bool
    named: bool
    touched: set[str]
    written: set[str]


def _keep_order(ordered: list[Exchange], groups: _Groups) -> None:
    spans = [span for span in _spans(ordered, groups) if not span.named]
    _chain([span for span in spans if span.anonymous], groups, overlapping=False)
    written = set().union(*(span.written for span in spans))
    for resource in sorted(written - _OWN):
        touching = [span for span in spans if resource in span.touched]
        _chain([span for span in touching if span.anonymous], groups, overlapping=True)
        _chain(touching, groups, overlapping=False)


def _spans(ordered: list[Exchange], groups: _Groups) -> list[_Span]:
    spans: dict[Hashable, _Span] = {}
    for each in ordered:
        root, end_ns = groups.root(each.sequence), each.started_ns + each.duration_us * 1000
        span = spans.setdefault(root, _Span(root, each.started_ns, end_ns, True, False, set(), set()))
        span.start_ns, span.end_ns = min(span.start_ns, each.started_ns), max(span.end_ns, end_ns)
        span.anonymous &= not _marks(each)
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
