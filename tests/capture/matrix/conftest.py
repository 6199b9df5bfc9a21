"""Real runtimes run once through a recorder and once through a mock; the tests ask what came of each call."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wiretape_capture.jobs.events import Ready
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.ca import Authority, load_or_create
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.mock.spec import MockSpec

PROGRAMS = Path(__file__).parent / "programs"
HOSTS = ("127.0.0.1", "localhost")
BOUND = 240.0
"""Seconds for all runtimes together; a machine compiles Java and Go meanwhile."""


@dataclass
class Outcome:
    """What the runtimes said, what the recorder saw, and what is missing on this machine."""

    said: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Body or error by (client, scheme, host)."""
    mocked: dict[tuple[str, str, str], str] = field(default_factory=dict)
    recorded: set[tuple[str, str, str]] = field(default_factory=set)
    ended: dict[str, list[int]] = field(default_factory=dict)
    """Exit statuses by runtime; -9 for a program that had to be killed."""
    missing: dict[str, str] = field(default_factory=dict)
    """Reason by client or runtime."""
    log: str = ""


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Run everything once for the session."""
    return asyncio.run(run_matrix(tmp_path_factory.mktemp("matrix")))


async def run_matrix(folder: Path) -> Outcome:
    """Record every client's calls with the services up, then repeat them against a mock with the services gone."""
    outcome = Outcome()
    programs = await find_programs(folder, outcome)
    authority = load_or_create(folder / "service-ca", {})
    roots = folder / "service-ca" / "wiretape-ca.crt"
    base = {**os.environ, "SSL_CERT_FILE": str(roots)}
    spec = RecordSpec(tape=folder / "matrix.tape", name="matrix", ca_dir=folder / "ca")
    async with services(authority) as bases:
        orders = bases[0]
        base["ORDERS_URL"] = orders
        maps = (parse_map(f"orders={orders}"),)
        record = spec.model_copy(update={"maps": maps})
        async with job("wiretape_capture.record", record, base, folder / "record.log") as environment:
            outcome.said = await run_programs(programs, bases, environment, folder, outcome.ended)
    outcome.recorded = await recorded(spec.tape, bases)
    mock = MockSpec(tape=spec.tape, ca_dir=spec.ca_dir, maps=maps)
    async with job("wiretape_replay.mock", mock, base, folder / "mock.log") as environment:
        outcome.mocked = await run_programs(programs, bases, environment, folder, outcome.ended)
    outcome.log = (folder / "record.log").read_text() + (folder / "mock.log").read_text()
    return outcome


async def find_programs(folder: Path, outcome: Outcome) -> dict[str, list[str]]:
    """Command line by runtime, for the runtimes that this machine has."""
    commands = {
        "curl": ["curl", "/bin/sh", str(PROGRAMS / "clients.sh")],
        "python": [sys.executable, sys.executable, str(PROGRAMS / "clients.py")],
        "node": ["node", "node", str(PROGRAMS / "clients.mjs")],
        "java": ["javac", "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(PROGRAMS / "Clients.java")],
        "go": ["go", str(folder / "clients-go")],
    }
    outcome.missing = {name: f"{needs} is not installed" for name, (needs, *_) in commands.items()
                       if shutil.which(needs) is None}  # fmt: skip
    found = {name: command for name, (_, *command) in commands.items() if name not in outcome.missing}
    async with asyncio.TaskGroup() as group:
        if "go" in found:
            build = group.create_task(
                run(["go", "build", "-o", *found["go"], str(PROGRAMS / "clients.go")], os.environ, folder)
            )
        if "node" in found:
            install = group.create_task(install_axios(folder))
    if "go" in found and (await build)[0] != 0:
        outcome.missing["go"] = f"go cannot build: {(await build)[1]}"
        del found["go"]
    if "node" in found and (await install)[0] != 0:
        outcome.missing |= dict.fromkeys(("node/axios", "node/axios-proxy-off"), "npm cannot install axios")
    return found


async def install_axios(folder: Path) -> tuple[int, str]:
    """Put axios where the Node program looks for it."""
    if shutil.which("npm") is None:
        return 1, "npm is not installed"
    (folder / "package.json").write_text('{"private": true}')
    command = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
        "--fetch-retries=0",
        "--fetch-timeout=20000",
        "axios@1",
    ]
    return await run(command, os.environ, folder)


async def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """Run a program to its end or to the bound; its exit status and what it wrote to stdout until then."""
    with tempfile.TemporaryFile(dir=folder) as output:
        process = await asyncio.create_subprocess_exec(
            *command, env=dict(environment), cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=output
        )
        try:
            async with asyncio.timeout(BOUND):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        output.seek(0)
        assert process.returncode is not None
        return process.returncode, output.read().decode()


async def run_programs(programs: Mapping[str, Sequence[str]], bases: Sequence[str], environment: Mapping[str, str],
                       folder: Path, ended: dict[str, list[int]]) -> dict[tuple[str, str, str], str]:  # fmt: skip
    """Run every runtime's program at once; what each call gave."""
    async with asyncio.TaskGroup() as group:
        tasks = {
            runtime: group.create_task(run([*command, *bases], environment, folder))
            for runtime, command in programs.items()
        }
    said: dict[tuple[str, str, str], str] = {}
    for runtime, task in tasks.items():
        status, output = task.result()
        ended.setdefault(runtime, []).append(status)
        for line in output.splitlines():
            client, base, text = line.split("\t", 2)
            said[client, *place(base)] = text
    return said


def place(base: str) -> tuple[str, str]:
    """Scheme and host of a service's base URL; a map has no URL that the test chose."""
    if base == "map":
        return "http", "map"
    scheme, _, rest = base.partition("://")
    return scheme, rest.partition(":")[0]


async def recorded(tape: Path, bases: Sequence[str]) -> set[tuple[str, str, str]]:
    """(client, scheme, host) of every outbound exchange on the tape."""
    places = {base.partition("://")[2]: place(base) for base in bases} | {"orders": ("http", "map")}
    async with await TapeReader.open(tape) as reader:
        exchanges = await reader.exchanges()
    good = (exchange for exchange in exchanges if exchange.status == "200")
    return {(exchange.location.lstrip("/"), *places[exchange.service]) for exchange in good}


@asynccontextmanager
async def job(
    module: str, spec: RecordSpec | MockSpec, base: Mapping[str, str], log: Path
) -> AsyncIterator[dict[str, str]]:
    """A running job; gives the environment that an app needs."""
    running = await Job.start(module, spec, env=base, log=log)
    try:
        ready: Ready = await running.ready()
        yield {**base, **ready.environment}
    finally:
        await running.stop()


@asynccontextmanager
async def services(authority: Authority) -> AsyncIterator[list[str]]:
    """An HTTP and an HTTPS service on loopback; their base URLs by both of their names."""
    plain = await asyncio.start_server(answer, "127.0.0.1")
    secure = await asyncio.start_server(answer, "127.0.0.1", ssl=server_context(authority))
    try:
        yield [
            f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}"
            for scheme, server in (("http", plain), ("https", secure))
            for host in HOSTS
        ]
    finally:
        for server in (plain, secure):
            server.close()
            server.close_clients()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell every request its own path."""
    with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = b"real " + head.split()[1]
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
    writer.close()


def server_context(authority: Authority) -> ssl.SSLContext:
    """A certificate for 127.0.0.1, and one for the host that a client names."""
    by_host = {host: context_for(authority, host) for host in HOSTS}

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        if name in by_host:
            connection.context = by_host[name]

    by_host["127.0.0.1"].sni_callback = choose
    return by_host["127.0.0.1"]


def context_for(authority: Authority, host: str) -> ssl.SSLContext:
    """A server context with a minted leaf; OpenSSL reads certificates from files only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor = os.memfd_create("leaf")
    try:
        os.write(descriptor, b"".join(authority.mint(host)))
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
