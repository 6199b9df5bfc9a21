"""Sends a Python app's HTTP through wiretape's proxy where the client reads no proxy variables.

Python itself loads it from PYTHONPATH, in any version from 3.8: it imports next to nothing, and patches a client when
the app imports that client. The user's own `sitecustomize` runs after it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import, which costs every start of Python 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is one more import
ANSWER_LIMIT = 65536


class Proxy:
    """Where the proxy listens, and what must not go through it."""

    def __init__(self, address: str, direct: str) -> None:
        host, _, port = address.partition(":")
        self.host = host
        self.port = int(port)
        self.url = "http://" + address
        self.direct = {name.strip() for name in direct.split(",")}

    def carries(self, host: str, port: int | None = None) -> bool:
        """Whether a connection to this place goes through the proxy."""
        return host not in self.direct and (host, port) != (self.host, self.port)


def connect_request(host: str, port: int) -> bytes:
    """The bytes that ask the proxy for a tunnel."""
    host = host if host.isascii() else host.encode("idna").decode()
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    agent = f"python/{sys.version_info[0]}.{sys.version_info[1]}"
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: {agent}\r\n\r\n".encode()


def check(answer: bytes, host: str, port: int) -> None:
    """Raise what the app would have seen without a proxy, if the proxy could not connect."""
    line = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if not (line.startswith("HTTP/1.") and line[9:10] == "2"):
        raise ConnectionRefusedError(111, f"Connection refused ({host}:{port}; wiretape's proxy said: {line})")


def tunnelled(original: Any, proxy: Proxy) -> Any:
    """A `socket.create_connection` that goes through the proxy."""

    def create_connection(address: Any, *args: Any, **kwargs: Any) -> Any:
        host, port = address[:2]
        host = host.strip("[]")
        if not proxy.carries(host, port):
            return original(address, *args, **kwargs)
        sock = original((proxy.host, proxy.port), *args, **kwargs)
        try:
            sock.sendall(connect_request(host, port))
            check(read_answer(sock), host, port)
        except BaseException:
            sock.close()
            raise
        return sock

    return create_connection


def read_answer(sock: Any) -> bytes:
    """The head of the proxy's answer, byte by byte: what follows belongs to the app."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n") and len(answer) < ANSWER_LIMIT:
        byte = sock.recv(1)
        if not byte:
            break
        answer += byte
    return answer


def patch_http_client(module: Any, proxy: Proxy) -> None:
    """http.client dials with an attribute that each connection holds."""
    import socket

    original = module.HTTPConnection.__init__
    create_connection = tunnelled(socket.create_connection, proxy)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._create_connection = create_connection

    module.HTTPConnection.__init__ = __init__


def patch_urllib3(module: Any, proxy: Proxy) -> None:
    """A bare urllib3 pool, and requests with trust_env=False."""
    module.create_connection = tunnelled(module.create_connection, proxy)


def patch_aiohttp(module: Any, proxy: Proxy) -> None:
    """aiohttp reads proxy variables only when a session was made with trust_env=True."""
    original = module.ClientSession._request

    async def _request(self: Any, method: str, str_or_url: Any, **kwargs: Any) -> Any:
        by_itself = self._trust_env or getattr(self, "_default_proxy", None) or kwargs.get("proxy")
        if not by_itself and type(self._connector) is module.TCPConnector:
            host = self._build_url(str_or_url).host
            if host and proxy.carries(host):
                kwargs["proxy"] = proxy.url
        return await original(self, method, str_or_url, **kwargs)

    module.ClientSession._request = _request


def patch_httpcore_sync(module: Any, proxy: Proxy) -> None:
    """httpx with trust_env=False or with a transport of its own."""
    original = module.SyncBackend.connect_tcp

    def connect_tcp(self: Any, host: str, port: int, timeout: Any = None, **kwargs: Any) -> Any:
        if not proxy.carries(host, port):
            return original(self, host, port, timeout=timeout, **kwargs)
        stream = original(self, proxy.host, proxy.port, timeout=timeout, **kwargs)
        stream.write(connect_request(host, port), timeout)
        check(stream.read(ANSWER_LIMIT, timeout), host, port)
        return stream

    module.SyncBackend.connect_tcp = connect_tcp


def patch_httpcore_async(module: Any, proxy: Proxy) -> None:
    """The same for httpx.AsyncClient, on asyncio and on trio."""
    original = module.AutoBackend.connect_tcp

    async def connect_tcp(self: Any, host: str, port: int, timeout: Any = None, **kwargs: Any) -> Any:  # noqa: ASYNC109
        if not proxy.carries(host, port):
            return await original(self, host, port, timeout=timeout, **kwargs)
        stream = await original(self, proxy.host, proxy.port, timeout=timeout, **kwargs)
        await stream.write(connect_request(host, port), timeout)
        check(await stream.read(ANSWER_LIMIT, timeout), host, port)
        return stream

    module.AutoBackend.connect_tcp = connect_tcp


def patch_certifi(module: Any, _proxy: Proxy) -> None:
    """Clients that were told not to read the environment take certifi's roots."""
    bundle = os.environ.get("WIRETAPE_CA_BUNDLE")
    if bundle:
        module.where = lambda: bundle


PATCHES = {
    "http.client": patch_http_client,
    "urllib3.util.connection": patch_urllib3,
    "aiohttp.client": patch_aiohttp,
    "httpcore._backends.sync": patch_httpcore_sync,
    "httpcore._backends.auto": patch_httpcore_async,
    "certifi.core": patch_certifi,
}


class PatchingFinder:
    """Finds the modules of PATCHES as Python would, and lets their loaders patch them."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        patch = PATCHES.get(name)
        spec = PathFinder.find_spec(name, path, target) if patch else None
        if patch and spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                apply_patch(module, patch, self.proxy)

            # On the instance: the loader stays what it is for those who look at it.
            loader.exec_module = exec_module
        return spec


def apply_patch(module: ModuleType, patch: Callable[[Any, Proxy], None], proxy: Proxy) -> None:
    """Patch one client. If its inside has changed it goes on unpatched: the app must never fail because of us."""
    try:
        patch(module, proxy)
    except Exception as error:  # noqa: BLE001 - the boundary between us and the app
        sys.stderr.write(f"wiretape: {module.__name__} cannot be sent through the proxy: {error!r}\n")


def install(address: str) -> None:
    """Patch what is loaded already, and the rest when it comes."""
    proxy = Proxy(address, os.environ.get("NO_PROXY", ""))
    for name, patch in PATCHES.items():
        if name in sys.modules:
            apply_patch(sys.modules[name], patch, proxy)
    sys.meta_path.insert(0, PatchingFinder(proxy))


def run_own_sitecustomize() -> None:
    """Run the sitecustomize that Python would have found without us, if there is one."""
    ours = sys.modules.pop("sitecustomize")
    sys.path[:] = [path for path in sys.path if path != HERE]
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = ours


if __name__ == "sitecustomize":
    if os.environ.get("WIRETAPE_PROXY"):
        install(os.environ["WIRETAPE_PROXY"])
    run_own_sitecustomize()
