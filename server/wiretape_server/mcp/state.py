"""What one server process holds between calls: how it was started, its jobs, and the key of its fingerprints."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape_capture.errors import WiretapeError
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.names import inside
from wiretape_server.mcp.options import ServeOptions

if TYPE_CHECKING:
    from wiretape_server.workspace.workspace import Workspace


KEY_FILE = "fingerprint.key"


@dataclass(frozen=True)
class ServerState:
    """Given to every tool. Snapshots and runs are files; nothing about them is kept here."""

    options: ServeOptions
    jobs: LiveJobs
    places_at_start: frozenset[str] = frozenset()
    """Where wiretape.toml had replays sent when the server started; what an agent writes there later is not allowed."""
    new_key: str = field(default_factory=lambda: secrets.token_hex(32))
    """For a workspace that has none yet."""

    def workspace(self) -> Workspace:
        """The project as it is now: wiretape.toml may have changed since the last call."""
        from wiretape_server.workspace.workspace import Workspace

        workspace = Workspace.find(self.options.directory)
        for folder in (workspace.data_dir, workspace.snapshots_dir, workspace.runs_dir, workspace.jobs_dir,
                       workspace.ca_dir, workspace.cache_dir):  # fmt: skip
            inside(folder, workspace.root)  # a repository may bring links to another project's recordings
        return workspace

    def mask(self) -> Mask:
        """Masks credentials with this workspace's key; a tool that only reads makes no file for it."""
        path = self.workspace().jobs_dir / KEY_FILE
        return Mask(bytes.fromhex(_read_secret(path) if path.exists() else self.new_key))

    def prepare(self, workspace: Workspace) -> None:
        """Make the folders that jobs write to, and keep the key that values were masked with so far."""
        workspace.create()
        secret_file(workspace.jobs_dir / KEY_FILE, self.new_key)

    def secret(self, name: str) -> str:
        """A secret of this workspace."""
        workspace = self.workspace()
        workspace.create()
        return secret_file(workspace.jobs_dir / name)

    def log_path(self, name: str) -> Path:
        """Where a job's stderr goes."""
        return self.workspace().jobs_dir / f"{name}.log"


def secret_file(path: Path, fresh: str = "") -> str:
    """A random hex secret, made on first use (or `fresh`) and readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with os.fdopen(descriptor, "w") as file:
        secret = fresh or secrets.token_hex(32)
        file.write(secret + "\n")
    return secret


def _read_secret(path: Path) -> str:
    """A secret that is empty or that others can read protects nothing."""
    secret = path.read_text().strip()
    if not re.fullmatch(r"[0-9a-f]{64}", secret) or path.stat().st_mode & 0o077:
        raise WiretapeError(f"{path.name} is damaged or readable by others", f"delete {path}: a new one is made")
    return secret
