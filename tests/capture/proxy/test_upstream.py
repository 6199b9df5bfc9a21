"""The user's own proxy: which requests go through it, and that they get there as the app would have sent them."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from wiretape_capture.launch.ca import Authority
from wiretape_capture.proxy.upstream import from_environment, matches

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


def test_environment_names_proxies_and_exceptions() -> None:
    upstreams = from_environment({"HTTP_PROXY": "http://ann:p%40ss@10.0.0.1:3128", "https_proxy": "10.0.0.2:8080",
                                  "HTTPS_PROXY": "http://loses", "NO_PROXY": ".corp,10.0.0.0/8"})  # fmt: skip
    plain, secure = upstreams.through("http", "a.example", 80), upstreams.through("https", "a.example", 443)
    assert plain is not None
    assert secure is not None
    assert (plain.via, plain.authorization) == (("http", ("10.0.0.1", 3128)), "Basic YW5uOnBAc3M=")
    assert secure.via == ("http", ("10.0.0.2", 8080))
    assert [
        upstreams.through("http", host, 80) for host in ("x.corp", "10.1.2.3", "localhost", "127.0.0.1", "::1")
    ] == [None] * 5


def test_a_proxy_we_cannot_speak_to_is_told() -> None:
    upstreams = from_environment({"ALL_PROXY": "socks5h://10.0.0.1:1080"})
    assert upstreams.unusable == ("socks5h",)
    assert upstreams.through("http", "a.example", 80) is None


@pytest.mark.parametrize(
    ("rule", "host", "port", "covered"),
    [
        ("*", "a.example", 80, True),
        ("example", "a.example", 80, True),
        (".example", "a.example", 80, True),
        ("*.example", "a.example", 80, True),
        ("ample", "a.example", 80, False),
        ("a.example:81", "a.example", 80, False),
        ("a.example:80", "A.EXAMPLE", 80, True),
        ("192.168.0.0/16", "192.168.3.4", 80, True),
        ("192.168.3.4", "192.168.3.4", 80, True),
        ("fe80::/10", "fe80::1", 80, True),
        ("192.168.0.0/16", "a.example", 80, False),
    ],
)
def test_exceptions(rule: str, host: str, port: int, covered: bool) -> None:
    assert matches(rule, host, port) is covered


class CompanyProxy:
    """A proxy that sends every host to one local service and keeps the heads it saw."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        inward, outward = await asyncio.open_connection("127.0.0.1", self.target)
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            outward.write(head)
        await asyncio.gather(pump(reader, outward), pump(inward, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes until they end."""
    try:
        while data := await reader.read(65535):
            writer.write(data)
        writer.close()
    except ConnectionError:
        writer.close()


async def test_plain_http_goes_through_it_in_absolute_form(
    recording: Any, service: Any, listen: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = CompanyProxy((await service(OK)).port)
    monkeypatch.setenv("http_proxy", f"http://ann:secret@127.0.0.1:{await listen(company.serve)}")
    rec = await recording()
    got = await ask(rec.port("proxy"), b"GET http://dep.example/x?y HTTP/1.1\r\nHost: dep.example\r\n\r\n")
    (exchange,) = await rec.finish()
    assert got == OK
    assert company.heads == [b"GET http://dep.example:80/x?y HTTP/1.1\r\nHost: dep.example\r\n"
                             b"Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n\r\n"]  # fmt: skip
    assert (exchange.service, exchange.location) == ("dep.example:80", "/x?y")
    assert exchange.request.headers == (("Host", "dep.example"),)


async def test_https_goes_through_it_by_connect(
    recording: Any, service: Any, listen: Any, server_tls: Any, service_authority: Authority, ca_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    company = CompanyProxy((await service(OK, tls=server_tls(service_authority, host="dep.example"))).port)
    monkeypatch.setenv("https_proxy", f"http://ann:secret@127.0.0.1:{await listen(company.serve)}")
    rec = await recording()
    trusted = ssl.create_default_context(cafile=str(ca_dir / "bundle.pem"))
    async with httpx.AsyncClient(proxy=rec.url("proxy"), verify=trusted, trust_env=False) as client:
        answer = await client.get("https://dep.example/secure")
    (exchange,) = await rec.finish()
    assert answer.text == "hi"
    assert company.heads == [b"CONNECT dep.example:443 HTTP/1.1\r\nHost: dep.example:443\r\n"
                             b"Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n\r\n"]  # fmt: skip
    assert (exchange.service, exchange.scheme, exchange.location) == ("dep.example:443", "https", "/secure")
