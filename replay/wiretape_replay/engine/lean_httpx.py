"""httpx without its command line, for which it imports click, rich and pygments wherever they are installed."""

from __future__ import annotations

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # its import fails, which httpx is prepared for

import httpx  # noqa: E402 - after what it must not import

__all__ = ["httpx"]
