"""A shell line that sends a recorded request again."""

from __future__ import annotations

import shlex

from wiretape_capture.protocols.http import is_text, media_type
from wiretape_capture.snapshot.exchange import Request

_BODY_LIMIT = 4096
_LEFT_TO_CURL = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})


def curl_line(request: Request, target: str) -> str:
    """The line; a body that is binary or long is named, not included."""
    words = ["curl", "-sS"]
    if request.method == "HEAD":
        words.append("-I")
    elif request.method != ("POST" if request.body.size else "GET"):
        words += ["-X", request.method]
    for name, value in request.headers:
        if name.lower() not in _LEFT_TO_CURL and not name.startswith(":"):
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
    if request.body.size:
        words += ["--data-binary", _body(request)]
    url = target.rstrip("/") + request.target if request.target.startswith("/") else request.target
    return " ".join(shlex.quote(word) for word in [*words, url])


def _body(request: Request) -> str:
    data = request.body.data
    if data is not None and len(data) <= _BODY_LIMIT and b"\0" not in data:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return "@request-body"
        if is_text(media_type(request.headers)) or text.isprintable():
            return text if not text.startswith("@") else f" {text}"
    return "@request-body"
