"""A job's last word arrives whole, however little the pipe takes at once."""

from __future__ import annotations

import os
import threading

from wiretape_capture.jobs.child import _emitter
from wiretape_capture.jobs.events import EVENT, Finished


def test_a_result_larger_than_the_pipe_arrives_whole() -> None:
    """A pipe that does not block takes 64 KiB and refuses the rest, as an interrupted write does."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    result = Finished(result={"text": "é" * 700_000})
    taken: list[bytes] = []

    def read() -> None:
        with os.fdopen(reading, "rb") as source:
            taken.append(source.read())

    reader = threading.Thread(target=read)
    with os.fdopen(writing, "wb", buffering=0) as out:
        reader.start()
        _emitter(out)(result)
    reader.join(10)

    assert EVENT.validate_json(taken[0]) == result
