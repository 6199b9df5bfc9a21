"""The recorder's data plane in one object: opens every listener of a recording, translates traffic, closes them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wiretape_capture.launch.mapping import DATABASES
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.proxy import chain, http1, http2, tasks
from wiretape_capture.proxy.authority import authority
from wiretape_capture.proxy.early import EarlyRequests
from wiretape_capture.proxy.ledger import Ledger
from wiretape_capture.proxy.listener import LOOPBACK, CrashLog, Hooks, Listener, Port
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.recorder import Recorder
from wiretape_capture.proxy.routing import ProtocolChoice
from wiretape_capture.proxy.settings import settings
from wiretape_capture.proxy.spec import RecordSpec
from wiretape_capture.proxy.tee_process import TeeProcess
from wiretape_capture.proxy.trust import Trust
from wiretape_capture.proxy.upstream import NO_UPSTREAMS, Upstreams
from wiretape_capture.snapshot.exchange import Direction

HOOKS = (
    "arrived", "client_connected", "client_disconnected", "server_connect", "server_connected", "server_disconnected",
    "tls_clienthello", "tls_start_client", "tls_start_server", "tls_established_server", "tls_failed_client",
    "tls_failed_server", "next_layer", "http_connect", "http_connect_error", "http_connect_upstream",
    "requestheaders", "request", "responseheaders", "response", "error", "websocket_message", "websocket_end",
    "tcp_start", "tcp_message",
)  # fmt: skip
"""mitmproxy's hooks that somebody here listens to, and `arrived`, which is ours."""


class Wire:
    """Open listeners by role: `inbound`, `proxy`, `map:NAME`."""

    def __init__(self, ledger: Ledger, recorder: Recorder, trust: Trust, upstreams: Upstreams) -> None:
        self._ledger = ledger
        self._recorder = recorder
        self._tee: TeeProcess | None = None
        self._crashes = CrashLog(ledger.note)
        # The recorder copies a request before the chain changes it for the next proxy.
        self._hooks = hooks_of(trust, ProtocolChoice(), recorder, chain.Chain(upstreams))
        self._listeners: list[Listener] = []
        self._inbound: tuple[Listener, Listening] | None = None
        self._early: EarlyRequests | None = None
        self._taken: set[asyncio.Task[None]] = set()
        self._schemes: dict[str, str] = {}
        self.ports: dict[str, int] = {}

    @classmethod
    async def open(cls, spec: RecordSpec, ledger: Ledger, full: Callable[[], bool],
                   upstreams: Upstreams = NO_UPSTREAMS) -> Wire:  # fmt: skip
        """Listen on every port of the recording, or on none; `full` says whether the tape is behind."""
        http1.install()
        http2.install()
        chain.install()
        tasks.install()
        trust_file = spec.ca_dir / "bundle.pem"
        bundle = trust_file if trust_file.exists() else None
        trust = Trust(settings(spec.ca_dir, trust=bundle, keep_host=True, eager=True), ledger.note)
        wire = cls(ledger, Recorder(ledger), trust, upstreams)
        logging.getLogger("mitmproxy").setLevel(logging.ERROR)
        logging.getLogger("mitmproxy").addHandler(wire._crashes)
        try:
            opened = [wire._bind(*one) for one in ports_of(spec, bundle)]
            if spec.engine == "tee":
                wire._tee = TeeProcess(ledger, trust, full)
                await wire._tee.start(spec.overflow, bundle, upstreams)
            for role, listener, listening in opened:
                if role == "inbound":
                    wire._inbound = listener, listening
                    wire._early = EarlyRequests(listener.socket, spec.app_port or 0, ledger.note)
                else:
                    await wire._accept(role, listener, listening)
        except BaseException:
            await wire.close()
            raise
        return wire

    def _bind(self, role: str, port: Port, listening: Listening) -> tuple[str, Listener, Listening]:
        listener = Listener(port, self._hooks)
        number = listener.bind()
        self._listeners.append(listener)
        self.ports[role] = number
        self._schemes[role] = "tcp" if port.kind == "raw" else "http"
        self._ledger.listening = {**self._ledger.listening, number: listening}
        if port.kind == "forward":
            self._ledger.own_ports |= {number}
        elif role != "inbound":
            self._ledger.map_ports |= {number}
        return role, listener, listening

    async def _accept(self, role: str, listener: Listener, listening: Listening) -> None:
        if self._tee is None or self._tee.lost or listener.port.kind == "raw":
            await listener.accept()
            return
        ours = self._ledger.own_ports | self._ledger.map_ports
        self._tee.open(role.partition(":")[0], listener, listening, sorted(ours))

    def endpoints(self) -> dict[str, str]:
        """URL of each listener by role."""
        return {role: f"{self._schemes[role]}://{authority(LOOPBACK, number)}" for role, number in self.ports.items()}

    @property
    def waits(self) -> bool:
        """Whether the inbound port waits for the app."""
        return self._early is not None

    async def face(self, host: str) -> None:
        """The app listens at this loopback address: let in what comes to the inbound port, what waited there first."""
        if self._inbound is None or self._early is None:
            return
        listener, listening = self._inbound
        listener.point_to(host)
        waiting, self._early = self._early.take(), None
        await self._accept("inbound", listener, listening)
        for each in waiting:
            if self._tee is not None and not self._tee.lost:
                self._tee.bring(listener, each)
            else:
                self._take(listener, each)

    def _take(self, listener: Listener, accepted: socket.socket) -> None:
        task = asyncio.ensure_future(listener.adopt(accepted, None))
        self._taken.add(task)
        task.add_done_callback(self._taken.discard)

    async def close(self) -> None:
        """Put what is open on the tape and end every connection."""
        if self._early is not None:
            self._early.end()
        self._recorder.end_open()
        if self._tee is not None:
            await self._tee.close()
            self._recorder.end_open()
        for listener in self._listeners:
            await listener.close()
        await self._recorder.close()
        logging.getLogger("mitmproxy").removeHandler(self._crashes)


def hooks_of(*sources: Any) -> Hooks:
    """Every hook function of the sources, by name, in the order of the sources."""
    found: defaultdict[str, list[Callable[[Any], Any]]] = defaultdict(list)
    for name in HOOKS:
        for source in sources:
            if (function := getattr(source, name, None)) is not None:
                found[name].append(function)
    return found


def ports_of(spec: RecordSpec, trust: Path | None) -> list[tuple[str, Port, Listening]]:
    """The listeners of a recording: role, port and what it stands for."""
    proxied = settings(spec.ca_dir, trust=trust, keep_host=True, eager=True)
    faced = settings(spec.ca_dir, trust=trust, keep_host=True, eager=False)
    mapped = settings(spec.ca_dir, trust=trust, keep_host=False, eager=False)
    forward = Port("forward", spec.proxy_port, "--proxy-port", proxied,
                   first=0 if spec.proxy_port else spec.proxy_from)  # fmt: skip
    ports = [("proxy", forward, Listening(Direction.OUTBOUND))]
    if spec.app_port is not None:
        app = (LOOPBACK, spec.app_port)
        first = 0 if spec.listen else spec.listen_from
        ports.append(("inbound", Port("reverse", spec.listen, "--listen", faced, "http", app, first),
                      Listening(Direction.INBOUND, authority(*app))))  # fmt: skip
    ports.extend((f"map:{service.name}", map_port(service, mapped), Listening(Direction.OUTBOUND, service.name))
                 for service in spec.maps if service.scheme not in DATABASES.values())  # fmt: skip
    return ports


def map_port(service: ServiceMap, options: Any) -> Port:
    """The listener that stands for one mapped service."""
    kind = "raw" if service.scheme == "tcp" else "reverse"
    flag = f"--map {service.name}=URL@PORT"
    return Port(kind, service.listen, flag, options, service.scheme, (service.host, service.port))
