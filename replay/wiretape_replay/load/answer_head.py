"""The head of an answer that the parser has accepted, as a message of the recording has it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.snapshot.exchange import Headers


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and headers."""

    version: str
    reason: str
    headers: Headers


def head_of(raw: bytes) -> Head:
    """The head at the beginning of some bytes; interim answers before it have been taken off."""
    text = raw.partition(b"\r\n\r\n")[0].decode("latin-1")
    first, *lines = text.split("\r\n")
    version, _, rest = first.partition(" ")
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = name, f"{value} {line.strip()}"  # folded, as very old servers do (RFC 9112 §5.2)
        else:
            name, _, value = line.partition(":")
            headers.append((name, value.strip(" \t")))
    return Head(version, rest.partition(" ")[2], tuple(headers))
