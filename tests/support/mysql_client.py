"""A client of MySQL that sends any packet, for what no driver does."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from wiretape_capture.protocols.mysql import login, packets
from wiretape_capture.protocols.mysql.login import Greeting, Response
from wiretape_capture.protocols.mysql.packets import Column, PrepareOk, Terms
from wiretape_capture.protocols.mysql.wire import ERR, Capability, Framer, Packet, packet

WANTED = (
    Capability.MYSQL | Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH
    | Capability.MULTI_RESULTS | Capability.PS_MULTI_RESULTS | Capability.MULTI_STATEMENTS | Capability.TRANSACTIONS
)  # fmt: skip
SECONDS = 10.0


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._framer = Framer()
        self._heard: list[Packet] = []
        self.greeting: Greeting
        self.terms = Terms(0)

    @classmethod
    async def connect(cls, port: int, user: str = "shop", password: str = "s3cr=t/p@ss", *, more: int = 0,
                      extended: int = 0, database: str = "shop") -> Client:  # fmt: skip
        """Log in with these capabilities more."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        client.greeting = login.read_greeting(await client.hear())
        capabilities = (WANTED | more | Capability.CONNECT_WITH_DB) & client.greeting.capabilities
        if extended:
            capabilities &= ~Capability.MYSQL
        proof = login.proof_of(login.NATIVE, password, client.greeting.scramble) or b""
        response = Response(capabilities, 1 << 24, 45, user, proof, database, login.NATIVE, b"", extended)
        client.terms = Terms(*login.agreed(client.greeting, response))
        client.say(login.write_response(response), number=1)
        await client.good()
        return client

    def say(self, payload: bytes, number: int = 0) -> None:
        """Send a payload; a command has the number 0."""
        self._writer.write(packet(number, payload))

    async def hear(self) -> bytes:
        """The next payload."""
        while not self._heard:
            async with asyncio.timeout(SECONDS):
                data = await self._reader.read(1 << 16)
            if not data:
                raise EOFError
            self._heard += self._framer.feed(data)
        payload = self._heard.pop(0).payload
        assert payload is not None
        return payload

    async def good(self) -> bytes:
        """The next payload, which must be no error."""
        payload = await self.hear()
        assert payload[0] != ERR, packets.read_error(payload)
        return payload

    async def ask(self, payload: bytes) -> bytes:
        """Send a command and hear the first packet of its reply."""
        self.say(payload)
        return await self.good()

    async def columns(self, count: int) -> list[Column]:
        """So many columns, and their end."""
        found = [packets.read_column(await self.good(), self.terms) for _ in range(count)]
        if count and not self.terms.short_end:
            await self.good()
        return found

    async def rows(self) -> list[bytes]:
        """Rows up to their end, which comes last."""
        found = [await self.good()]
        while not (found[-1][0] == 0xFE and len(found[-1]) < 30):
            found.append(await self.good())
        return found

    async def prepare(self, sql: str) -> PrepareOk:
        """Prepare a statement."""
        told = packets.read_prepared(await self.ask(b"\x16" + sql.encode()))
        await self.columns(told.params)
        await self.columns(told.columns)
        return told

    async def close(self) -> None:
        """Say goodbye."""
        self.say(b"\x01")
        with suppress(ConnectionError, EOFError, TimeoutError):
            await self.hear()
        self._writer.close()
