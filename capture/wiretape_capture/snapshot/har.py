"""A snapshot as an HTTP Archive and back without loss; archives of browsers and proxies come in as far as they go.

Bound: an archive is one JSON document that is read whole, so both ways stop at `HAR_LIMIT`; a folder has no limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot.exchange import Direction, SnapshotInfo
from wiretape_capture.snapshot.har_entry import entry_of, exchange_of, started_ns
from wiretape_capture.snapshot.har_model import HarEntry, HarLogOwn
from wiretape_capture.snapshot.portable import first_fault, importing
from wiretape_capture.snapshot.private import private
from wiretape_capture.snapshot.tape_reader import TapeReader

HAR_LIMIT = 1 << 29
HAR_FORMAT = 1


async def export_har(reader: TapeReader, path: Path) -> None:
    """Write the snapshot as a new HAR 1.2 file; nothing is left behind when that fails."""
    info = await reader.info()
    with _new_file(path) as file:
        await _write_log(reader, info, file, path)


async def import_har(path: Path, tape: Path, *, direction: Direction = Direction.INBOUND) -> SnapshotInfo:
    """Make a new tape from an archive; `direction` is that of entries which wiretape did not write."""
    log = await asyncio.to_thread(_read_log, path)
    own = _own(path, log)

    def invalid(what: str) -> UsageError:
        return _invalid(path, what)

    entries = _entries(path, log["entries"])
    created_ns = own.created_ns if own else min((started_ns(entry) for entry in entries), default=0)
    async with importing(tape, invalid, created_ns=created_ns, app_command=own.app_command if own else (),
                         notes=own.notes if own else ()) as target:  # fmt: skip
        for number, entry in enumerate(entries, 1):
            try:
                exchange, notes = exchange_of(entry, number, direction)
            except ValueError as error:
                raise invalid(f"entry {number}: {first_fault(error)}") from None
            for note in notes:
                target.tape.note(note)
            if exchange is not None:
                await target.put(exchange)
    async with await TapeReader.open(tape) as reader:
        return await reader.info()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    try:
        with open(path, "xb", opener=private) as file:
            yield file
    except FileExistsError:
        raise UsageError(f"{path} exists already", "name another file or remove this one") from None
    except OSError as error:
        path.unlink(missing_ok=True)
        raise WiretapeError(f"{path} could not be written: {error.strerror}", "free space or name another") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


async def _write_log(reader: TapeReader, info: SnapshotInfo, file: BinaryIO, path: Path) -> None:
    creator = {"name": "wiretape", "version": version("wiretape")}
    own = HarLogOwn(format=HAR_FORMAT, created_ns=info.created_ns, app_command=info.app_command, notes=info.notes)
    head = orjson.dumps({"version": "1.2", "creator": creator, "_wiretape": own.model_dump(mode="json")})
    file.write(b'{"log":' + head.removesuffix(b"}") + b',"entries":[')
    first = True
    async for light in reader.stream():
        exchange = await reader.exchange(light.sequence)
        file.write((b"\n" if first else b",\n") + orjson.dumps(entry_of(exchange)))
        first = False
        if file.tell() > HAR_LIMIT:
            raise WiretapeError(f"{path} would be larger than {HAR_LIMIT >> 20} MiB", "export it as a folder instead")
    file.write(b"\n]}}\n")


def _read_log(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > HAR_LIMIT:
            raise _invalid(path, f"it is larger than {HAR_LIMIT >> 20} MiB")
        data = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "name a .har file") from None
    except orjson.JSONDecodeError as error:
        raise _invalid(path, f"its JSON is damaged: {error}") from None
    log = data.get("log") if isinstance(data, dict) else None
    if not isinstance(log, dict) or not isinstance(log.get("entries"), list):
        raise _invalid(path, "it has no log.entries")
    return log


def _own(path: Path, log: dict[str, Any]) -> HarLogOwn | None:
    if "_wiretape" not in log:
        return None
    try:
        own = HarLogOwn.model_validate(log["_wiretape"])
    except ValueError as error:
        raise _invalid(path, f"log._wiretape: {first_fault(error)}") from None
    if own.format > HAR_FORMAT:
        raise _invalid(path, f"its _wiretape has format {own.format}, this wiretape reads up to {HAR_FORMAT}")
    return own


def _entries(path: Path, raw: list[Any]) -> list[HarEntry]:
    """Entries in the order in which they began; those of wiretape keep their own."""
    entries: list[HarEntry] = []
    for number, item in enumerate(raw, 1):
        try:
            entries.append(HarEntry.model_validate(item))
        except ValueError as error:
            raise _invalid(path, f"entry {number}: {first_fault(error)}") from None
    return sorted(entries, key=lambda entry: 0 if entry.own else started_ns(entry))


def _invalid(path: Path, what: str) -> UsageError:
    return UsageError(f"{path} is not an HTTP archive that can be imported: {what}", "export it again as HAR 1.2")
