"""What a verdict rests on beside the app's code: recording, evals, noise, settings, files. And what of it changed.

Whoever may change these can make a red verdict green without mending anything, so each run keeps them and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

SHORT = 12
"""Hex digits of a hash as people compare them."""


class _Value(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class Recording(_Value):
    """A snapshot, as far as verdicts rest on it."""

    name: str
    sha256: str
    """Its content hash: another recording, or one that lost an exchange, has another."""
    inbound: int = 0
    outbound: int = 0
    routes: dict[str, int] = Field(default_factory=dict)
    """Inbound exchanges by route."""


class NoiseEntry(_Value):
    """One rule under which differences are no findings."""

    id: str
    route: str
    pointer: str
    kind: str
    """A kind of learned noise, or `declared` for a rule of wiretape.toml or a flag."""
    by: str = ""
    """Who accepted it; empty for what was measured or declared."""
    reason: str = ""
    date: str = ""
    sha256: str
    """Over the whole rule with its evidence and shape."""


class Basis(_Value):
    """All that one verdict rests on beside the app's code."""

    recording: Recording
    evals: tuple[str, ...] = ()
    noise: tuple[NoiseEntry, ...] = ()
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Keys of wiretape.toml, flags put over them, that differ from their defaults and can change a verdict."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file that a key names, by the key."""
    narrowed: bool = False
    """Whether `--only` chose among the exchanges."""
    replayed: int = 0
    """Exchanges that were chosen and can be replayed."""
    baseline: str = ""
    """The version of the unchanged code, as git says it."""
    load: bool = False
    """Whether a load rests on it: how it is sent counts too, and no mock takes part."""


class Lock(_Value):
    """What `wiretape.lock` holds: the same, reviewed, for one or more snapshots."""

    version: Literal[1] = 1
    evals: tuple[str, ...] = ()
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    noise: tuple[NoiseEntry, ...] = ()
    snapshot: tuple[Recording, ...] = ()

    def recording(self, name: str) -> Recording | None:
        """The snapshot of that name; None when it was never locked."""
        return next((one for one in self.snapshot if one.name == name), None)


class LockInUse(_Value):
    """A lock file as a run meets it."""

    name: str
    sha256: str
    lock: Lock
    unreviewed: str = ""
    """A sentence where the file is not what was committed; empty: it is, or there is no git."""


class Kind(StrEnum):
    """What kind of thing changed."""

    RECORDING = "recording"
    EVAL = "eval"
    NOISE = "noise"
    CONFIG = "config"
    SELECTION = "selection"
    FILE = "file"
    BASELINE = "baseline"
    LOCK = "lock"


class Effect(StrEnum):
    """Which way a change can turn a verdict."""

    LOOSER = "looser"
    STRICTER = "stricter"
    """It can turn green into red only: told, never refused."""
    OTHER = "other"


class BasisChange(_Value):
    """One change of what a verdict rests on."""

    kind: Kind
    subject: str
    """The snapshot, eval, rule or key."""
    effect: Effect
    message: str
    """One sentence."""


class Integrity(_Value):
    """What changed about the judge, and since when."""

    against: str
    """`wiretape.lock`, or the id of an earlier run."""
    lock_sha256: str = ""
    locked: bool = False
    """Whether changes are refused."""
    changes: tuple[BasisChange, ...] = ()
    total: int = 0
    """Changes that count, when `changes` was cut for a client."""

    @property
    def counted(self) -> tuple[BasisChange, ...]:
        """The changes that could have made the verdict greener."""
        return tuple(change for change in self.changes if change.effect is not Effect.STRICTER)

    @property
    def refusal(self) -> str:
        """Why a run may not pass although no eval failed: what judges it is not what was reviewed."""
        count = len(self.counted)
        if not self.locked or not count:
            return ""
        what = "a change to what judges the run is" if count == 1 else f"{count} changes to what judges the run are"
        return f"refused: {what} not in {self.against}"

    @property
    def label(self) -> str:
        """`, with 2 changes to what judges it`; empty without any."""
        count = self.total or len(self.counted)
        return f", with {count} {'change' if count == 1 else 'changes'} to what judges it" if count else ""


def short(sha256: str) -> str:
    """A hash as people compare it."""
    return sha256[:SHORT]


def by_id(entries: tuple[NoiseEntry, ...]) -> Mapping[str, NoiseEntry]:
    """Noise rules by their ids."""
    return {entry.id: entry for entry in entries}
