"""The servers that are compared, each started on one core: nginx, WireMock and the mock itself."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mock.pinned import SERVER_CORE, on_core
from benchmarks.mock.recordings import HOST
from benchmarks.ports import listening
from wiretape_capture.jobs.events import EVENT, Ready
from wiretape_capture.launch.ca import load_or_create
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.mock.spec import MockSpec

WIREMOCK = "wiremock@3.13.2"
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_rlimit_nofile 16384;
events {{ worker_connections 12000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; sendfile on; tcp_nopush on;
  default_type application/json; open_file_cache max=200000; open_file_cache_valid 1h;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.key; ssl_protocols TLSv1.3;
  server {{ listen 127.0.0.1:{static}; listen 127.0.0.1:{static_tls} ssl; root {folder}/root; }}
  server {{ listen 127.0.0.1:{constant}; listen 127.0.0.1:{constant_tls} ssl; location / {{ return 200 '{text}'; }} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """One worker process; URLs by what it serves."""

    pid: int
    static: str
    constant: str
    static_tls: str
    constant_tls: str


@dataclass(frozen=True, slots=True)
class Mock:
    """A mock job."""

    pid: int
    mapped: str
    proxy: str
    journal: Path


@asynccontextmanager
async def nginx(folder: Path, exchanges: Sequence[Exchange]) -> AsyncIterator[Nginx]:
    """Static files with the recorded bodies, and one constant answer of their mean size."""
    ports = {name: free_port() for name in ("static", "static_tls", "constant", "constant_tls")}
    command = _laid_out(folder, exchanges, ports)
    async with _running(on_core(SERVER_CORE, command)) as process:
        await listening(ports["static"])
        urls = {name: f"{'https' if name.endswith('tls') else 'http'}://127.0.0.1:{ports[name]}" for name in ports}
        yield Nginx(process.pid, urls["static"], urls["constant"], urls["static_tls"], urls["constant_tls"])


def _laid_out(folder: Path, exchanges: Sequence[Exchange], ports: dict[str, int]) -> list[str]:
    """Everything that nginx serves and reads; the command that starts it."""
    folder.mkdir()
    sizes = [_write_file(folder / "root", each) for each in exchanges]
    chain, key = load_or_create(folder / "ca", {}).mint(HOST)
    (folder / "leaf.pem").write_bytes(chain)
    (folder / "leaf.key").write_bytes(key)
    text = json.dumps({"text": "x" * (sum(sizes) // len(sizes) - 12)})
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, text=text, **ports))
    command = ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
    # A worker of root's nginx is another user, who may not look into a private temporary folder.
    return [*command, "-g", "user root;"] if os.getuid() == 0 else command


def _write_file(root: Path, exchange: Exchange) -> int:
    assert exchange.response is not None
    path = root / exchange.request.target.removeprefix("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes(exchange.response.body.data or b"")


@asynccontextmanager
async def mock(folder: Path, tape: Path, at_end: str = "repeat") -> AsyncIterator[Mock]:
    """`python -m wiretape_replay.mock` with its journal on, as `wiretape mock` starts it."""
    journal = folder / f"{tape.stem}.jsonl"
    spec = MockSpec.model_validate({
        "tape": tape, "ca_dir": folder / "mock-ca", "journal": journal, "at_end": at_end,
        "maps": (ServiceMap(name="api", scheme="http", host=HOST, port=80),),
    })  # fmt: skip
    command = on_core(SERVER_CORE, [sys.executable, "-P", "-m", "wiretape_replay.mock"])
    async with _running(command, talks=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(spec.model_dump_json().encode() + b"\n")
        async for line in process.stdout:
            if isinstance(event := EVENT.validate_json(line), Ready):
                break
        else:
            raise RuntimeError("the mock did not start")
        reading = asyncio.create_task(process.stdout.read())
        yield Mock(process.pid, event.endpoints["map:api"], event.endpoints["proxy"], journal)
        reading.cancel()


@asynccontextmanager
async def wiremock(folder: Path, exchanges: Sequence[Exchange]) -> AsyncIterator[tuple[int, str] | None]:
    """WireMock with one mapping a recorded endpoint; None where it cannot be had."""
    jar = await _wiremock_jar()
    if jar is None:
        yield None
        return
    root = folder / "wiremock"
    (root / "mappings").mkdir(parents=True)
    (root / "mappings" / "all.json").write_text(json.dumps({"mappings": [_mapping(each) for each in exchanges]}))
    port = free_port()
    command = ["java", "-jar", str(jar), "--port", str(port), "--bind-address", "127.0.0.1", "--root-dir", str(root),
               "--no-request-journal", "--disable-banner", "--async-response-enabled=false"]  # fmt: skip
    async with _running(on_core(SERVER_CORE, command)) as process:
        await listening(port)
        yield process.pid, f"http://127.0.0.1:{port}"


def _mapping(exchange: Exchange) -> dict[str, object]:
    assert exchange.response is not None
    body = (exchange.response.body.data or b"").decode()
    return {
        "request": {"method": exchange.request.method, "url": exchange.request.target},
        "response": {"status": 200, "body": body, "headers": {"Content-Type": "application/json"}},
    }


async def _wiremock_jar() -> Path | None:
    """From the npm package, installed once into the user's cache."""
    if shutil.which("java") is None or shutil.which("npm") is None:
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wiretape-benchmarks"
    build = cache / "node_modules" / "wiremock" / "build"
    if not build.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        npm = await asyncio.create_subprocess_exec(
            "npm", "install", "--no-audit", "--no-fund", "--prefix", str(cache), WIREMOCK,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await npm.wait()
    return next(build.glob("*.jar"), None) if build.is_dir() else None


def chain(folder: Path, proxy: str) -> Path:
    """A configuration of proxychains: every connection is a CONNECT to the mock, which ends the TLS inside."""
    port = proxy.rpartition(":")[2]
    path = folder / "proxychains.conf"
    path.write_text(f"strict_chain\nproxy_dns\ntcp_read_time_out 15000\ntcp_connect_time_out 8000\n[ProxyList]\n"
                    f"http 127.0.0.1 {port}\n")  # fmt: skip
    return path


@asynccontextmanager
async def _running(command: Sequence[str], *, talks: bool = False) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE if talks else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, limit=1 << 24
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
