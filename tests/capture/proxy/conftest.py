"""A recorder in the test's own loop, and services that send exactly the bytes they are told to."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.jobs.events import Event, Notice, Ready
from wiretape_capture.launch.ca import Authority, load_or_create
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.tape_reader import TapeReader

BOUND = 60.0
"""Seconds that any wait in these tests may take."""


class Recording:
    """One running recording."""

    def __init__(self, spec: RecordSpec) -> None:
        self.spec = spec
        self.events: list[Event] = []
        self._ready = asyncio.Event()
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(record(spec, self._emit, self._stop))
        self.result: RecordResult | None = None

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        if isinstance(event, Ready):
            self._ready.set()

    async def start(self) -> None:
        """Wait until it is ready; raises what it failed with."""
        ready = asyncio.create_task(self._ready.wait())
        async with asyncio.timeout(BOUND):
            await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()

    def url(self, role: str) -> str:
        """Endpoint by role."""
        ready = next(event for event in self.events if isinstance(event, Ready))
        return ready.endpoints[role]

    def port(self, role: str) -> int:
        """Port by role."""
        return int(self.url(role).rpartition(":")[2])

    @property
    def notices(self) -> list[str]:
        """What the user was told."""
        return [event.message for event in self.events if isinstance(event, Notice)]

    async def until(self, said: Callable[[Event], bool]) -> None:
        """Wait until it says something."""
        async with asyncio.timeout(BOUND):
            while not any(map(said, self.events)):
                self._news.clear()
                await self._news.wait()

    async def finish(self) -> list[Exchange]:
        """Stop and read what is on the tape."""
        self._stop.set()
        async with asyncio.timeout(BOUND):
            self.result = await self._task
        if self.result.tape is None:
            return []  # a recording of nothing leaves no tape
        async with await TapeReader.open(self.result.tape) as tape:
            return await tape.exchanges()

    async def abort(self) -> None:
        """End it, whatever its state."""
        self._stop.set()
        with suppress(Exception):
            await asyncio.wait_for(self._task, BOUND)


@pytest.fixture(scope="session")
def service_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of our HTTPS services: trusted by the apps, unknown to wiretape."""
    return load_or_create(tmp_path_factory.mktemp("service-ca"), {})


@pytest.fixture(scope="session")
def ca_dir(tmp_path_factory: pytest.TempPathFactory, service_authority: Authority) -> Iterator[Path]:
    """Wiretape's authority; the app's preset bundle trusts the services' authority."""
    folder = tmp_path_factory.mktemp("ca")
    preset = tmp_path_factory.mktemp("preset") / "roots.pem"
    preset.write_bytes(service_authority.cert_pem)
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(preset)
    load_or_create(folder)
    yield folder
    if before is None:
        del os.environ["SSL_CERT_FILE"]
    else:
        os.environ["SSL_CERT_FILE"] = before


type StartRecording = Callable[..., Awaitable[Recording]]


@pytest.fixture(params=["tee", "mitmproxy"])
def engine(request: pytest.FixtureRequest) -> str:
    """What carries HTTP/1.1: what a recording means must not depend on it."""
    return str(request.param)


@pytest.fixture
async def recording(tmp_path: Path, ca_dir: Path, engine: str) -> AsyncIterator[StartRecording]:
    """Start a recording with these fields of its spec; it is ended with the test."""
    started: list[Recording] = []

    async def start(**fields: Any) -> Recording:
        files = {"tape": tmp_path / f"{len(started)}.tape", "name": f"r{len(started)}", "ca_dir": ca_dir}
        spec = RecordSpec.model_validate({"engine": engine, **files, **fields})
        running = Recording(spec)
        started.append(running)
        await running.start()
        return running

    yield start
    for running in started:
        await running.abort()


class Service:
    """A server that answers every request with the next of its byte strings, and keeps what it received."""

    def __init__(self, *answers: bytes, close: bool = False) -> None:
        self._answers = list(answers)
        self._close = close
        self.received: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until the client is gone."""
        try:
            while head := await read_message(reader):
                self.received.append(head)
                writer.write(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])
                await writer.drain()
                if self._close:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """One HTTP/1 message with its body; empty at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lowered = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lowered:
        return head + await read_chunked(reader)
    _, found, rest = lowered.partition(b"\r\ncontent-length:")
    return head + (await reader.readexactly(int(rest.split(b"\r\n")[0])) if found else b"")


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    """A chunked body with its trailers, as it is on the wire."""
    raw = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        raw += line
        if int(line, 16) == 0:
            while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
                raw += trailer
            return raw + b"\r\n"
        raw += await reader.readexactly(int(line, 16) + 2)


type StartService = Callable[..., Awaitable[Service]]


@pytest.fixture
async def service() -> AsyncIterator[StartService]:
    """Start a service that sends these bytes; `tls` is its SSL context."""
    async with AsyncExitStack() as stack:

        async def start(*answers: bytes, close: bool = False, tls: ssl.SSLContext | None = None) -> Service:
            server = Service(*answers, close=close)
            server.port = await stack.enter_async_context(listening(server.serve, tls))
            return server

        yield start


type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A loopback server for as long as the block lasts; gives its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        server.close_clients()
        await asyncio.wait_for(server.wait_closed(), BOUND)


@pytest.fixture
async def listen() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Start a server from a connection callback; gives its port."""
    async with AsyncExitStack() as stack:

        async def start(serve: Serve, tls: ssl.SSLContext | None = None) -> int:
            return await stack.enter_async_context(listening(serve, tls))

        yield start


type Ask = Callable[..., Awaitable[bytes]]


@pytest.fixture
def ask() -> Ask:
    """Send raw bytes to a port and read everything until the connection ends."""

    async def send(port: int, raw: bytes, *, until: bytes | None = None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(raw)
            await writer.drain()
            async with asyncio.timeout(BOUND):
                return await (reader.read() if until is None else reader.readuntil(until))
        finally:
            writer.close()

    return send


@pytest.fixture
def server_tls(tmp_path: Path) -> Callable[..., ssl.SSLContext]:
    """The TLS side of a service: a certificate for `host` from an authority."""

    def make(authority: Authority, host: str = "127.0.0.1", alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        certificate, key = authority.mint(host)
        pem = tmp_path / "service.pem"
        pem.write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    return make
