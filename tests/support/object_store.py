"""A real S3 server on loopback, and machines that share its bucket: each a folder of its own with the real command."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from mock_kit import answer, call, write_tape
from workbench import BIN, wait_until

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_server.cli.main import run as wiretape

SECRET = "wiretape-test-secret-key"
BUCKET = "tapes"


@dataclass(frozen=True)
class S3:
    """The server and how to reach it."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The standard variables, and no others of this machine."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }  # fmt: skip

    @property
    def client(self) -> Any:
        """Amazon's own client: what it sees is what is there."""
        return boto3.client("s3", endpoint_url=self.url, region_name="eu-west-1", aws_access_key_id="AKIATEST",
                            aws_secret_access_key=SECRET)  # fmt: skip

    def keys(self, prefix: str) -> list[str]:
        """All objects below a prefix."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [each["Key"] for each in found]

    def uploads(self, prefix: str) -> list[str]:
        """Objects below a prefix whose upload in parts was neither finished nor given up."""
        found = self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [each["Key"] for each in found if each["Key"].startswith(prefix)]


@contextmanager
def moto(folder: Path, port: int, **variables: str) -> Iterator[S3]:
    """moto's server, alone on its port."""
    with (folder / "moto.log").open("ab") as log:
        process = subprocess.Popen([BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log,
                                   env={**os.environ, **variables}, start_new_session=True)  # fmt: skip
        try:
            wait_until(lambda: process.poll() is not None or _accepts(port), "moto ready")
            yield S3(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(15)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


@dataclass
class Machine:
    """A folder with a workspace, and the environment of its commands."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def apart(self, *words: str, code: int = 0, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run `wiretape WORDS` in a process of its own; its exit code must be `code`."""
        ran = subprocess.run([BIN / "wiretape", *words], cwd=self.root, env=self._environment(extra),
                             capture_output=True, text=True, timeout=90, check=False)  # fmt: skip
        assert ran.returncode == code, f"{ran.returncode}: {ran.stdout[-4000:]} {ran.stderr[-4000:]}"
        return ran

    def run(self, *words: str, code: int = 0, **extra: str) -> subprocess.CompletedProcess[str]:
        """The same command line in this process, which is quicker: the tests make hundreds of calls."""
        before, out, err = dict(os.environ), _text(), _text()
        os.environ.clear()
        os.environ.update(self._environment(extra))
        try:
            with chdir(self.root), redirect_stdout(out), redirect_stderr(err):
                got = wiretape(words)
        finally:
            os.environ.clear()
            os.environ.update(before)
        told, said = (each.buffer.getvalue().decode() for each in (out, err))
        assert got == code, f"{got}: {told} {said}"
        return subprocess.CompletedProcess(words, got, told, said)

    def _environment(self, extra: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WIRETAPE_"))}
        return {**kept, **self.environment, **extra}

    def json(self, *words: str, code: int = 0) -> Any:
        """The document of `--json`."""
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def complaint(self, *words: str, code: int, **extra: str) -> str:
        """The one sentence on stderr of a command that fails."""
        lines = [line for line in self.run(*words, code=code, **extra).stderr.splitlines()
                 if not line.startswith("note:")]  # fmt: skip
        assert len(lines) == 1, lines
        assert SECRET not in lines[0]
        return lines[0]

    def tape(self, name: str) -> Path:
        """Where a snapshot lies."""
        return self.root / ".wiretape" / "snapshots" / f"{name}.tape"

    def snapshot(self, name: str, exchanges: Sequence[Exchange] = ()) -> Path:
        """A snapshot of this workspace."""
        path = self.tape(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return asyncio.run(write_tape(path, exchanges or orders("tea")))

    def left(self) -> list[str]:
        """Everything in the folder of snapshots, hidden files too."""
        folder = self.root / ".wiretape" / "snapshots"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


class _Text(io.TextIOWrapper):
    """A stream that takes text and bytes, as standard output does."""

    buffer: io.BytesIO


def _text() -> _Text:
    return _Text(io.BytesIO(), encoding="utf-8", write_through=True)


def orders(name: str, count: int = 2, padding: int = 0) -> tuple[Exchange, ...]:
    """Inbound exchanges whose answers hold `name`, and bytes that cannot be packed where asked for."""
    noise = os.urandom(padding).hex() if padding else ""
    return tuple(
        call(number, "GET", f"/orders/{number}", answer(200, {"id": number, "name": name, "noise": noise}),
             direction=Direction.INBOUND, service="127.0.0.1:8000", headers=(("Host", "127.0.0.1:8000"),))
        for number in range(1, count + 1)
    )  # fmt: skip
