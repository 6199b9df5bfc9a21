"""The databases that can be recorded, by the scheme of their maps: one line for each."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape_capture.databases import mongodb, mysql, postgres, redis
from wiretape_capture.databases.greeting import Greet
from wiretape_capture.databases.records import Facts
from wiretape_capture.protocols.observed import Book, Follower

if TYPE_CHECKING:  # the forwarding process is to start fast
    from wiretape_capture.launch.spec import ServiceMap


@dataclass(frozen=True)
class DatabaseProtocol:
    """How one protocol is recorded."""

    entrance: Callable[[ServiceMap, Mapping[str, str]], Facts]
    """How a service is entered, from its map and the variables that the app would have had. In the recorder."""
    greet: Callable[[Facts, ssl.SSLContext], Greet]
    """Greets the clients of that service; the context is for apps that ask for TLS. In the forwarding process."""
    follow: Callable[[Book, Facts], Follower]
    """Reads the copies of a connection that `greet` accepted, from its opening. In the recorder."""


PROTOCOLS: Mapping[str, DatabaseProtocol] = {
    "postgres": DatabaseProtocol(postgres.entrance, postgres.greet, postgres.follow),
    "mongodb": DatabaseProtocol(mongodb.entrance, mongodb.greet, mongodb.follow),
    "redis": DatabaseProtocol(redis.entrance, redis.greet, redis.follow),
    "mysql": DatabaseProtocol(mysql.entrance, mysql.greet, mysql.follow),
}
