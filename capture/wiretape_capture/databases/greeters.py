"""Which databases can be recorded, by the scheme of their maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wiretape_capture.databases.downstream import server_context
from wiretape_capture.databases.listener import Greet
from wiretape_capture.databases.postgres import Entrance, greet_postgres
from wiretape_capture.launch.ca import Authority
from wiretape_capture.launch.spec import ServiceMap


def greeters(environ: Mapping[str, str], authority: Authority) -> dict[str, Callable[[ServiceMap], Greet]]:
    """How clients of each protocol are greeted; `environ` are the variables that the app would have had."""
    tls = server_context(authority)
    return {"postgres": lambda service: greet_postgres(Entrance.of(service, environ), tls)}
