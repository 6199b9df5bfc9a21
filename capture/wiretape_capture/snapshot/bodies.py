"""Bodies as the tape keeps them: named by their SHA-256, cut into fixed chunks, each chunk one zstd frame.

The cut is fixed, so equal bodies have equal chunks and are stored once without being compared.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from wiretape_capture.snapshot.exchange import Body

CHUNK = 256 * 1024
"""Bytes of body in one chunk: small against memory, large against a row's cost."""

EMPTY = Body()
_here = threading.local()


def body_of(data: bytes, *, complete: bool = True) -> Body:
    """The body that consists of `data`."""
    if not data and complete:
        return EMPTY
    return Body.made(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data, complete=complete)


def _compressor() -> zstandard.ZstdCompressor:
    """This thread's own, for making one costs as much as a kilobyte and none may be shared."""
    made: zstandard.ZstdCompressor | None = getattr(_here, "compressor", None)
    if made is None:
        made = _here.compressor = zstandard.ZstdCompressor(level=3)
    return made


def _decompressor() -> zstandard.ZstdDecompressor:
    """This thread's own, as above."""
    made: zstandard.ZstdDecompressor | None = getattr(_here, "decompressor", None)
    if made is None:
        made = _here.decompressor = zstandard.ZstdDecompressor()
    return made


def pack(data: bytes) -> Iterator[bytes]:
    """The stored chunks of a body that is in memory; none for an empty one."""
    compressor = _compressor()
    for start in range(0, len(data), CHUNK):
        yield compressor.compress(data[start : start + CHUNK])


def pack_file(spool: BinaryIO, chunks: int) -> list[bytes]:
    """The next `chunks` stored chunks of a body that lies in a file; an empty list at its end."""
    packed: list[bytes] = []
    while len(packed) < chunks and (piece := spool.read(CHUNK)):
        packed.extend(pack(piece))
    return packed


def unpack(chunk: bytes) -> bytes:
    """The bytes of one stored chunk. Raises ValueError when it is damaged or claims to be larger than a chunk."""
    try:
        claimed = zstandard.get_frame_parameters(chunk).content_size
        if claimed > CHUNK:  # a damaged or hostile frame must not choose how much is allocated
            raise ValueError(f"a chunk claims {claimed} bytes")
        return _decompressor().decompress(chunk, max_output_size=CHUNK)
    except zstandard.ZstdError as error:
        raise ValueError(f"a chunk is damaged: {error}") from None
