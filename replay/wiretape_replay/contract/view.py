"""A contract as plain values for people, `--json` and agents: each route's fields with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from wiretape_replay.compare.messages import shown
from wiretape_replay.contract.check import ENOUGH, codes
from wiretape_replay.contract.credentials import names_credential
from wiretape_replay.contract.fold import folded
from wiretape_replay.contract.leaf import Profile, Span
from wiretape_replay.contract.profile import Contract
from wiretape_replay.leaves import join


class _Value(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class Place(_Value):
    """One place of a body, or one parameter or header."""

    pointer: str
    """JSON Pointer with `*` for array positions and keys that are data; a parameter's or header's name."""
    types: dict[str, int]
    """How often each JSON type was seen."""
    formats: dict[str, int] = {}
    present: int
    of: int
    """Objects, or requests, or answers, that could have had it."""
    required: bool
    """Always there, and often enough to be believed."""
    values: tuple[str, ...] = ()
    """All texts of an enumeration."""
    range: tuple[str, str] | None = None
    """Least and most number."""
    length: tuple[str, str] | None = None
    items: tuple[str, str] | None = None

    @property
    def evidence(self) -> str:
        """`present in 12 of 14`."""
        return f"{'present' if self.present == self.of else 'seen'} in {self.present} of {self.of}"


class AnswerContract(_Value):
    """What a route answers with one status."""

    status: int
    count: int
    content_types: dict[str, int]
    headers: tuple[Place, ...]
    body: tuple[Place, ...]


class RouteContract(_Value):
    """What is known of one route."""

    route: str
    requests: int
    """Requests that were not refused; what may be sent is known from these."""
    parameters: tuple[Place, ...]
    query: tuple[Place, ...]
    headers: tuple[Place, ...]
    authorization: dict[str, int]
    content_types: dict[str, int]
    body: tuple[Place, ...]
    answers: tuple[AnswerContract, ...]


class ContractView(_Value):
    """The contract of one or several snapshots."""

    snapshots: tuple[str, ...]
    exchanges: int
    routes: tuple[RouteContract, ...]


def contract_view(contract: Contract, snapshots: Sequence[str]) -> ContractView:
    """All routes by path and method."""
    return ContractView(
        snapshots=tuple(snapshots),
        exchanges=sum(answers.count for answers in contract.answers.values()),
        routes=tuple(_route(contract, route) for route in contract.routes),
    )


def _route(contract: Contract, route: str) -> RouteContract:
    sent = contract.requests.get(route)
    return RouteContract(
        route=str(shown(route)),
        requests=sent.count if sent else 0,
        parameters=_members(sent.parameters) if sent else (),
        query=_members(sent.query) if sent else (),
        headers=_members(sent.headers) if sent else (),
        authorization=dict(sorted(sent.schemes.items())) if sent else {},
        content_types=dict(sorted(sent.media.items())) if sent else {},
        body=tuple(
            place for _, below in sorted(sent.bodies.items()) for place in _places(folded(below), "", below.seen)
        )
        if sent
        else (),
        answers=tuple(_answers(contract, route, status) for status in sorted(contract.statuses(route))),
    )


def _answers(contract: Contract, route: str, status: int) -> AnswerContract:
    answers, body = contract.answers[route, status], contract.body(route, status)
    return AnswerContract(
        status=status,
        count=answers.count,
        content_types=dict(sorted(answers.media.items())),
        headers=_members(answers.headers),
        body=tuple(_places(body, "", body.seen)) if body.seen else (),
    )


def _members(profile: Profile) -> tuple[Place, ...]:
    return tuple(_place(below, name, profile.types["object"]) for name, below in sorted(profile.members.items()))


def _places(profile: Profile, pointer: str, of: int) -> Iterator[Place]:
    yield _place(profile, pointer, of)
    for name, below in profile.members.items():
        parents = below.seen if name == "*" else profile.types["object"]
        yield from _places(below, f"{pointer}/*" if name == "*" else join(pointer, name), parents)


def _place(profile: Profile, pointer: str, of: int) -> Place:
    secret = names_credential(pointer.rpartition("/")[2])
    return Place(
        pointer=str(shown(pointer)),
        types=dict(sorted(profile.types.items())),
        formats={name: count for name, count in sorted(profile.formats.items()) if name},
        present=profile.seen,
        of=of,
        required=profile.seen == of >= ENOUGH,
        values=() if secret else tuple(codes(profile) or ()),
        range=None if secret else _ends(profile.numbers),
        length=_ends(profile.lengths),
        items=_ends(profile.items),
    )


def _ends(span: Span | None) -> tuple[str, str] | None:
    return (f"{span.least}", f"{span.most}") if span else None
