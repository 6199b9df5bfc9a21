"""Where a project's wiretape files live: found by walking up, created only when something is to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from wiretape_capture.errors import WiretapeError
from wiretape_capture.snapshot.listing import tape_path
from wiretape_server.workspace.config import FILE_NAME, Config, load
from wiretape_server.workspace.names import dated_name

DATA_DIR = ".wiretape"

JOB_FILES = 400
"""Logs and journals kept in `jobs/`: those of about a hundred jobs."""

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
            if file.is_file():
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

    def create(self) -> None:
        """Make the data directories, readable by their owner only."""
        try:
            for folder in (self.data_dir, self.snapshots_dir, self.runs_dir, self.ca_dir, self.jobs_dir):
                folder.mkdir(mode=0o700, exist_ok=True)
            ignore = self.data_dir / ".gitignore"
            if not ignore.exists():
                ignore.write_text(GITIGNORE, encoding="utf-8")
            self._tidy_jobs()
        except OSError as error:
            raise WiretapeError(f"{self.data_dir} cannot be written ({error.strerror})",
                                "run wiretape in a directory that you may write to") from None  # fmt: skip

    def _tidy_jobs(self) -> None:
        """Keep the newest logs and journals only; those of running jobs are among them."""
        files = sorted(self.jobs_dir.iterdir(), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for file in files[JOB_FILES:]:
            file.unlink(missing_ok=True)

    def snapshot_path(self, name: str) -> Path:
        """The file of the snapshot called `name`, whether it exists or not."""
        return tape_path(self.snapshots_dir, name)

    def new_snapshot_name(self, now: datetime) -> str:
        """A free name for a recording that begins now."""
        return dated_name(now, self.snapshots_dir, ".tape")

    def new_run_path(self, now: datetime) -> Path:
        """A free path for a run that begins now."""
        return self.runs_dir / f"{dated_name(now, self.runs_dir, '.run')}.run"
