"""The demo's stage: a copy of the shop example in a workspace of its own, its two services, its edits.

Knows how to start and stop the services and what is planted; tells nothing to anybody.
"""

from __future__ import annotations

import asyncio
import difflib
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.ca import load_or_create
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import AppSpec


@dataclass(frozen=True, slots=True)
class Edit:
    """One planted regression: what an agent's careless refactoring might have done."""

    what: str
    before: str
    after: str


EDITS = (
    Edit(
        "a renamed field",
        '    return {"items": items, "total": round(',
        '    return {"items": items, "amount": round(',
    ),
    Edit(
        "a changed type",
        '        "price": product["price_cents"] / 100,\n',
        '        "price": f"{product[\'price_cents\'] / 100:.2f}",\n',
    ),
    Edit(
        "a dropped item",
        "[shown(p) for p in answer.json()]",
        "[shown(p) for p in answer.json()[1:]]",
    ),
)
"""The rename is only on the wire: `place_order` is edited along with it, as a refactoring tool would."""

FOLLOW_UPS = (('cart["total"]', 'cart["amount"]'),)


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of the demo's processes."""

    shop: int
    catalog: int
    payments: int


def example_folder() -> Path:
    """Where the shop example lies: in the checkout, or beside the interpreter when wiretape came as a wheel."""
    checkout = Path(__file__).parents[3] / "examples" / "shop"
    installed = Path(sysconfig.get_path("data")) / "share" / "wiretape" / "examples" / "shop"
    for folder in (checkout, installed):
        if (folder / "shop.py").is_file():
            return folder
    raise WiretapeError("the shop example is not installed", "reinstall wiretape, or run the demo from a checkout")


def free_ports() -> Ports:
    """Three loopback ports that nobody listens on at this moment."""
    return Ports(*(free_port() for _ in range(3)))


def project_file(ports: Ports) -> str:
    """The `wiretape.toml` of the demo's workspace."""
    return f"""# How wiretape starts and reaches the shop. Everything `wiretape verify` needs.
[app]
command = ["{sys.executable}", "shop.py", "--port", "{ports.shop}"]
port = {ports.shop}
ready = "/health"

[app.env]
SHOP_CATALOG = "http://127.0.0.1:{ports.catalog}"
SHOP_PAYMENTS = "https://127.0.0.1:{ports.payments}"
SSL_CERT_FILE = "payments-ca.pem"

[replay]
fail_if = ["requests.failed > 0"]
"""


def set_stage(folder: Path, ports: Ports) -> None:
    """Fill `folder` with the shop's files, its project file and a certificate for the payment service."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(example_folder().glob("*.py")):
        shutil.copy(source, folder)
    (folder / "wiretape.toml").write_text(project_file(ports))
    authority = load_or_create(folder / ".payments-ca")
    certificate, key = authority.mint("127.0.0.1")
    (folder / "payments-ca.pem").write_bytes(authority.cert_pem)
    (folder / "payments.pem").write_bytes(certificate)
    (folder / "payments.key").write_bytes(key)
    (folder / "payments.key").chmod(0o600)


def plant(folder: Path) -> list[str]:
    """Edit the shop with the three regressions; returns the unified diff's lines."""
    path = folder / "shop.py"
    before = path.read_text()
    after = before
    for old, new in [(edit.before, edit.after) for edit in EDITS] + list(FOLLOW_UPS):
        assert old in after, old
        after = after.replace(old, new)
    path.write_text(after)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "shop.py", "shop.py (edited)", "", "", 0, "")
    return list(lines)


@asynccontextmanager
async def services(folder: Path, ports: Ports) -> AsyncIterator[None]:
    """The catalog (HTTP) and payment (HTTPS) services as real processes, gone when the block ends."""
    payments = ("--port", str(ports.payments), "--cert", "payments.pem", "--key", "payments.key")
    apps = [
        await _start(folder, ("catalog.py", "--port", str(ports.catalog)), ports.catalog),
        await _start(folder, ("payments.py", *payments), ports.payments),
    ]
    try:
        await asyncio.gather(*(app.wait_ready() for app in apps))
        yield
    finally:
        await asyncio.gather(*(app.stop() for app in apps))


async def _start(folder: Path, command: Sequence[str], port: int) -> App:
    log = folder / f"{Path(command[0]).stem}.log"
    return await App.start(AppSpec(command=(sys.executable, *command), cwd=folder, port=port, log=log), {})


async def send_traffic(folder: Path, base: str) -> int:
    """Let both customers visit the shop at `base`; returns how many requests they sent."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "traffic.py", base, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise WiretapeError("the demo's customers could not finish their visit", err.decode(errors="replace")[-400:])
    return int(out.split()[0])
