"""The parts of HAR 1.2 that are read (http://www.softwareishard.com/blog/har-12-spec/), as lax as browsers write it.

Unknown fields are ignored; `_wiretape` carries what HAR has no place for.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Har(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", populate_by_name=True)


class HarPair(_Har):
    """A header or a form parameter."""

    name: str
    value: str = ""


class HarPostData(_Har):
    """A request body as text or as form parameters."""

    media: str = Field(default="", alias="mimeType")
    text: str | None = None
    params: tuple[HarPair, ...] = ()
    encoding: str | None = ""


class HarContent(_Har):
    """A response body, its content coding undone."""

    size: float = 0
    media: str | None = Field(default="", alias="mimeType")
    text: str | None = None
    encoding: str | None = ""


class HarRequest(_Har):
    """A request as a browser saw it."""

    method: str
    url: str
    version: str = Field(default="", alias="httpVersion")
    headers: tuple[HarPair, ...] = ()
    post: HarPostData | None = Field(default=None, alias="postData")


class HarResponse(_Har):
    """A response as a browser saw it; status 0 stands for none."""

    status: int
    reason: str = Field(default="", alias="statusText")
    version: str = Field(default="", alias="httpVersion")
    headers: tuple[HarPair, ...] = ()
    content: HarContent = Field(default_factory=HarContent)
    error: str | None = Field(default=None, alias="_error")


class HarSocketMessage(_Har):
    """Chrome's `_webSocketMessages`."""

    type: str
    time: float
    """Seconds since the epoch."""
    opcode: int = 1
    data: str = ""


class HarSide(_Har):
    """`_wiretape.request` and `_wiretape.response`: what HAR's own message cannot say."""

    trailers: tuple[tuple[str, str], ...] = ()
    complete: bool = True
    body: str | None = None
    """Raw bytes as base64, where the readable body is decoded."""
    answered: bool = True


class HarOwn(_Har):
    """`_wiretape` of an entry: its presence makes the import exact."""

    facts: dict[str, Any]
    request: HarSide = HarSide()
    response: HarSide = HarSide()
    stream: tuple[dict[str, Any], ...] = ()


class HarEntry(_Har):
    """One exchange."""

    started: str = Field(default="", alias="startedDateTime")
    time: float | None = 0
    """Milliseconds."""
    request: HarRequest
    response: HarResponse
    connection: str | None = ""
    own: HarOwn | None = Field(default=None, alias="_wiretape")
    socket_messages: tuple[HarSocketMessage, ...] = Field(default=(), alias="_webSocketMessages")


class HarLogOwn(_Har):
    """`_wiretape` of the log: the snapshot's own facts."""

    format: int
    created_ns: int = Field(ge=0, lt=1 << 63)
    app_command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
