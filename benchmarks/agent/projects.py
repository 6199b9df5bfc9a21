"""The example apps as projects of their own: a copy of the source, a wiretape.toml, real services and real clients."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.verdict.client import Journey
from benchmarks.verdict.journeys import JOURNEYS
from benchmarks.verdict.recording import APPS, dependency
from wiretape_capture.launch.free_port import free_port
from wiretape_server.demo.stage import Ports, free_ports, send_traffic, services, set_stage

EXAMPLE = "examples/shop"
SEED = 4


@dataclass(frozen=True)
class Project:
    """One app in a folder."""

    app: str
    folder: Path
    ports: Ports | None = None
    """Those of the example's three processes."""

    @property
    def source(self) -> Path:
        """The file that is edited."""
        return self.folder / ("shop.py" if self.app == EXAMPLE else f"benchmarks/apps/{self.app}.py")

    @asynccontextmanager
    async def services(self) -> AsyncIterator[None]:
        """The real dependencies, which are there while something is recorded and gone afterwards."""
        if self.ports is not None:
            async with services(self.folder, self.ports):
                yield
            return
        async with dependency(self.folder, SEED, 0) as address:
            _write_config(self.folder, self.app, address)
            yield

    async def visit(self, inbound: str) -> None:
        """Send the app the requests of its clients."""
        if self.ports is not None:
            await send_traffic(self.folder, inbound)
            return
        journey = Journey(int(inbound.rpartition(":")[2]), random.Random(f"client:{self.app}:{SEED}"))
        await asyncio.to_thread(JOURNEYS[self.app], journey)
        journey.close()


def project(app: str, work: Path) -> Project:
    """The app laid out in a folder of its own."""
    folder = work / app.replace("/", "-")
    if app == EXAMPLE:
        ports = free_ports()
        set_stage(folder, ports)
        return Project(app, folder, ports)
    package = folder / "benchmarks" / "apps"
    package.mkdir(parents=True)
    (folder / "benchmarks" / "__init__.py").touch()
    for name in ("__init__.py", "life.py", f"{app}.py"):
        shutil.copy(APPS / name, package)
    return Project(app, folder)


def _write_config(folder: Path, app: str, address: str) -> None:
    port = free_port()
    (folder / "wiretape.toml").write_text(f"""\
[app]
command = ["{sys.executable}", "-m", "benchmarks.apps.{app}", "{port}"]
port = {port}

[app.env]
BENCH_SEED = "{SEED}"
BENCH_SERVICES = "{address}"
PYTHONDONTWRITEBYTECODE = "1"
""")
