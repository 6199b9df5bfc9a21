"""Where a project's wiretape files live: found by walking up, created only when something is to be written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Self

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.spec import PortClaim
from wiretape_capture.snapshot.listing import tape_path
from wiretape_server.workspace.config import FILE_NAME, Config, load
from wiretape_server.workspace.names import DATA_DIR, dated_names

JOB_FILES = 400
"""Logs, journals and claims kept in `jobs/`: those of about a hundred jobs."""
PASSING = frozenset({".log", ".journal", ".env", ".claim"})
"""Suffixes of files that a job leaves behind; locks and secrets beside them stay."""

GITIGNORE = """\
# Written by wiretape. Recordings hold real traffic and ca/ holds a private key.
# To share snapshots with your team, take out the line that names them.
/ca/
/jobs/
/runs/
/snapshots/
"""


@dataclass(frozen=True)
class Workspace:
    """A project's root with its configuration."""

    root: Path
    config: Config = field(default_factory=Config)
    file: Path | None = None
    """The `wiretape.toml` that was read; None when there is none."""

    @classmethod
    def find(cls, start: Path) -> Self:
        """The workspace `start` lies in: the nearest parent with a wiretape.toml or .wiretape, else `start` itself."""
        start = start.resolve()
        for folder in (start, *start.parents):
            file = folder / FILE_NAME
            if file.exists():
                return cls(folder, load(file), file)
            if (folder / DATA_DIR).is_dir():
                return cls(folder)
        return cls(start)

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """The same workspace with dotted keys of its configuration replaced: flags and tool arguments win."""
        return replace(self, config=self.config.with_settings(settings))

    @property
    def data_dir(self) -> Path:
        """`.wiretape`, which may not exist yet."""
        return self.root / DATA_DIR

    @property
    def snapshots_dir(self) -> Path:
        """Where `*.tape` files live."""
        return self.data_dir / "snapshots"

    @property
    def runs_dir(self) -> Path:
        """Where `*.run` files live."""
        return self.data_dir / "runs"

    @property
    def ca_dir(self) -> Path:
        """Where the certificate authority lives."""
        return self.data_dir / "ca"

    @property
    def jobs_dir(self) -> Path:
        """Where logs of jobs and apps live."""
        return self.data_dir / "jobs"

    @property
    def cache_dir(self) -> Path:
        """Where indexes for text searches live; made when the first is needed, never shared."""
        return self.data_dir / "cache"

    def create(self) -> None:
        """Make the data directories, readable by their owner only."""
        try:
            for folder in (self.data_dir, self.snapshots_dir, self.runs_dir, self.ca_dir, self.jobs_dir):
                folder.mkdir(mode=0o700, exist_ok=True)
            ignore = self.data_dir / ".gitignore"
            if not ignore.exists():
                ignore.write_text(GITIGNORE, encoding="utf-8")
            self._tidy_jobs()
        except FileExistsError as error:
            raise WiretapeError(f"{error.filename} is a file where wiretape keeps a directory",
                                "move it away, or run wiretape in another directory") from None  # fmt: skip
        except OSError as error:
            raise WiretapeError(f"{self.data_dir} cannot be written ({error.strerror})",
                                "run wiretape in a directory that you may write to") from None  # fmt: skip

    def _tidy_jobs(self) -> None:
        """Keep the newest logs and journals only; those of running jobs are among them."""
        dated: list[tuple[int, Path]] = []
        for file in self.jobs_dir.iterdir():
            with suppress(FileNotFoundError):  # another process tidies too
                if file.suffix in PASSING:
                    dated.append((file.stat().st_mtime_ns, file))
        for _, file in sorted(dated, reverse=True)[JOB_FILES:]:
            file.unlink(missing_ok=True)

    def snapshot_path(self, name: str) -> Path:
        """The file of the snapshot called `name`, whether it exists or not."""
        return tape_path(self.snapshots_dir, name)

    def new_snapshot_name(self, now: datetime) -> str:
        """A name for a recording that begins now, given to nobody else."""
        return self._claimed(now, self.snapshots_dir, ".tape")

    def new_run_path(self, now: datetime) -> Path:
        """A path for a run that begins now, given to nobody else: the file itself is written at the run's end."""
        return self.runs_dir / f"{self._claimed(now, self.runs_dir, '.run')}.run"

    def new_job_name(self, kind: str, now: datetime) -> str:
        """What the files of a job that begins now are called; in a workspace without files nobody asks at once."""
        names = (f"{kind}-{name}" for name in dated_names(now))
        return next(name for name in names
                    if not self.jobs_dir.is_dir() or _first_to_make(self.jobs_dir / f"{name}.claim"))  # fmt: skip

    def new_mock_name(self) -> str:
        """An id for a mock, given to nobody else in this workspace: its log and journal carry it."""
        names = (f"mock-{number}" for number in count(1))
        return next(name for name in names if _first_to_make(self.jobs_dir / f"{name}.claim"))

    def port_claim(self, port: int, holder: str) -> PortClaim:
        """What keeps other jobs of this workspace from starting the app on `port` at the same time."""
        return PortClaim(file=self.jobs_dir / f"app-{port}.lock", port=port, holder=holder)

    def _claimed(self, now: datetime, directory: Path, suffix: str) -> str:
        self.create()
        names = dated_names(now, shared=bool(self.config.store))
        return next(name for name in names if not (directory / f"{name}{suffix}").exists()
                    and _first_to_make(self.jobs_dir / f"{name}{suffix}.claim"))  # fmt: skip


def _first_to_make(file: Path) -> bool:
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
