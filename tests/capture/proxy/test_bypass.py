"""Connections past the recorder: what counts as one, read from a table and from a living process."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from wiretape_capture.proxy.bypass import Bypass, Socket, direct, endpoint, parse

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100 1 0 100 0 0 10 0
   1: 0100007F:C350 0100007F:1538 01 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 20 4 30 10 -1
   2: 0100007F:C351 0100007F:1538 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   3: 0100007F:C352 0100007F:1538 01 00000000:00000000 00:00000000 00000000  1000        0 999 1 0 20 4 30 10 -1
"""


def test_a_table_gives_the_rows_of_the_named_sockets() -> None:
    assert list(parse(TABLE, {"100", "101"})) == [
        Socket("100", ("127.0.0.1", 8080), ("0.0.0.0", 0), True),
        Socket("101", ("127.0.0.1", 50000), ("127.0.0.1", 5432), False),
    ]


def test_addresses_of_both_families() -> None:
    assert endpoint("0100007F:1F90") == ("127.0.0.1", 8080)
    assert endpoint("00000000000000000000000001000000:0050") == ("::1", 80)
    assert endpoint("0000000000000000FFFF00000100007F:0050") == ("127.0.0.1", 80)


def test_only_connections_that_the_app_opened_elsewhere_are_direct() -> None:
    local = "127.0.0.1"
    served = Socket("1", (local, 8080), ("0.0.0.0", 0), True)
    accepted = Socket("2", (local, 8080), (local, 50001), False)
    through_us = Socket("3", (local, 50002), (local, 9000), False)
    to_itself = Socket("4", (local, 50003), (local, 8080), False)
    database = Socket("5", (local, 50004), (local, 5432), False)
    same_port_elsewhere = Socket("6", (local, 50005), ("192.0.2.1", 9000), False)
    app = [served, accepted, through_us, to_itself, database, same_port_elsewhere]
    assert direct(app, frozenset({9000})) == [database, same_port_elsewhere]


def test_a_connection_is_counted_once() -> None:
    bypass = Bypass(own_ports=[9000])
    first, second = (Socket(inode, ("127.0.0.1", 50000), ("192.0.2.1", 443), False) for inode in "12")
    bypass.take([first])
    bypass.take([first, second])
    assert bypass.notes() == ["the app opened 2 direct connections to 192.0.2.1:443 that were not recorded"]


async def test_a_living_process_is_seen(listen: Any) -> None:
    held = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.set()
        await _reader.read()
        writer.close()

    port = await listen(hold)
    dial = f"import socket, sys; c = socket.create_connection(('127.0.0.1', {port})); sys.stdin.read()"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", dial, stdin=asyncio.subprocess.PIPE, start_new_session=True
    )
    await asyncio.wait_for(held.wait(), 10)
    bypass = Bypass(own_ports=[])
    bypass.look(child.pid)
    await asyncio.wait_for(child.communicate(b""), 10)
    assert bypass.notes() == [f"the app opened 1 direct connection to 127.0.0.1:{port} that was not recorded"]
