"""Putting live values into a recorded answer in place of the recorded ones, on token boundaries. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from wiretape_capture.snapshot.exchange import Headers


class Echo:
    """A set of replacements, applied in one pass so that one never replaces what another put in."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._by_recorded = {
            spell(recorded): spell(live) for recorded, live in pairs for spell in (str, _quoted) if recorded != live
        }
        longest_first = sorted(self._by_recorded, key=len, reverse=True)
        alternatives = "|".join(re.escape(text) for text in longest_first)
        self._pattern = re.compile(f"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])") if longest_first else None

    def text(self, text: str) -> str:
        """The text with live values in it."""
        return self._pattern.sub(lambda found: self._by_recorded[found[0]], text) if self._pattern else text

    def data(self, data: bytes) -> bytes:
        """The decoded body with live values in it; bytes outside of the values stay as they are."""
        return self.text(data.decode("latin-1")).encode("latin-1", "replace")

    def headers(self, headers: Headers) -> Headers:
        """Header values with live values in them."""
        return tuple((name, self.text(value)) for name, value in headers)


def _quoted(text: str) -> str:
    return quote(text, safe="")
