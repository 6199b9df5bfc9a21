"""What a request to the mock that matched nothing lacks, leaf by leaf, and what to do about it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from pydantic import BaseModel, ConfigDict

from wiretape_replay.formats import VOLATILE, format_of
from wiretape_replay.mock.spec import Candidate, LeafDifference, MockAnswer

NAMED = 3


class MissExplanation(BaseModel):
    """One kind of request that matched nothing."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    id: str
    request: str
    """`POST payments.test:443/charges`."""
    count: int
    """How often exactly this was asked."""
    why: str
    closest: tuple[Candidate, ...] = ()
    advice: tuple[str, ...] = ()


def miss_id(miss: MockAnswer) -> str:
    """`M-` and eight hex digits: the same for the same request in any run."""
    said = [miss.service, miss.command, miss.location, miss.request_body_sha256]
    return f"M-{sha256(chr(0).join(said).encode('utf-8', 'replace')).hexdigest()[:8]}"


def misses_of(answers: Iterable[MockAnswer]) -> list[MissExplanation]:
    """The distinct misses of a journal in the order of their first."""
    counts: Counter[str] = Counter()
    first: dict[str, MockAnswer] = {}
    for one in answers:
        if one.tier == "miss":
            name = miss_id(one)
            counts[name] += 1
            first.setdefault(name, one)
    return [_explained(one, name, counts[name]) for name, one in first.items()]


def _explained(miss: MockAnswer, name: str, count: int) -> MissExplanation:
    near = miss.closest[0] if miss.closest else None
    return MissExplanation(
        id=name, request=f"{miss.command} {miss.service}{_spaced(miss.location)}", count=count,
        why=_why(miss, near), closest=miss.closest, advice=tuple(_advice(miss, near)),
    )  # fmt: skip


def _spaced(location: str) -> str:
    return location if location.startswith("/") else f" {location}"


def _why(miss: MockAnswer, near: Candidate | None) -> str:
    if near is None:
        return f"nothing recorded is near it: the recording has no call to {miss.service}, or none with such a path"
    places = [one.where for one in near.differences]
    if not places:
        return f"exchange {near.sequence} is the same request, but its answers are used up"
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return f"exchange {near.sequence} is nearest; it differs at {', '.join(places[:NAMED])}{more}"


def _advice(miss: MockAnswer, near: Candidate | None) -> Iterator[str]:
    if near is None:
        yield f"if the app calls {miss.service} on purpose, record again with it, or let it through: mock.allow"
        yield "if not, look for what sends the call there: a changed host, variable or path"
        return
    if not near.differences:
        yield 'mock.at_end = "repeat" gives the last answer again; else find why the app asks more often than it did'
        return
    heads = {_head(one) for one in near.differences}
    ordinary = [one for one in near.differences if not _made_anew(one)]
    if moved := heads & {"service", "method", "path"}:
        what = " and ".join(sorted(moved))
        yield f"the call has another {what} than recorded: mend what builds the URL, or record again if it is meant"
    elif ordinary:
        yield _mend(ordinary)
    if anew := [one for one in near.differences if _made_anew(one)]:
        names = ", ".join(one.where for one in anew[:NAMED])
        yield (f"{names} look made anew in each run, but the recording speaks against it (a service gave that id out, "
               "or the caller named it): check that the app takes it from where it did")  # fmt: skip
    yield "if the request changed on purpose, record again"


def _mend(differences: Sequence[LeafDifference]) -> str:
    added = [one.where for one in differences if one.recorded is None]
    lost = [one.where for one in differences if one.live is None]
    other = [one.where for one in differences if one.recorded is not None and one.live is not None]
    told = (("now also sends", added), ("no longer sends", lost), ("sends another value at", other))
    parts = [f"{word} {', '.join(places[:NAMED])}" for word, places in told if places]
    return f"the app {' and '.join(parts)}: look for what sets it in the code"


def _head(difference: LeafDifference) -> str:
    return difference.where.partition("/")[0]


def _made_anew(difference: LeafDifference) -> bool:
    if difference.recorded is None or difference.live is None:
        return False
    ours, theirs = format_of(difference.recorded), format_of(difference.live)
    return ours == theirs and ours in VOLATILE
