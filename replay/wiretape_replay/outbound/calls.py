"""One call of the app to a service, as it was recorded or as the mock saw it, in one form for both. Pure.

Who made a call and whether it should have been made is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wiretape_capture.protocols.http import SAFE, header
from wiretape_capture.snapshot.exchange import Exchange, Headers, Request
from wiretape_replay.bindings.tokens import is_id_name
from wiretape_replay.leaves import leaf_name
from wiretape_replay.match.asked import parts_of_request
from wiretape_replay.match.content import content_of
from wiretape_replay.match.database import DatabaseParts, fingerprint
from wiretape_replay.match.index import Key
from wiretape_replay.match.lanes import trace_of
from wiretape_replay.match.parts import Parts, parts_of, service_key
from wiretape_replay.match.volatile import mask, text_of
from wiretape_replay.mock.spec import MockAnswer
from wiretape_replay.outbound.transactions import Fate
from wiretape_replay.routes import RouteTable

TUNNEL = "CONNECT"
"""Opening a tunnel is the client library's business: how often it does is not judged."""
TRY_AGAIN = frozenset({"", "408", "425", "429", "40001", "40P01", "08000", "08003", "08006", "08001"})
_PLAIN = frozenset({"", "true", "false", "null"})
LINE = 160


@dataclass(slots=True, eq=False)
class Call:
    """One call."""

    place: str
    """What was called: `POST payments:443/charges/{id}`."""
    service: str
    line: str
    """`POST /charges/17`."""
    key: Key
    """Equal for requests that are the same but for what each run makes afresh."""
    exact: Key
    writes: bool
    parts: Parts
    values: frozenset[str]
    """What it says: its values, without what is fixed in its path."""
    started_ns: int
    ended_ns: int
    status: str
    """Empty when no answer came."""
    trace: str = ""
    lane: str = ""
    """The connection of a recorded statement: what goes over one is in order."""
    sequence: int = 0
    """The recorded exchange: its own, or the one that answered it; 0 for a miss."""
    missed: bool = False
    near: int = 0
    """For a miss: the nearest recording."""
    owners: frozenset[int] = frozenset()
    """The inbound exchanges that may have made it; none for a call outside of all of them."""
    fate: Fate | None = None
    """What became of it; None for a call that takes part in no transaction, or where that is not known."""
    under_way: frozenset[int] = frozenset()
    """The inbound exchanges that were being handled when it began, whatever it says."""
    deferred: bool = False
    """For a recorded call: it began when its owner had been answered."""
    left: bool = False
    """For a recorded call: its place is of those that requests which write leave for later."""
    specific: bool = False
    """It says something that its owner was asked for or answered, so that it belongs to no one else."""
    names: tuple[tuple[str, str], ...] = ()
    """Identifiers that a run may make afresh, as recorded, each with its place."""
    afresh: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """For a live call: what it has in place of recorded ones, by place and recorded text."""

    @property
    def whole(self) -> str:
        """What `line` may have cut: a statement without its values, else the line itself."""
        return self.parts.path if isinstance(self.parts, DatabaseParts) else self.line

    @property
    def owner(self) -> int | None:
        """The inbound exchange that made it, where that is certain."""
        return next(iter(self.owners)) if len(self.owners) == 1 else None

    @property
    def housekeeping(self) -> bool:
        """Whether it asks a database for no data of the app, such as `select 1`: how often and when is not judged."""
        return isinstance(self.parts, DatabaseParts) and self.parts.housekeeping

    @property
    def failed(self) -> bool:
        """Whether its answer asks for another attempt: none, 408, 425, 429 or 5xx; of SQL, what a repetition mends."""
        return self.status in TRY_AGAIN or self.status.startswith("5")


@dataclass(slots=True)
class Catalogue:
    """The services of a recording by their names, and the routes of each."""

    aliases: Mapping[str, str]
    """Names of services that stand for one: a map's `host:port` and its name."""
    names: dict[str, str] = field(default_factory=dict)
    routes: dict[str, RouteTable] = field(default_factory=dict)

    @classmethod
    def of(cls, heads: Iterable[Exchange], aliases: Mapping[str, str]) -> Catalogue:
        """From the recorded outbound exchanges; their bodies are not needed."""
        catalogue = cls(aliases)
        targets: dict[str, list[tuple[str, str]]] = {}
        for one in heads:
            service = catalogue.service(one.scheme, one.service)
            catalogue.names.setdefault(service, one.service)
            if not one.protocol.is_database:
                targets.setdefault(service, []).append((one.command, one.request.target))
        catalogue.routes = {service: RouteTable.infer(some) for service, some in targets.items()}
        return catalogue

    def service(self, scheme: str, name: str) -> str:
        """The one name under which a service is known here."""
        key = service_key(scheme, name)
        return self.aliases.get(key, key)

    def recorded(self, exchange: Exchange) -> Call:
        """A recorded outbound exchange as a call."""
        call = self._call(self.service(exchange.scheme, exchange.service), exchange.request)
        call.started_ns = exchange.started_ns
        call.ended_ns = exchange.started_ns + exchange.duration_us * 1000
        call.status, call.sequence = exchange.status, exchange.sequence
        call.trace = exchange.trace or trace_of(exchange.request.headers)
        call.lane = exchange.connection if exchange.protocol.is_database else ""
        return call

    def live(self, answer: MockAnswer, recorded: Mapping[int, Call]) -> Call:
        """An answer of the mock as a call: what was recorded when it was answered from there."""
        known = recorded.get(answer.sequence or 0)
        if known is None:
            request = answer.request or Request(method=answer.command, target=answer.location)
            call = self._call(self.service("http", answer.service), request)
            call.missed = answer.tier == "miss"
            call.key = call.exact  # the mock knows that it stands for no other request
        else:
            call = Call(known.place, known.service, known.line, known.key, known.exact, known.writes, known.parts,
                        known.values, 0, 0, "", sequence=known.sequence, names=known.names)  # fmt: skip
            call.afresh = {(one.where, one.recorded or ""): one.live or "" for one in answer.normalized}
        call.started_ns = call.ended_ns = answer.at_ns
        call.status, call.trace = answer.status, answer.trace
        call.near = answer.closest[0].sequence if answer.closest else 0
        return call

    def _call(self, service: str, request: Request) -> Call:
        parts = parts_of_request(service, request)
        masked = mask(parts)
        name = self.names.get(service, service)
        key = masked.key if masked else parts.exact
        if isinstance(parts, DatabaseParts):
            call = _command(name, parts, key)
        else:
            template = self._template(service, request)
            place = f"{request.method} {name}{template}{_operation(parts, request.headers)}"
            call = Call(place, name, f"{request.method} {request.target[:LINE]}", key, parts.exact, parts.writes,
                        parts, frozenset(told_by(parts, template)), 0, 0, "")  # fmt: skip
        call.names = tuple((one.place, one.text) for one in masked.volatile if one.identifies) if masked else ()
        return call

    def _template(self, service: str, request: Request) -> str:
        table = self.routes.get(service) or RouteTable.infer([(request.method, request.target)])
        route = table.route(request.method, request.target).partition(" ")[2]
        return route if route.startswith("/") else f" {route}"


def _command(name: str, parts: DatabaseParts, key: Key) -> Call:
    """A command for a database as a call; its place is its template with its fingerprint."""
    told = [text_of(value) for _, value in parts.told()]
    short = parts.path if len(parts.path) <= LINE else f"{parts.path[:LINE]}…"
    place = f"{name}: {short} ({fingerprint(parts.path)})"
    line = f"{short} [{', '.join(told)[:LINE]}]" if told else short
    return Call(place, name, line, key, parts.exact, parts.writes, parts, frozenset(parts.about()) - _PLAIN, 0, 0, "")


def told_by(parts: Parts, template: str) -> Iterator[str]:
    """The values of a request that say which thing it is about."""
    fixed = template.removeprefix("/").split("/")
    for place, value in parts.leaves():
        where, _, name = place.partition("/")
        text = text_of(value)
        if where == "path":
            number = int(name)
            if text and (number >= len(fixed) or fixed[number].startswith("{")):
                yield text
        elif where != "header" and len(text) > 1 and text not in _PLAIN:
            yield text


def values_of(exchange: Exchange, route: str) -> frozenset[str]:
    """What an inbound exchange is about: the values of its request, and the longer ones of its answer."""
    request = exchange.request
    parts = parts_of("", request.method, request.target, request.headers, request.body)
    found = set(told_by(parts, route.partition(" ")[2]))
    if exchange.response is not None:
        leaves = content_of(exchange.response.headers, exchange.response.body).leaves
        found.update(text for _, value in leaves if len(text := text_of(value)) > 3 and text not in _PLAIN)
    return frozenset(found)


def words_of(exchange: Exchange) -> frozenset[str]:
    """What else its request says, which alone ties no call to it: the words of its path, and short values."""
    request = exchange.request
    parts = parts_of("", request.method, request.target, request.headers, request.body)
    return frozenset(text_of(value) for place, value in parts.leaves() if not place.startswith("header")) - _PLAIN


def made_by(exchange: Exchange) -> frozenset[str]:
    """The identifiers, however short, in the answer to a request that writes."""
    if exchange.response is None or exchange.request.method in SAFE:
        return frozenset()
    leaves = content_of(exchange.response.headers, exchange.response.body).leaves
    return frozenset(text_of(value) for place, value in leaves if is_id_name(leaf_name(place))) - _PLAIN


def _operation(parts: Parts, headers: Headers) -> str:
    """Which of its operations a single path serves: GraphQL, JSON-RPC, AWS and SOAP have one path for all of them."""
    said = header(headers, "x-amz-target") or header(headers, "soapaction")
    if not said and parts.content.leaves:
        said = _named(dict(parts.content.leaves), parts.segments)
    return f" {said.strip(chr(34))[:60]}" if said else ""


def _named(leaves: Mapping[str, object], segments: Sequence[str]) -> str:
    if "body/jsonrpc" in leaves:
        return str(leaves.get("body/method", ""))
    if segments[-1:] == ("graphql",):
        return str(leaves.get("body/operationName") or "")
    return str(leaves["body/Action"]) if "body/Version" in leaves and "body/Action" in leaves else ""
