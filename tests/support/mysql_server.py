"""A private MariaDB server for a test session: Debian's, run as whoever runs the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from postgres_server import write_certificate

from wiretape_capture.launch.free_port import free_port

USER, PASSWORD, DATABASE = "shop", "s3cr=t/p@ss", "shop"
MISSING = "needs a MariaDB server: install Debian's mariadb-server"
SETTINGS = (
    "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--skip-log-bin",
    "--innodb-log-file-size=8M", "--innodb-flush-method=nosync", "--skip-innodb-doublewrite", "--local-infile=1",
    "--max-allowed-packet=64M", "--character-set-server=utf8mb4", "--max-connections=100", "--performance-schema=OFF",
    "--plugin-load-add=auth_ed25519", "--bind-address=127.0.0.1", "--aria-pagecache-buffer-size=8M",
)  # fmt: skip


@dataclass(frozen=True)
class MysqlServer:
    """A running server with one database; `shop` logs in with its password, `open` without, `edward` by ed25519."""

    folder: Path
    port: int

    @property
    def dsn(self) -> str:
        """As an app would have it in DATABASE_URL."""
        return f"mysql://{USER}:s3cr%3Dt%2Fp%40ss@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def socket(self) -> Path:
        """Where it listens on a Unix socket."""
        return self.folder / "server.sock"


def program(name: str) -> str | None:
    """A program of the server, also where /usr/sbin is not on the path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")


def _account() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


@contextmanager
def running() -> Iterator[MysqlServer]:
    """Start a server; it is gone with its files when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="wt-my-"))
    data = folder / "data"
    try:
        write_certificate(folder)
        install = program("mariadb-install-db")
        daemon = program("mariadbd")
        assert install is not None
        assert daemon is not None
        subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", f"--user={_account()}", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)  # fmt: skip
        port = free_port()
        server = MysqlServer(folder, port)
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [daemon, "--no-defaults", f"--datadir={data}", f"--user={_account()}", f"--port={port}",
                 f"--socket={server.socket}", f"--pid-file={folder / 'server.pid'}", *SETTINGS,
                 f"--ssl-cert={folder / 'server.crt'}", f"--ssl-key={folder / 'server.key'}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)  # fmt: skip
        try:
            _prepare(server, process)
            yield server
        finally:
            process.kill()  # its files go, too
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(server: MysqlServer, process: subprocess.Popen[bytes]) -> None:
    """Wait for the server, then make its users and database."""
    import pymysql

    until = time.monotonic() + 60
    while not _listens(server):
        if time.monotonic() > until or process.poll() is not None:
            raise RuntimeError((server.folder / "server.log").read_text()[-2000:])
        time.sleep(0.05)
    connection = pymysql.connect(unix_socket=str(server.socket), user="root")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create database {DATABASE}")
        for user, identified in (
            (USER, f"by '{PASSWORD}'"), ("open", "by ''"), ("edward", "via ed25519 using password('ed')"),
        ):  # fmt: skip
            cursor.execute(f"create user {user}@'%' identified {identified}")
            cursor.execute(f"grant all on *.* to {user}@'%'")


def _listens(server: MysqlServer) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(server.socket)) == 0
