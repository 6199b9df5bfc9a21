"""Which keys of wiretape.toml can change a verdict: all but those named here, so that a new key counts at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import JsonValue

from wiretape_replay.verdict.basis_changes import LOAD
from wiretape_server.workspace.config import Config, known_keys

EXEMPT = frozenset({
    "app.ready", "app.ready_timeout", "app.log",  # when the app is up, and where its output goes
    "record.listen", "record.proxy_port", "mock.proxy_port", "replay.baseline_port",  # ports of ours
    "record.engine", "record.overflow",  # how traffic is carried, never what it was
    "mcp.transport", "mcp.host", "mcp.port", "mcp.token", "mcp.allow_hosts",
    "mcp.idle",  # who may ask, never what is answered
    "load.workers", "load.cluster", "load.allow_writes",  # who sends, and where writes may go
    "store",  # where a recording came from; its hash says what it is
    "replay.lock_hash",  # the lock cannot hold its own hash
})  # fmt: skip
"""Keys that change no verdict."""

APART = frozenset({"snapshot", "noise", "replay.fail_if", "app.start", "replay.mock"})
"""Keys that are told by what they come to: a recording, noise rules, evals, an app and a mock of ours."""

PATHS = frozenset({"app.cwd", "replay.openapi", "replay.baseline_cwd"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def judging_settings(config: Config, root: Path, *, started: bool, mocked: bool) -> dict[str, JsonValue]:
    """The values that differ from their defaults, the same on every machine: relative paths, no secrets."""
    settings = {key: value for key, value in _settings(config, root).items() if not key.startswith(LOAD)}
    return settings | {"app.start": started, "replay.mock": mocked}


def judging_load(config: Config, root: Path, *, started: bool) -> dict[str, JsonValue]:
    """The same for a load, which has no mock, but a way of sending that its times depend on."""
    return _settings(config, root) | {"app.start": started}


def load_settings(config: Config) -> dict[str, JsonValue]:
    """How loads are sent."""
    return {key: value for key, value in _settings(config, Path()).items() if key.startswith(LOAD)}


def _settings(config: Config, root: Path) -> dict[str, JsonValue]:
    given, default = config.model_dump(mode="json"), Config().model_dump(mode="json")
    settings: dict[str, JsonValue] = {}
    for key in known_keys():
        value = _at(given, key)
        if key not in EXEMPT | APART and value is not None and value != _at(default, key):
            settings[key] = _portable(key, value, root)
    return {key: value for key, value in settings.items() if value is not None}


def _at(tree: JsonValue, key: str) -> JsonValue:
    for part in key.split("."):
        assert isinstance(tree, dict)
        tree = tree[part]
    return tree


def _portable(key: str, value: JsonValue, root: Path) -> JsonValue:
    if key in PATHS and isinstance(value, str):
        relative = os.path.relpath(root / value, root)
        return None if key == "app.cwd" and relative == "." else relative
    if key == "app.env" and isinstance(value, dict):  # a lock is committed, and a variable may be a secret
        return {name: _fingerprint(name, str(text)) for name, text in sorted(value.items())}
    if key == "replay.target" and isinstance(value, str) and urlsplit(value).hostname in LOOPBACK:
        return "loopback"  # which port the user's own app has says nothing about it
    if key == "replay.sign" and isinstance(value, list):
        return [{name: text for name, text in each.items() if text} for each in value if isinstance(each, dict)]
    return value


def _fingerprint(name: str, text: str) -> str:
    return "sha256:" + hashlib.sha256(f"{name}\0{text}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
