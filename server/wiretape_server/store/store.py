"""A store of snapshots and runs that machines share: put, get, list. Its files are checked against their hashes."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from wiretape_capture.errors import SnapshotUnreadable, UsageError, WiretapeError
from wiretape_capture.snapshot.listing import checked_name
from wiretape_server.store.address import address_of
from wiretape_server.store.entry import Entry, Kind, entry_key
from wiretape_server.store.failing import Absent, Taken
from wiretape_server.store.objects import Objects
from wiretape_server.workspace.names import nearest

AT_ONCE = 8
"""Entries read at a time for a listing."""
STALE_SECONDS = 24 * 3600
"""After which a part of a download that was killed is removed."""


class Done(StrEnum):
    """What became of a push or a pull."""

    PUSHED = "pushed"
    PULLED = "pulled"
    REPLACED = "replaced"
    THERE = "already there"


@dataclass(frozen=True, slots=True)
class Store:
    """One store."""

    objects: Objects

    @classmethod
    def open(cls, url: str, *, write: bool = False) -> Self:
        """The store of that URL; what it needs is checked, nothing is asked of it yet."""
        return cls(Objects.open(address_of(url), write=write))

    def __str__(self) -> str:
        """Its URL."""
        return str(self.objects.address)

    def entry(self, kind: Kind, name: str) -> Entry | None:
        """What the store says of a snapshot or run; None when it has none of that name."""
        try:
            return Entry.decoded(self.objects.read(entry_key(kind, name))[0], kind, name)
        except Absent:
            return None

    def names(self, kind: Kind) -> list[str]:
        """All names, sorted; what wiretape did not write is passed over."""
        found = (Path(key) for key in self.objects.keys(kind.folder))
        return sorted(path.stem for path in found if path.suffix == ".json" and _valid(path.stem))

    def entries(self, kind: Kind) -> tuple[list[Entry], list[str]]:
        """All entries, those made last first, and a sentence for each that cannot be read."""
        good: list[Entry] = []
        broken: list[str] = []

        def look(name: str) -> Entry | SnapshotUnreadable | None:
            try:
                return self.entry(kind, name)
            except SnapshotUnreadable as error:
                return error

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for found in pool.map(look, self.names(kind)):
                if isinstance(found, SnapshotUnreadable):
                    broken.append(str(found))
                elif found is not None:
                    good.append(found)
        return sorted(good, key=lambda entry: (-entry.made_ns, entry.name)), broken

    def put(self, entry: Entry, path: Path, *, force: bool) -> Done:
        """Keep a file under its name; another one of that name is replaced with `force` only."""
        before, mark = self._before(entry)
        if before is not None and not force:
            if before.same_as(entry):
                return Done.THERE
            raise self._different(entry, before)
        self._upload(entry, path, again=force)
        try:
            if mark is None:
                self.objects.create(entry.key, entry.encoded())
                return Done.PUSHED
            self.objects.replace(entry.key, entry.encoded(), mark)
        except Taken:
            now = self.entry(entry.kind, entry.name)
            if now is not None and now.same_as(entry):
                return Done.THERE
            raise self._different(entry, now) from None
        return Done.REPLACED

    def get(self, entry: Entry, folder: Path) -> Path:
        """Download a file, check it against its hash and give where it lies: hidden, for the caller to move away."""
        _sweep(folder)
        handle, part = tempfile.mkstemp(prefix=".wiretape-", suffix=".part", dir=folder)
        path = Path(part)
        whole = hashlib.sha256()
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in self._pieces(entry):
                    whole.update(piece)
                    file.write(piece)
            if whole.hexdigest() != entry.sha256:
                raise self._corrupt(entry)
        except Absent:
            path.unlink(missing_ok=True)
            raise self._corrupt(entry, "missing") from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of a file; one that is shorter than it was is told as that."""
        try:
            yield from self.objects.pieces(entry.file_key, entry.size_bytes)
        except WiretapeError:
            if self.objects.size(entry.file_key) < entry.size_bytes:
                raise self._corrupt(entry) from None
            raise

    def begun(self, kind: Kind, name: str) -> str:
        """The name that is meant by its beginning; `name` itself where that is none or several."""
        names = self.names(kind)
        found = [each for each in names if each.startswith(name)]
        return found[0] if len(found) == 1 and name not in names else name

    def missing(self, kind: Kind, name: str) -> UsageError:
        """There is none of that name."""
        names = self.names(kind)
        close = nearest(name, names)
        listed = f"`wiretape {kind.folder} --remote` lists what it has"
        return UsageError(f"there is no {kind} '{name}' in {self}", f"did you mean '{close}'?" if close else listed)

    def _before(self, entry: Entry) -> tuple[Entry | None, dict[str, str] | None]:
        """What is there under the name, and what a replacement has to name; damaged entries count as different."""
        try:
            data, mark = self.objects.read(entry.key)
        except Absent:
            return None, None
        try:
            return Entry.decoded(data, entry.kind, entry.name), mark
        except SnapshotUnreadable:
            return entry.model_copy(update={"sha256": "", "snapshot": None, "pushed_ns": 0}), mark

    def _upload(self, entry: Entry, path: Path, *, again: bool) -> None:
        with suppress(Absent):
            if not again and self.objects.size(entry.file_key) == entry.size_bytes:
                return
        try:
            self.objects.upload(entry.file_key, path)
        except Absent:
            raise WiretapeError(f"{self} cannot be written to", "check the store's URL") from None

    def _different(self, entry: Entry, other: Entry | None) -> UsageError:
        if other is not None and not other.sha256:
            return UsageError(f"{self} has another {entry.kind} '{entry.name}', the entry of which is damaged",
                              "put yours in its place with --force")  # fmt: skip
        since = f", pushed {time.strftime('%Y-%m-%d %H:%M', time.gmtime(other.pushed_ns / 1e9))} UTC" \
            if other is not None and other.pushed_ns else ""  # fmt: skip
        return UsageError(f"{self} has another {entry.kind} '{entry.name}'{since}",
                          "rename yours, or replace that one with --force")  # fmt: skip

    def _corrupt(self, entry: Entry, how: str = "not as it was pushed") -> SnapshotUnreadable:
        return SnapshotUnreadable(f"the file of {entry.kind} '{entry.name}' in {self} is {how}; nothing was kept of it",
                                  "push it again with --force from a machine that has it")  # fmt: skip


def file_sha256(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_size(path: Path) -> int:
    """Its bytes."""
    return path.stat().st_size


def place(part: Path, target: Path, *, replace: bool) -> None:
    """Give a downloaded file its name; without `replace` a file that came there meanwhile stays and is an error."""
    if replace:
        part.replace(target)
        return
    try:
        target.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(target) from None
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Parts of downloads that were killed."""
    for part in folder.glob(".wiretape-*.part"):
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < time.time() - STALE_SECONDS:
                part.unlink()


def _valid(name: str) -> bool:
    try:
        checked_name(name)
    except UsageError:
        return False
    return True
