"""An HTTP/2 client that keeps its window closed: the service is not read on until the client takes its data."""

from __future__ import annotations

import asyncio
from typing import Any

import h2.config
import h2.connection
import h2.events

from wiretape_capture.proxy.http2 import UNSENT_LIMIT

BLOCK = bytes(64 * 1024)
BLOCKS = 320
SIZE = len(BLOCK) * BLOCKS


async def more(reader: asyncio.StreamReader) -> bytes:
    """The next bytes; the end of the connection is an error here."""
    data = await reader.read(65535)
    assert data
    return data


class Source:
    """A service that sends a large body as fast as it is read."""

    def __init__(self) -> None:
        self.beyond_limit = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        conn.initiate_connection()
        stream = None
        while stream is None:
            data = await reader.read(65535)
            if not data:  # somebody only looked whether we are there
                writer.close()
                return
            for event in conn.receive_data(data):
                stream = event.stream_id if isinstance(event, h2.events.RequestReceived) else stream
            writer.write(conn.data_to_send())
        conn.send_headers(stream, [(":status", "200")])
        for number in range(BLOCKS):
            await self._send(conn, stream, reader, writer)
            if number * len(BLOCK) > UNSENT_LIMIT:
                self.beyond_limit.set()
        conn.end_stream(stream)
        writer.write(conn.data_to_send())
        await reader.read()
        writer.close()

    async def _send(self, conn: h2.connection.H2Connection, stream: int, reader: asyncio.StreamReader,
                    writer: asyncio.StreamWriter) -> None:  # fmt: skip
        while conn.local_flow_control_window(stream) < len(BLOCK):
            conn.receive_data(await more(reader))
        for start in range(0, len(BLOCK), conn.max_outbound_frame_size):
            conn.send_data(stream, BLOCK[start : start + conn.max_outbound_frame_size])
        writer.write(conn.data_to_send())
        await writer.drain()


async def test_a_client_that_reads_late_gets_everything(recording: Any, listen: Any) -> None:
    source = Source()
    rec = await recording(app_port=await listen(source.serve))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    conn.initiate_connection()
    conn.send_headers(1, [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")],
                      end_stream=True)  # fmt: skip
    writer.write(conn.data_to_send())
    async with asyncio.timeout(60):
        await source.beyond_limit.wait()
        got, ended = 0, False
        while not ended:
            for event in conn.receive_data(await more(reader)):
                ended = ended or isinstance(event, h2.events.StreamEnded)
                if isinstance(event, h2.events.DataReceived):
                    got += len(event.data or b"")
                    conn.acknowledge_received_data(event.flow_controlled_length or 0, 1)
            writer.write(conn.data_to_send())
    writer.close()
    (exchange,) = await rec.finish()
    assert got == SIZE
    assert (exchange.response.body.size, exchange.response.body.complete) == (SIZE, True)
