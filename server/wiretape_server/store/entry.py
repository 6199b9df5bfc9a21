"""What a store says of one snapshot or run: a small JSON object that names the file, its hash and what is in it.

The file lies under its hash and the entry is written last, so that a store never shows half of anything.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import orjson
from pydantic import Field, ValidationError

from wiretape_capture.errors import SnapshotUnreadable
from wiretape_capture.snapshot.exchange import Model, SnapshotInfo
from wiretape_replay.verdict.model import Run

FORMAT = 1


class Kind(StrEnum):
    """What is kept."""

    SNAPSHOT = "snapshot"
    RUN = "run"

    @property
    def folder(self) -> str:
        """Its part of the store."""
        return f"{self.value}s"

    @property
    def suffix(self) -> str:
        """Of its files."""
        return ".tape" if self is Kind.SNAPSHOT else ".run"


class RunBrief(Model):
    """The line of `wiretape runs` about a run."""

    snapshot: str
    snapshot_sha256: str
    started_ns: int
    verdict: str
    changes: int = 0
    """Changes to what judges it."""
    sent: int
    failed: int
    findings: int
    p95_ms: float | None = None

    @classmethod
    def of(cls, run: Run) -> Self:
        """The line about this run."""
        return cls(
            snapshot=run.snapshot, snapshot_sha256=run.snapshot_sha256, started_ns=run.started_ns,
            verdict=run.verdict.verdict, changes=len(run.integrity.counted) if run.integrity else 0,
            sent=run.counts.total, failed=run.counts.failed, findings=len(run.verdict.findings),
            p95_ms=run.latency.p95 if run.latency else None,
        )  # fmt: skip


class Entry(Model):
    """One snapshot or run of a store."""

    format: int = FORMAT
    kind: Kind
    name: str
    sha256: str = Field(pattern=r"[0-9a-f]{64}")
    """Of the file, byte by byte."""
    size_bytes: int = Field(ge=0)
    pushed_ns: int
    snapshot: SnapshotInfo | None = None
    run: RunBrief | None = None

    @property
    def key(self) -> str:
        """Where the entry lies."""
        return entry_key(self.kind, self.name)

    @property
    def file_key(self) -> str:
        """Where the file lies: beside its entry, so that everything of one name can be found and removed by hand."""
        return f"{self.kind.folder}/{self.name}/{self.sha256}{self.kind.suffix}"

    @property
    def made_ns(self) -> int:
        """When it was recorded or began."""
        return self.snapshot.created_ns if self.snapshot else self.run.started_ns if self.run else self.pushed_ns

    def same_as(self, other: Entry) -> bool:
        """Whether both are one recording or one run; the files of a recording that was renamed and back may differ."""
        if self.snapshot is not None and other.snapshot is not None:
            return self.snapshot.sha256 == other.snapshot.sha256
        return self.sha256 == other.sha256

    def encoded(self) -> bytes:
        """As the store keeps it."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    @classmethod
    def decoded(cls, data: bytes, kind: Kind, name: str) -> Self:
        """From what the store had under this name; it may be anything."""
        try:
            tree = orjson.loads(data)
            if isinstance(tree, dict) and isinstance(tree.get("format"), int) and tree["format"] > FORMAT:
                raise SnapshotUnreadable(f"{kind} {name} was pushed by a newer wiretape", "upgrade wiretape")
            entry = cls.model_validate(tree)
        except (orjson.JSONDecodeError, ValidationError):
            raise damaged(kind, name) from None
        if (entry.kind, entry.name) != (kind, name) or (entry.snapshot is None) == (entry.run is None):
            raise damaged(kind, name)
        return entry


def entry_key(kind: Kind, name: str) -> str:
    """Where the entry of that name lies."""
    return f"{kind.folder}/{name}.json"


def damaged(kind: Kind, name: str) -> SnapshotUnreadable:
    """The store has something there that wiretape did not write."""
    return SnapshotUnreadable(f"the store's entry of {kind} {name} is damaged", "push it again with --force")
