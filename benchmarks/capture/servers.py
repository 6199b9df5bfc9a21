"""What is compared: nginx as origin, nginx as reverse proxy of it, and recordings by either engine in front of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.mock.pinned import CLIENT_CORE, SERVER_CORE, on_core
from benchmarks.ports import listening
from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.ca import load_or_create
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.proxy.spec import Engine, RecordResult, RecordSpec

ANSWER = '{"text": "' + "x" * 600 + '"}'
_NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.key; ssl_protocols TLSv1.3;
  {upstream}
  server {{ listen 127.0.0.1:{port}{tls}; location / {{ {action} }} }}
}}
"""


def certify(folder: Path) -> None:
    """A certificate for each nginx, of an authority that recordings which are started from now on trust."""
    authority = load_or_create(folder / "service-ca", {})
    chain, key = authority.mint("127.0.0.1")
    (folder / "leaf.pem").write_bytes(chain)
    (folder / "leaf.key").write_bytes(key)
    roots = folder / "roots.pem"
    roots.write_bytes(authority.cert_pem)
    os.environ["SSL_CERT_FILE"] = str(roots)
    load_or_create(folder / "ca")


@asynccontextmanager
async def origin(folder: Path, *, tls: bool = False) -> AsyncIterator[tuple[int, int]]:
    """One constant answer, beside the load; gives process and port."""
    async with _nginx(folder, "origin", CLIENT_CORE, f"return 200 '{ANSWER}';", tls=tls) as started:
        yield started


@asynccontextmanager
async def reverse_proxy(folder: Path, to: int, *, tls: bool = False) -> AsyncIterator[tuple[int, int]]:
    """nginx in front of the origin, with its connections kept open; gives process and port."""
    upstream = f"upstream origin {{ server 127.0.0.1:{to}; keepalive 256; keepalive_requests 1000000000; }}"
    action = (f"proxy_pass {'https' if tls else 'http'}://origin; proxy_http_version 1.1; "
              "proxy_set_header Connection ''; proxy_set_header Host $host;")  # fmt: skip
    async with _nginx(folder, "proxy", SERVER_CORE, action, upstream, tls=tls) as started:
        yield started


class Recording:
    """One recording in front of the origin."""

    def __init__(self, job: Job, endpoints: dict[str, str], carriers: list[int]) -> None:
        self.job = job
        self.carriers = carriers
        """The processes that carry bytes."""
        self.inbound = endpoints["inbound"]
        self.proxy = endpoints["proxy"]

    async def stop(self) -> RecordResult:
        """End it and wait until everything is on the tape."""
        ended = await self.job.stop()
        assert isinstance(ended, Finished)
        return RecordResult.model_validate(ended.result)


@asynccontextmanager
async def recording(folder: Path, name: str, engine: Engine, to: int) -> AsyncIterator[Recording]:
    """`python -m wiretape_capture.record`, as `wiretape record` starts it.

    What carries bytes is held to the servers' core: the tee, which leaves the recorder where the system puts it, or
    mitmproxy, which is the recorder.
    """
    spec = RecordSpec(tape=folder / f"{name}.tape", name=name, ca_dir=folder / "ca", app_port=to, engine=engine)
    job = await Job.start("wiretape_capture.record", spec)
    try:
        ready = await job.ready()
        carriers = _children(job.pid) if engine == "tee" else [job.pid]
        for pid in carriers:
            _hold(pid)
        yield Recording(job, ready.endpoints, carriers)
    finally:
        job.kill()


def _hold(pid: int) -> None:
    """Hold every thread of a process to the servers' core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {SERVER_CORE} & os.sched_getaffinity(0) or {0})


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@asynccontextmanager
async def _nginx(folder: Path, name: str, core: int, action: str, upstream: str = "", *,
                 tls: bool = False) -> AsyncIterator[tuple[int, int]]:  # fmt: skip
    port = free_port()
    name = f"{name}-tls" if tls else name
    config = folder / f"{name}.conf"
    config.write_text(_NGINX.format(folder=folder, name=name, port=port, action=action, upstream=upstream,
                                    tls=" ssl" if tls else ""))  # fmt: skip
    command = ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / f"{name}.log")]
    # A worker of root's nginx is another user, who may not look into a private temporary folder.
    command += ["-g", "user root;"] if os.getuid() == 0 else []
    process = await asyncio.create_subprocess_exec(*on_core(core, command))
    try:
        await listening(port)
        yield process.pid, port
    finally:
        process.terminate()
        await process.wait()
