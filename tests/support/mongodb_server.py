"""A private server that speaks MongoDB's protocol, for a test session: SecantusDB from PyPI.

MongoDB's own server cannot be had from Debian, PyPI or npm without a download at run time. This one is an
implementation of its own, with sessions, transactions, change streams, SCRAM-SHA-256 and TLS; it has no OP_COMPRESSED,
no SCRAM-SHA-1 and no second host. As a program: `mongodb_server.py FOLDER PORT TLS_PORT`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

USER, PASSWORD, QUOTED = "shop", "s3cr=t/p@ss", "s3cr%3Dt%2Fp%40ss"
MISSING = "needs a server that speaks MongoDB's protocol: install secantusdb from PyPI"


@dataclass(frozen=True)
class MongoServer:
    """A running server with the user `shop`; it listens plainly and in TLS."""

    folder: Path
    port: int
    tls_port: int

    @property
    def url(self) -> str:
        """As an app would have it in MONGODB_URI."""
        return f"mongodb://{USER}:{QUOTED}@127.0.0.1:{self.port}/shop?authSource=admin"

    @property
    def tls_url(self) -> str:
        """In TLS, with the authority that the app trusts."""
        return (f"mongodb://{USER}:{QUOTED}@localhost:{self.tls_port}/shop?authSource=admin&tls=true"
                f"&tlsCAFile={self.folder / 'server.crt'}")  # fmt: skip


def installed() -> bool:
    """Whether the server is there."""
    return find_spec("secantus") is not None


@contextmanager
def running() -> Iterator[MongoServer]:
    """Start a server; it is gone with its files when the block ends."""
    from redis_server import write_certificate

    folder = Path(tempfile.mkdtemp(prefix="wt-mongo-"))
    try:
        write_certificate(folder)
        process = subprocess.Popen([sys.executable, __file__, str(folder)], cwd=folder, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)  # fmt: skip
        try:
            assert process.stdout is not None
            ports = process.stdout.readline().split()
            yield MongoServer(folder, int(ports[0]), int(ports[1]))
        finally:
            process.kill()
            process.communicate(timeout=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(folder: Path) -> None:
    """Serve until standard input ends; the ports are printed when both are ready."""
    from pymongo import MongoClient
    from secantus import SecantusDBServer

    def serve(name: str, **options: Any) -> Any:
        server = SecantusDBServer(storage_path=str(folder / name), cache_size="64M", **options)
        server.start()
        tls: dict[str, Any] = {"tls": True, "tlsAllowInvalidCertificates": True} if options else {}
        client: MongoClient[dict[str, Any]] = MongoClient("127.0.0.1", server.port, directConnection=True, **tls)
        client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
        client.close()
        server.require_auth = True
        return server

    certificate = {"tls_cert_file": str(folder / "server.crt"), "tls_key_file": str(folder / "server.key")}
    servers = [serve("data"), serve("tls", **certificate)]
    sys.stdout.write(" ".join(str(server.port) for server in servers) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
