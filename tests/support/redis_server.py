"""A private Redis server for a test session: Debian's redis-server, or any other on PATH."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from wiretape_capture.launch.free_port import free_port

PASSWORD = "s3cr=t/p@ss"
QUOTED = "s3cr%3Dt%2Fp%40ss"
MISSING = "needs a Redis server: install Debian's redis-server"


@dataclass(frozen=True)
class RedisServer:
    """A running server. The default user and `shop` have the password; it listens plainly, in TLS and at a socket."""

    folder: Path
    port: int
    tls_port: int
    password: str = QUOTED
    """Of the default user, as it stands in URLs; empty where none is needed."""

    @property
    def url(self) -> str:
        """As an app would have it in REDIS_URL."""
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    @property
    def tls_url(self) -> str:
        """In TLS, with the authority that the app trusts."""
        return f"rediss://:{QUOTED}@127.0.0.1:{self.tls_port}/0?ssl_ca_certs={self.folder / 'server.crt'}"

    @property
    def socket_url(self) -> str:
        """At its Unix socket."""
        return f"unix://:{QUOTED}@{self.folder / 'redis.sock'}?db=0"


def binary() -> str | None:
    """The server, if it is installed."""
    return shutil.which("redis-server")


@contextmanager
def running(server: str) -> Iterator[RedisServer]:
    """Start a server; it is gone with its files when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="wt-redis-"))
    made = RedisServer(folder, free_port(), free_port())
    try:
        write_certificate(folder)
        (folder / "redis.conf").write_text(
            f"bind 127.0.0.1\nport {made.port}\ntls-port {made.tls_port}\ntls-auth-clients no\n"
            f"tls-cert-file {folder / 'server.crt'}\ntls-key-file {folder / 'server.key'}\n"
            f'unixsocket {folder / "redis.sock"}\ndir {folder}\nsave ""\nappendonly no\nrequirepass {PASSWORD}\n'
            f"user shop on >{PASSWORD} ~* &* +@all\nloglevel warning\nmaxmemory 64mb\nnotify-keyspace-events Ex\n"
        )
        process = subprocess.Popen([server, str(folder / "redis.conf")], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            _wait(folder / "redis.sock", process)
            yield made
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(path: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                return
        except OSError:
            if time.monotonic() > until or process.poll() is not None:
                raise
            time.sleep(0.02)


def write_certificate(folder: Path) -> None:
    """A certificate of its own authority for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30)).add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
    ))  # fmt: skip
