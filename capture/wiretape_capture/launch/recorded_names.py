"""Databases found in an app's variables take the names under which a snapshot knows them. Pure.

A variable says where a database is, a recording only what it was called. What has that name already is meant by it;
of the rest a database of the same name is, and at last the only one that is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.database_url import Dsn
from wiretape_capture.launch.naming import NAMINGS
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.snapshot.databases import RecordedDatabase


def named_as_recorded(found: Sequence[ServiceMap], given: Sequence[ServiceMap],
                      recorded: Sequence[RecordedDatabase]) -> tuple[ServiceMap, ...]:  # fmt: skip
    """The maps that were `found`, beside those `given` by the user. Raises UsageError where several could be meant."""
    names = {each: name for scheme in NAMINGS for each, name in _pairs(
        [each for each in found if each.scheme == scheme],
        [each for each in recorded if each.scheme == scheme and not _is_taken(each, given)],
    )}  # fmt: skip
    taken = {each.name for each in given} | set(names.values())
    named: list[ServiceMap] = []
    for each in found:
        name = names.get(each) or _free(each.name, taken)
        taken.add(name)
        named.append(each.model_copy(update={"name": name}))
    return tuple(named)


def _pairs(found: Sequence[ServiceMap], recorded: Sequence[RecordedDatabase]) -> Iterator[tuple[ServiceMap, str]]:
    """Maps of one scheme with the names that are meant by them."""
    known = {each: next((one for one in recorded if _is(each, one)), None) for each in found}
    yield from ((each, each.name) for each, one in known.items() if one is not None)
    rest = [each for each in found if known[each] is None]
    left = [each for each in recorded if each not in known.values()]
    alike = {each: [one for one in left if _database(each) in one.opened] for each in rest}
    for each, ones in alike.items():
        if len(ones) == 1 and sum(ones[0] in others for others in alike.values()) == 1:
            yield each, ones[0].name
            rest.remove(each)
            left.remove(ones[0])
    if len(rest) == len(left) == 1:
        yield rest[0], left[0].name
    elif rest and left:
        raise _unclear(rest, left)


def _is_taken(recorded: RecordedDatabase, given: Iterable[ServiceMap]) -> bool:
    return any(recorded.name == each.name or _is(each, recorded) for each in given)


def _is(service: ServiceMap, recorded: RecordedDatabase) -> bool:
    """Whether the recording calls it so: by its name or by its address."""
    if service.scheme != recorded.scheme:
        return False
    host, colon, port = recorded.name.rpartition(":")
    at = colon and port.isdecimal() and Dsn(host.strip("[]"), int(port)).is_at(service.host, service.port)
    return service.name == recorded.name or bool(at)


def _database(service: ServiceMap) -> str:
    server = NAMINGS[service.scheme].urls.parse(service.url) if service.url else None
    return server.database if server is not None else ""


def _free(name: str, taken: Iterable[str]) -> str:
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, 1000))) if one not in taken)


def _unclear(found: Sequence[ServiceMap], recorded: Sequence[RecordedDatabase]) -> UsageError:
    scheme, names = found[0].scheme, _listed([each.name for each in recorded])
    variables = _listed([each.found_in for each in found])
    if len(recorded) == 1:
        problem = f"the snapshot knows the {scheme} service {names}, {variables} may each be it"
    elif len(found) == 1:
        neither = "neither" if len(recorded) == 2 else "none of them"
        problem = f"the snapshot knows the {scheme} services {names}, {variables} is {neither}"
    else:
        problem = f"the snapshot knows the {scheme} services {names}, {variables} are called otherwise"
    return UsageError(problem, f"give --map NAME={scheme}://HOST:PORT/DATABASE with the name that is meant")


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
