"""A contract as an OpenAPI 3.1 description; every schema carries its evidence as `x-wiretape-evidence`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from wiretape_replay.contract.answers import Answers, Requests
from wiretape_replay.contract.check import ENOUGH
from wiretape_replay.contract.fold import folded
from wiretape_replay.contract.leaf import Profile, merged
from wiretape_replay.contract.profile import Contract
from wiretape_replay.openapi.schema import schema_of

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
"""Methods that a path item can describe."""
RECORDED = "x-wiretape-snapshots"
"""Marks a description that says what was seen, not what was promised."""
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_NOT_JSON = re.compile(r"text/|application/(?:xml|.*\+xml)|multipart/")

type Json = dict[str, Any]


def openapi(contract: Contract, snapshots: Sequence[str]) -> Json:
    """The whole description. Methods and paths that OpenAPI cannot name are listed in `x-wiretape-left-out`."""
    paths: dict[str, Json] = {}
    spelt: dict[str, str] = {}
    left_out = []
    for route in contract.routes:
        method, _, path = route.partition(" ")
        if method.lower() not in METHODS or not path.startswith("/"):
            left_out.append(route)
            continue
        # Two paths that differ by the names of their parameters only are the same path to OpenAPI.
        path = spelt.setdefault(_PARAMETER.sub("{}", path), path)
        paths.setdefault(path, {})[method.lower()] = _operation(contract, route, path)
    schemes = sorted({scheme for sent in contract.requests.values() for scheme in sent.schemes})
    name = ", ".join(snapshots)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"What was recorded in {name}", "version": "recorded"},
        "paths": paths,
        **({"components": {"securitySchemes": {each: _scheme(each) for each in schemes}}} if schemes else {}),
        RECORDED: list(snapshots),
        **({"x-wiretape-left-out": left_out} if left_out else {}),
    }


def _operation(contract: Contract, route: str, path: str) -> Json:
    sent = contract.requests.get(route, Requests())
    statuses = contract.statuses(route)
    operation: Json = {"summary": route}
    if parameters := [*_path_parameters(sent, route, path), *_parameters(sent.query, "query"),
                      *_parameters(sent.headers, "header")]:  # fmt: skip
        operation["parameters"] = parameters
    if sent.media:
        operation["requestBody"] = _request_body(sent)
    operation["responses"] = {
        str(status): _response(contract.answers[route, status], contract.body(route, status), status)
        for status in sorted(statuses)
    }
    if sent.schemes:
        optional: list[Json] = [] if sent.schemes.total() == sent.count else [{}]
        operation["security"] = [*optional, *({scheme: []} for scheme in sorted(sent.schemes))]
    operation["x-wiretape-evidence"] = {"requests": sent.count, "answers": statuses.total()}
    return operation


def _path_parameters(sent: Requests, route: str, path: str) -> list[Json]:
    own = _PARAMETER.findall(route)
    profiles = [sent.parameters.members.get(name, Profile()) for name in own]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": schema_of(profile) if profile.seen else {"type": "string"},
        }
        for name, profile in zip(_PARAMETER.findall(path), profiles, strict=True)
    ]


def _parameters(profile: Profile, place: str) -> list[Json]:
    requests = profile.types["object"]
    return [
        {
            "name": name, "in": place, "required": below.seen == requests >= ENOUGH,
            "schema": schema_of(_repeated(below), name, of=requests),
        }
        for name, below in sorted(profile.members.items()) if name != "*"
    ]  # fmt: skip


def _repeated(profile: Profile) -> Profile:
    """A parameter that came once or several times is an array of what it was."""
    if "array" not in profile.types:
        return profile
    element = Profile()
    for kind, count in profile.types.items():
        if kind != "array":
            element.types[kind] = count
    element.formats, element.texts, element.numbers = profile.formats, profile.texts, profile.numbers
    array = Profile()
    array.types["array"] = profile.seen
    array.members["*"] = merged(element, profile.members.get("*", Profile()))
    return array


def _request_body(sent: Requests) -> Json:
    content = {
        media or "application/octet-stream": _media(media, folded(sent.bodies[media]) if media in sent.bodies else None)
        for media in sorted(sent.media)
    }
    return {"required": sent.media.total() == sent.count >= ENOUGH, "content": content}


def _response(answers: Answers, body: Profile, status: int) -> Json:
    described: Json = {"description": _phrase(status)}
    if headers := {
        name: {"required": below.seen == answers.count >= ENOUGH, "schema": schema_of(below, name, of=answers.count)}
        for name, below in sorted(answers.headers.members.items()) if name != "*"
    }:  # fmt: skip
        described["headers"] = headers
    if answers.media:
        described["content"] = {
            media or "application/octet-stream": _media(media, body if body.seen else None)
            for media in sorted(answers.media)
        }
    return described | {"x-wiretape-evidence": {"answers": answers.count, "with_body": answers.media.total()}}


def _media(media: str, body: Profile | None) -> Json:
    if _NOT_JSON.match(media):
        return {"schema": {"type": "string"}} if media.startswith("text/") else {}
    return {"schema": schema_of(body)} if body is not None else {}


def _scheme(name: str) -> Json:
    return {"type": "http", "scheme": name}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
