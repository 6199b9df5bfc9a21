"""Live responses of a run while it is under way: heads in memory, bodies in one nameless file, whatever their size."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from wiretape_capture.errors import WiretapeError
from wiretape_capture.snapshot.exchange import Response


class LiveResponses(Mapping[int, Response], AbstractContextManager["LiveResponses"]):
    """Response by sequence. Reading one loads its body from the file; bodies were capped by the client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise WiretapeError(f"cannot write in {folder}: {error.strerror}", "check the folder's rights") from None
        self._end = 0
        self._heads: dict[int, tuple[Response, int, int]] = {}

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, sequence: int, response: Response) -> None:
        """Keep a response."""
        data = response.body.data or b""
        bare = (
            response.model_copy(update={"body": response.body.model_copy(update={"data": None})}) if data else response
        )
        self._heads[sequence] = (bare, self._end, len(data))
        try:
            os.pwrite(self._file.fileno(), data, self._end)
        except OSError as error:
            raise WiretapeError(f"cannot keep live responses in {self._folder}: {error.strerror}",
                                "free some space and run again") from None  # fmt: skip
        self._end += len(data)

    def __getitem__(self, sequence: int) -> Response:
        head, offset, size = self._heads[sequence]
        if not size:
            return head
        data = os.pread(self._file.fileno(), size, offset)
        return head.model_copy(update={"body": head.body.model_copy(update={"data": data})})

    def __iter__(self) -> Iterator[int]:
        return iter(self._heads)

    def __len__(self) -> int:
        return len(self._heads)
