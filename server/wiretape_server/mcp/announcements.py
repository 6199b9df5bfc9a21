"""Tells clients that a run or a recording ended: subscribers of its resources, and all that the list has changed.

Clients of the 2026 protocol listen on a stream of their own, those of the 2025 one are told on their connection.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from wiretape_server.mcp.sdk_seams import connection_of, is_modern, subscribe_with

if TYPE_CHECKING:
    from mcp.server.connection import Connection

    from wiretape_server.mcp.live_jobs import LiveJob

PATIENCE = 5.0
"""Seconds to wait for a client that does not read; then it misses the news."""
MOST_SUBSCRIPTIONS = 1000
"""Of one connection."""


class Announcements:
    """Who wants to know what."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._connections: weakref.WeakKeyDictionary[Connection, set[str]] = weakref.WeakKeyDictionary()
        """Open connections of the 2025 protocol, and the resources each has subscribed to."""

    def serve(self, server: MCPServer[Any]) -> None:
        """Answer subscriptions, and notice who connects."""
        subscribe_with(server, self._subscribe, self._unsubscribe)
        server.middleware.append(self._noticing())

    async def ended(self, live: LiveJob) -> None:
        """A job ended: its resources are new."""
        uris = resources_of(live.kind, live.name)
        if not uris:
            return
        for uri in uris:
            await self.bus.publish(ResourceUpdated(uri=uri))
        await self.bus.publish(ResourcesListChanged())
        told = [_tell(connection, [uri for uri in uris if uri in wanted])
                for connection, wanted in list(self._connections.items())]  # fmt: skip
        await asyncio.gather(*told)

    async def _subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        wanted = self._connections.setdefault(connection_of(ctx), set())
        if len(wanted) < MOST_SUBSCRIPTIONS:
            wanted.add(str(params.uri))
        return EmptyResult()

    async def _unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        self._connections.get(connection_of(ctx), set()).discard(str(params.uri))
        return EmptyResult()

    def _noticing(self) -> ServerMiddleware[Any]:
        async def notice(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
            if not is_modern(ctx):
                self._connections.setdefault(connection_of(ctx), set())
            return await call_next(ctx)

        return notice


def resources_of(kind: str, name: str) -> list[str]:
    """What a job that ended leaves to be read."""
    if kind == "run":
        return ["wiretape://runs", f"wiretape://runs/{name}", f"wiretape://runs/{name}/report"]
    if kind == "recording":
        return ["wiretape://snapshots", f"wiretape://snapshots/{name}", f"wiretape://snapshots/{name}/contract"]
    return []


async def _tell(connection: Connection, uris: Iterable[str]) -> None:
    async def all_of_it() -> None:
        for uri in uris:
            await connection.send_resource_updated(uri)
        await connection.send_resource_list_changed()

    await _patiently(all_of_it())


async def _patiently(work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await work
    except TimeoutError:
        return  # it reads its answers later; the resource itself is there
