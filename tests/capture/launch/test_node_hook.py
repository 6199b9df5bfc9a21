"""What the Node hook sends to the proxy, what it leaves alone, and how a refusal looks to the app."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from wiretape_capture.launch.environment import NODE_HOOK

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

APP = """
const http = require('http'), net = require('net');
const get = (options) => new Promise((resolve) => http.get(options, (response) => {
  let body = ''; response.on('data', (chunk) => { body += chunk; }).on('end', () => resolve(body));
}).on('error', (error) => resolve(error.code)));
const [port, unix] = process.argv.slice(2);
(async () => console.log(JSON.stringify({
  agent: await get({ host: '127.0.0.1', port, agent: new http.Agent() }),
  own: await get({ host: '127.0.0.1', port, createConnection: (options) => net.connect(options.port, options.host) }),
  ownObject: await get({ host: '127.0.0.1', port, createConnection: ({ host, port }) => net.connect({ host, port }) }),
  fetch: await fetch(`http://localhost:${port}/`).then((response) => response.text()),
  unix: await get({ socketPath: unix }),
  metadata: await get({ host: '127.0.0.2', port }),
  refused: await get({ host: 'refused.test', port }),
  refusedFetch: await fetch(`http://refused.test:${port}/`).catch((error) => error.cause.code),
  database: await new Promise((resolve) => net.connect(port, '127.0.0.1').on('data', (data) => resolve(data.length > 0))
    .write('GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')),
})).then(undefined, console.error))().then(() => process.exit());
"""


class Tunnels:
    """A proxy that knows CONNECT only, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One tunnel."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            place = head.split()[1].decode()
            self.asked.append(place)
            host, _, port = place.rpartition(":")
            if host == "refused.test":
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                behind, onward = await asyncio.open_connection("127.0.0.1", int(port))
                # The answer and the service's first bytes may share a segment.
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(pump(reader, onward), pump(behind, writer))
        writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal")
            await writer.drain()
    writer.close()


@pytest.fixture
async def said(tmp_path: Path) -> AsyncIterator[tuple[dict[str, object], list[str], int]]:
    """What the app said, what the proxy was asked for, and the service's port."""
    tunnels = Tunnels()
    service = await asyncio.start_server(answer, "0.0.0.0")
    unix = await asyncio.start_unix_server(answer, tmp_path / "unix")
    proxy = await asyncio.start_server(tunnels.serve, "127.0.0.1")
    port = service.sockets[0].getsockname()[1]
    address = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    (tmp_path / "app.cjs").write_text(APP)
    process = await asyncio.create_subprocess_exec(
        "node", "--require", str(NODE_HOOK), str(tmp_path / "app.cjs"), str(port), str(tmp_path / "unix"),
        env={"PATH": os.environ["PATH"], "WIRETAPE_PROXY": address, "NO_PROXY": "127.0.0.2, 169.254.169.254"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    yield json.loads(output), tunnels.asked, port
    for server in (service, unix, proxy):
        server.close()
        server.close_clients()


async def test_http_is_tunnelled_and_the_rest_left_alone(said: tuple[dict[str, object], list[str], int]) -> None:
    outcome, asked, port = said
    assert outcome == {
        "agent": "real", "own": "real", "ownObject": "real", "fetch": "real", "unix": "real", "metadata": "real",
        "refused": "ECONNREFUSED", "refusedFetch": "ECONNREFUSED", "database": True,
    }  # fmt: skip
    # `own` dials with net.connect(port, host), which no library does; the hook knows the form with options.
    assert asked == [
        f"127.0.0.1:{port}", f"127.0.0.1:{port}", f"localhost:{port}", f"refused.test:{port}", f"refused.test:{port}",
    ]  # fmt: skip
