"""The greeting of a MongoDB connection: what a client may agree on with wiretape between, and where it is led. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wiretape_capture.protocols.mongodb.commands import GREETINGS, LOGINS, name_of

_VOLATILE = frozenset({
    "$clusterTime", "operationTime", "localTime", "lastWrite", "topologyVersion", "connectionId",
    "speculativeAuthenticate", "compression", "saslSupportedMechs", "electionId", "$configTime", "$topologyTime",
})  # fmt: skip
_OF_OTHERS = frozenset({"passives", "arbiters", "tags", "hidden", "passive", "arbiterOnly"})


def is_greeting(command: Mapping[str, Any]) -> bool:
    """Whether a command is `hello` or its older spelling."""
    return name_of(command).lower() in GREETINGS


def is_login(command: Mapping[str, Any]) -> bool:
    """Whether a command belongs to a login."""
    return name_of(command).lower() in LOGINS


def asked(hello: Mapping[str, Any], *, logs_in: bool) -> dict[str, Any]:
    """A client's greeting as the server gets it: nothing is compressed, and where wiretape logs in the app need not."""
    kept = {name: value for name, value in hello.items() if name != "compression"}
    if logs_in:
        kept.pop("speculativeAuthenticate", None)
    return kept


def at_home(reply: Mapping[str, Any], here: str) -> dict[str, Any]:
    """A server's greeting that leads the client back to `here` (`host:port`), whatever set the server belongs to."""
    kept = {name: value for name, value in reply.items() if name not in _OF_OTHERS and name != "compression"}
    for name in ("me", "primary"):
        if name in kept:
            kept[name] = here
    if "hosts" in kept:
        kept["hosts"] = [here]
    return kept


def remembered(reply: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a server's greeting: what it can, and not when it was asked or whom it knows."""
    kept = {name: value for name, value in reply.items() if name not in _VOLATILE}
    return at_home(kept, "wiretape:27017")
