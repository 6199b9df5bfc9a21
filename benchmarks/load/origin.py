"""What loads are sent to: nginx on a core of its own, and a server that stands still for one second."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wiretape_capture.launch.free_port import free_port

TEA = b'{"name":"tea","price":4,"tags":["green","loose"],"stock":120,"origin":"Fujian"}'

NGINX = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location = /tea {{ return 200 '{tea}'; }}
    location = /orders {{ return 201 '{{"id":"$request_id","state":"new"}}'; }}
    location ~ ^/orders/(?<order>[0-9a-f]+)$ {{ return 200 '{{"id":"$order","state":"new"}}'; }}
  }}
}}
"""


def cores() -> tuple[int, int]:
    """The core for servers and the one for clients."""
    known = sorted(os.sched_getaffinity(0))
    return known[0], known[-1]


@contextmanager
def nginx(path: str, folder: Path) -> Iterator[str]:
    """Its base URL."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, tea=TEA.decode()))
    with running([path, "-c", str(config), "-p", str(folder)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def stalling(after: float) -> Iterator[str]:
    """A server that answers nothing for a second, so many seconds after its first request."""
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.load.stalling", str(port), str(after)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A server on the servers' core until the block ends."""
    server, _ = cores()
    process = subprocess.Popen(["taskset", "-c", str(server), *command])
    try:
        end = time.monotonic() + 30
        while not _open(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def floor(rate: float, seconds: float) -> float:
    """The p99 in ms of how late a process on the clients' core wakes that only sleeps until deadlines."""
    _, client = cores()
    told = subprocess.run(["taskset", "-c", str(client), sys.executable, "-m", "benchmarks.load.floor", str(rate),
                           str(seconds)], capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    return float(told.stdout)


def _open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
