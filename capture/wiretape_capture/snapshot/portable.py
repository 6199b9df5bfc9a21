"""What HAR and the text folder share: an exchange's facts beside its two messages, and a tape made by an import.

Facts that follow from the messages (the command is the method) are left out, so an edited message stays consistent.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Exchange, Request, Response, StreamMessage
from wiretape_capture.snapshot.file_errors import BESIDE
from wiretape_capture.snapshot.tape_writer import TapeWriter

_PLAIN = (
    "sequence", "direction", "protocol", "scheme", "service", "started_ns", "duration_us", "connection", "session",
    "trace", "error",
)  # fmt: skip
FLUSH_EVERY = 100
"""Exchanges an import queues before it waits for the disk."""
MESSAGE_LIMIT = 64 * 1024 * 1024
"""Most bytes of one head, fact file or stream line that an import takes into memory."""

type Facts = dict[str, JsonValue]


def facts(exchange: Exchange) -> Facts:
    """What the messages themselves do not say; defaults and what follows from the messages are left out."""
    plain = {name: getattr(exchange, name) for name in _PLAIN}
    derived = _derived(exchange.request, exchange.response)
    different = {name: getattr(exchange, name) for name, value in derived.items() if getattr(exchange, name) != value}
    fields = Exchange.model_fields
    return {name: value for name, value in plain.items() if value != fields[name].default} | different


def exchange_of(facts: Mapping[str, Any], request: Request, response: Response | None,
                stream: Sequence[StreamMessage]) -> Exchange:  # fmt: skip
    """The exchange that `facts` and the messages were taken from. Raises ValidationError for other facts."""
    return Exchange.model_validate(
        {**_derived(request, response), **facts, "request": request, "response": response, "stream": tuple(stream)}
    )


def _derived(request: Request, response: Response | None) -> dict[str, str]:
    status = "" if response is None else str(response.status)
    return {"command": request.method, "location": request.target, "status": status}


def stream_item(message: StreamMessage, data: bytes) -> Facts:
    """A stream's message as JSON, its bytes as text where they are UTF-8."""
    item: Facts = {"from_client": message.from_client, "offset_us": message.offset_us, "kind": message.kind}
    return item | bytes_item(data) | ({} if message.body.complete else {"complete": False})


def stream_message(item: Mapping[str, Any]) -> StreamMessage:
    """The message of a `stream_item`. Raises ValueError for anything else."""
    body = body_of(item_bytes(item), complete=bool(item.get("complete", True)))
    known = {name: value for name, value in item.items() if name not in {"text", "base64", "complete"}}
    return StreamMessage.model_validate(known | {"body": body})


def bytes_item(data: bytes) -> Facts:
    """Bytes as JSON: `text` where they are UTF-8, else `base64`."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64_text(data)}


def item_bytes(item: Mapping[str, Any]) -> bytes:
    """The bytes of a `bytes_item`. Raises ValueError for a base64 that is none."""
    if "base64" in item:
        return unbase64(str(item["base64"]))
    return str(item.get("text", "")).encode()


def base64_text(data: bytes) -> str:
    """Bytes as base64 text."""
    return base64.b64encode(data).decode()


def unbase64(text: str) -> bytes:
    """Strict base64. Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("its base64 is damaged") from None


def first_fault(error: ValueError) -> str:
    """One clause for what is wrong with an input: pydantic's first fault, or the error's own text."""
    if not isinstance(error, ValidationError):
        return str(error)
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg'].lower()}" if where else fault["msg"].lower()


class Import:
    """A tape being filled from a file: sequences are checked, and the disk is waited for now and then."""

    def __init__(self, tape: TapeWriter, invalid: Callable[[str], UsageError]) -> None:
        self.tape = tape
        self._invalid = invalid
        self._sequences: set[int] = set()

    async def put(self, exchange: Exchange) -> None:
        """Store one exchange; a sequence that came before is the file's fault."""
        if exchange.sequence in self._sequences:
            raise self._invalid(f"sequence {exchange.sequence} occurs twice")
        self._sequences.add(exchange.sequence)
        self.tape.put(exchange)
        if len(self._sequences) % FLUSH_EVERY == 0:
            await self.tape.flush()


@asynccontextmanager
async def importing(path: Path, invalid: Callable[[str], UsageError], *, created_ns: int,
                    app_command: Sequence[str], notes: Sequence[str]) -> AsyncIterator[Import]:  # fmt: skip
    """A new tape at `path`, named like its file; removed again when the import fails."""
    tape = await TapeWriter.create(path, name=path.stem, created_ns=created_ns, app_command=app_command)
    try:
        for note in notes:
            tape.note(note)
        yield Import(tape, invalid)
        await tape.flush()
    except BaseException:
        with suppress(WiretapeError):
            await tape.close()
        for part in (path, *(path.with_name(path.name + end) for end in BESIDE)):
            part.unlink(missing_ok=True)
        raise
    await tape.close()
