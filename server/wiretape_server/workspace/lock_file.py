"""`wiretape.lock`: what verdicts were reviewed to rest on, made to be committed. Written by `wiretape lock` alone."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_replay.verdict.basis import Basis, Lock, LockInUse, short
from wiretape_server.workspace.config import plain_reason
from wiretape_server.workspace.toml_lines import line_of

FILE_NAME = "wiretape.lock"
GIT_SECONDS = 5.0

HEADER = """\
# What the verdicts of this project rest on beside the code: recordings, evals, noise, settings. A verdict names
# whatever is not as written here, and `wiretape verify --locked` refuses it.
# Written by `wiretape lock`: review a change of this file like a change of the tests.
"""


def lock_in_use(root: Path, expected: str = "") -> LockInUse | None:
    """The lock of a project; None where there is none. A broken one is an error, never ignored.

    `expected` is the hash that was reviewed, or its beginning: any other lock counts as not reviewed.
    """
    path = root / FILE_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WiretapeError(f"{path} cannot be read ({error.strerror})", "check the file's permissions") from None
    sha256 = hashlib.sha256(data).hexdigest()
    other = f"{FILE_NAME} is {short(sha256)}, not {short(expected)}" if not sha256.startswith(expected) else ""
    return LockInUse(name=FILE_NAME, sha256=sha256, lock=parse_lock(data), unreviewed=other or _unreviewed(root, data))


def parse_lock(data: bytes) -> Lock:
    """The lock that the file's bytes stand for."""
    remedy = "take it back with git, or delete it and write it anew with: wiretape lock"
    try:
        text = data.decode()
        return Lock.model_validate(tomllib.loads(text))
    except UnicodeDecodeError:
        raise UsageError(f"{FILE_NAME} is not UTF-8 text", remedy) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{FILE_NAME} is not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}", remedy) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["loc"][:1] == ("version",):
            raise UsageError(f"{FILE_NAME} was written by another version of wiretape", "upgrade wiretape") from None
        raise UsageError(f"{FILE_NAME} line {line_of(text, first['loc'])}: {key}: {plain_reason(first)}",
                         remedy) from None  # fmt: skip


def locked(old: Lock | None, basis: Basis, loads: Mapping[str, JsonValue]) -> Lock:
    """The lock with what `basis` and, with the settings `loads`, a load rests on; snapshots locked before stay."""
    others = () if old is None else tuple(one for one in old.snapshot if one.name != basis.recording.name)
    snapshots = sorted((*others, basis.recording), key=lambda one: one.name)
    return Lock(evals=basis.evals, settings=basis.settings | dict(loads), files=basis.files, noise=basis.noise,
                snapshot=tuple(snapshots))  # fmt: skip


def lock_text(lock: Lock) -> str:
    """The file's text: one line a fact, sorted, so that a diff shows what changed."""
    evals = "".join(f"    {_toml(one)},\n" for one in lock.evals)
    parts = [HEADER, f"version = {lock.version}\nevals = [\n{evals}]\n"]
    parts += [_table("[settings]", dict(sorted(lock.settings.items())))] if lock.settings else []
    parts += [_table("[files]", dict(sorted(lock.files.items())))] if lock.files else []
    parts += [_table("[[noise]]", entry.model_dump(exclude_defaults=True)) for entry in lock.noise]
    for one in lock.snapshot:
        parts.append(_table("[[snapshot]]", one.model_dump(exclude={"routes"})))
        parts += [_table("[snapshot.routes]", one.routes)] if one.routes else []
    return "\n".join(parts)


def write_lock(root: Path, lock: Lock) -> str:
    """Write the file whole, and give its hash."""
    data = lock_text(lock).encode()
    path = root / FILE_NAME
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise WiretapeError(f"{path} cannot be written ({error.strerror})", "check the folder's rights") from None
    return hashlib.sha256(data).hexdigest()


def _table(header: str, values: Mapping[str, Any]) -> str:
    return header + "\n" + "".join(f"{_key(name)} = {_toml(value)}\n" for name, value in values.items())


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _toml(name)


def _toml(value: object) -> str:
    """TOML spells strings, numbers, booleans and arrays as JSON does, but for DEL and for tables."""
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_key(name)} = {_toml(each)}" for name, each in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unreviewed(root: Path, data: bytes) -> str:
    """Whether git has another content committed. The commit itself is asked: the index can be told to look away."""
    if _git(root, "rev-parse", "--is-inside-work-tree") is None:
        return ""
    committed = _git(root, "show", f"HEAD:./{FILE_NAME}")
    if committed is None:
        return f"{FILE_NAME} is not committed, so nobody reviewed it"
    same = committed.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")
    return "" if same else f"{FILE_NAME} is not as it was committed, so nobody reviewed it"


def _git(root: Path, *words: str) -> bytes | None:
    """What git says; None when it refuses or is not there."""
    try:
        said = subprocess.run(["git", "-C", str(root), *words], capture_output=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout if said.returncode == 0 else None
