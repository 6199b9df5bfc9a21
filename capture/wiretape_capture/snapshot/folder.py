"""A snapshot as a folder of text that people review and git compares, and back without loss.

One directory an exchange: `exchange.json`, and a `.http` head and a raw body for each message; `.pretty.json` is only
for the eye.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import Field

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot import head_text, portable
from wiretape_capture.snapshot.bodies import CHUNK, body_of
from wiretape_capture.snapshot.exchange import Body, Exchange, Headers, Model, Request, Response, SnapshotInfo
from wiretape_capture.snapshot.folder_text import ATTRIBUTES, PRETTY_LIMIT, body_extension, directory_name, pretty
from wiretape_capture.snapshot.portable import first_fault, importing
from wiretape_capture.snapshot.private import FOLDER, private
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import TapeWriter

FOLDER_FORMAT = 1


class FolderFacts(Model):
    """`snapshot.json`: what the folder says about the whole snapshot."""

    format: int
    created_ns: int = Field(ge=0, lt=1 << 63)
    app_command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


async def export_folder(reader: TapeReader, folder: Path) -> None:
    """Write the snapshot into a new folder; nothing is left behind when that fails."""
    info = await reader.info()
    _make(folder)
    try:
        whole = FolderFacts(format=FOLDER_FORMAT, created_ns=info.created_ns, app_command=info.app_command,
                            notes=info.notes)  # fmt: skip
        _write(folder / "snapshot.json", _json(whole.model_dump(mode="json")))
        _write(folder / ".gitattributes", ATTRIBUTES)
        async for exchange in reader.stream(max_body=PRETTY_LIMIT):
            await _export_exchange(reader, exchange, folder / directory_name(exchange))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise WiretapeError(f"{folder} could not be written: {error.strerror}", "free some space, try again") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


async def import_folder(folder: Path, tape: Path) -> SnapshotInfo:
    """Make a new tape from an exported folder, with its edits."""
    whole = _read_whole(folder)

    def invalid(what: str) -> UsageError:
        return _invalid(folder, what)

    async with importing(tape, invalid, created_ns=whole.created_ns, app_command=whole.app_command,
                         notes=whole.notes) as target:  # fmt: skip
        for directory in _directories(folder):
            await target.put(await _import_exchange(directory, target.tape))
    async with await TapeReader.open(tape) as reader:
        return await reader.info()


async def _export_exchange(reader: TapeReader, exchange: Exchange, directory: Path) -> None:
    directory.mkdir(mode=FOLDER)  # noqa: ASYNC240 - one system call
    request, response = exchange.request, exchange.response
    start = head_text.words(request.method, request.target, request.version)
    _write(directory / "request.http", head_text.head(start, request.headers, request.trailers))
    await _export_body(reader, directory, "request", request.headers, request.body)
    known = portable.facts(exchange) | _incomplete("request", request.body)
    if response is not None:
        start = head_text.words(response.version, str(response.status), response.reason)
        _write(directory / "response.http", head_text.head(start, response.headers, response.trailers))
        await _export_body(reader, directory, "response", response.headers, response.body)
        known |= _incomplete("response", response.body)
    _write(directory / "exchange.json", _json(known))
    if exchange.stream:
        with _new_file(directory / "stream.jsonl") as file:
            for message in exchange.stream:
                data = message.body.data
                data = await reader.body_bytes(message.body.sha256) if data is None else data
                file.write(orjson.dumps(portable.stream_item(message, data)) + b"\n")


async def _export_body(reader: TapeReader, directory: Path, side: str, headers: Headers, body: Body) -> None:
    if body.size == 0:
        return
    with _new_file(directory / f"{side}.body{body_extension(headers)}") as file:
        async for piece in reader.body_chunks(body.sha256):
            file.write(piece)
    shown = pretty(headers, body.data or b"")
    if shown is not None and shown != body.data:
        with _new_file(directory / f"{side}.pretty.json") as file:
            file.write(shown)


def _incomplete(side: str, body: Body) -> portable.Facts:
    return {} if body.complete else {f"{side}_complete": False}


async def _import_exchange(directory: Path, tape: TapeWriter) -> Exchange:
    try:
        known: dict[str, Any] = orjson.loads(_read(directory / "exchange.json"))
        if not isinstance(known, dict):
            raise TypeError("exchange.json holds no object")
        start, headers, trailers = head_text.parse_head(_read(directory / "request.http").decode())
        method, target, version = head_text.parse_words(start, 3)
        body = await _import_body(directory, "request", headers, bool(known.pop("request_complete", True)), tape)
        request = Request(method=method, target=target, version=version, headers=headers, trailers=trailers, body=body)
        response = await _import_response(directory, bool(known.pop("response_complete", True)), tape)
        return portable.exchange_of(known, request, response, [
            portable.stream_message(orjson.loads(line)) for line in _stream_lines(directory / "stream.jsonl")
        ])  # fmt: skip
    except FileNotFoundError as error:
        raise _invalid(directory, f"{Path(str(error.filename)).name} is missing") from None
    except OSError as error:
        raise WiretapeError(f"{directory} cannot be read: {error.strerror}", "check its owner and mode") from None
    except TypeError as error:
        raise _invalid(directory, str(error)) from None
    except ValueError as error:
        raise _invalid(directory, first_fault(error)) from None


async def _import_response(directory: Path, complete: bool, tape: TapeWriter) -> Response | None:
    path = directory / "response.http"
    if not path.exists():
        return None
    start, headers, trailers = head_text.parse_head(_read(path).decode())
    version, status, reason = head_text.parse_words(start, 3)
    body = await _import_body(directory, "response", headers, complete, tape)
    return Response(status=int(status), reason=reason, version=version, headers=headers, trailers=trailers, body=body)


async def _import_body(directory: Path, side: str, headers: Headers, complete: bool, tape: TapeWriter) -> Body:
    found = _bodies(directory, side)
    if len(found) > 1:
        raise ValueError(f"there are two bodies, {found[0].name} and {found[1].name}")
    if not found:
        return body_of(b"", complete=complete)
    _refuse_links(found[0])
    if found[0].stat().st_size > PRETTY_LIMIT:
        return await _import_large(found[0], complete, tape)
    data = await asyncio.to_thread(found[0].read_bytes)
    shown = directory / f"{side}.pretty.json"
    if shown.exists() and _read(shown) != pretty(headers, data):
        raise ValueError(f"{shown.name} does not show {found[0].name}; edit the body and delete {shown.name}")
    return body_of(data, complete=complete)


def _bodies(directory: Path, side: str) -> list[Path]:
    return sorted(directory.glob(f"{side}.body*"))


async def _import_large(path: Path, complete: bool, tape: TapeWriter) -> Body:
    sink = await tape.body()
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, CHUNK):
            sink.write(piece)
    return await sink.close(complete=complete)


def _read_whole(folder: Path) -> FolderFacts:
    try:
        whole = FolderFacts.model_validate_json(_read(folder / "snapshot.json"))
    except (FileNotFoundError, NotADirectoryError):
        raise _invalid(folder, "it has no snapshot.json") from None
    except OSError as error:
        raise WiretapeError(f"{folder} cannot be read: {error.strerror}", "check its owner and mode") from None
    except ValueError as error:
        raise _invalid(folder, f"snapshot.json: {first_fault(error)}") from None
    if whole.format > FOLDER_FORMAT:
        raise _invalid(folder, f"it has format {whole.format}, this wiretape reads up to {FOLDER_FORMAT}")
    return whole


def _directories(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            raise _invalid(folder, f"{path.name} is a symbolic link")
        if path.is_dir() and not path.name.startswith("."):
            yield path


def _stream_lines(path: Path) -> list[bytes]:
    return _read(path).splitlines() if path.exists() else []


def _read(path: Path) -> bytes:
    _refuse_links(path)
    if path.stat().st_size > portable.MESSAGE_LIMIT:
        raise ValueError(f"{path.name} is larger than {portable.MESSAGE_LIMIT} bytes")
    return path.read_bytes()


def _refuse_links(path: Path) -> None:
    """A link in a folder from elsewhere could pull any readable file into a snapshot."""
    if path.is_symlink():
        raise ValueError(f"{path.name} is a symbolic link")


def _invalid(where: Path, what: str) -> UsageError:
    return UsageError(f"{where} is not an exported snapshot: {what}", "correct it or export the snapshot again")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=FOLDER, parents=True)
    except FileExistsError:
        raise UsageError(f"{folder} exists already", "name a new folder or remove this one") from None
    except OSError as error:
        raise WiretapeError(f"{folder} cannot be made: {error.strerror}", "name another folder") from None


def _write(path: Path, text: str) -> None:
    with _new_file(path) as file:
        file.write(text.encode())


def _new_file(path: Path) -> BinaryIO:
    return open(path, "xb", opener=private)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
