"""HTTPS through the recorder: trusted, untrusted, refused; HTTP/2 on both sides; SOCKS."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from wiretape_capture.jobs.events import Notice
from wiretape_capture.launch.ca import Authority, load_or_create

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


def trusting(ca_dir: Path) -> ssl.SSLContext:
    """What an app with our environment trusts."""
    return ssl.create_default_context(cafile=str(ca_dir / "bundle.pem"))


async def test_https_exchange_of_a_service_that_the_app_trusts(
    recording: Any, service: Any, server_tls: Any, service_authority: Authority, ca_dir: Path
) -> None:
    api = await service(OK, tls=server_tls(service_authority))
    rec = await recording()
    async with httpx.AsyncClient(proxy=rec.url("proxy"), verify=trusting(ca_dir)) as client:
        answer = await client.get(f"https://127.0.0.1:{api.port}/secure")
    (exchange,) = await rec.finish()
    assert answer.text == "hi"
    assert (exchange.scheme, exchange.service, exchange.location) == ("https", f"127.0.0.1:{api.port}", "/secure")
    assert rec.result.notes == ()


async def test_a_certificate_that_does_not_verify_is_refused_by_a_client_that_checks(
    recording: Any, service: Any, server_tls: Any, tmp_path: Path, ca_dir: Path
) -> None:
    api = await service(OK, tls=server_tls(load_or_create(tmp_path / "stranger", {})))
    rec = await recording()
    async with httpx.AsyncClient(proxy=rec.url("proxy"), verify=trusting(ca_dir)) as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://127.0.0.1:{api.port}/")
    assert await rec.finish() == []
    assert any(f"the certificate of 127.0.0.1:{api.port} does not verify" in note for note in rec.result.notes)


async def test_a_certificate_that_does_not_verify_is_accepted_by_a_client_that_does_not_check(
    recording: Any, service: Any, server_tls: Any, tmp_path: Path
) -> None:
    api = await service(OK, tls=server_tls(load_or_create(tmp_path / "stranger", {})))
    rec = await recording()
    async with httpx.AsyncClient(proxy=rec.url("proxy"), verify=False) as client:
        answer = await client.get(f"https://127.0.0.1:{api.port}/")
    (exchange,) = await rec.finish()
    assert (answer.text, exchange.status) == ("hi", "200")


async def test_a_certificate_for_another_host_does_not_verify(
    recording: Any, service: Any, server_tls: Any, service_authority: Authority, ca_dir: Path
) -> None:
    api = await service(OK, tls=server_tls(service_authority, host="elsewhere.example"))
    rec = await recording()
    async with httpx.AsyncClient(proxy=rec.url("proxy"), verify=trusting(ca_dir)) as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://127.0.0.1:{api.port}/")
    await rec.finish()
    assert any("mismatch" in note for note in rec.result.notes)


async def test_a_client_that_does_not_trust_us_is_named(
    recording: Any, service: Any, server_tls: Any, service_authority: Authority, tmp_path: Path
) -> None:
    api = await service(OK, tls=server_tls(service_authority))
    (tmp_path / "own.pem").write_bytes(service_authority.cert_pem)
    rec = await recording()
    pinned = ssl.create_default_context(cafile=str(tmp_path / "own.pem"))
    async with httpx.AsyncClient(
        proxy=httpx.Proxy(rec.url("proxy"), headers={"User-Agent": "billing/1.2"}), verify=pinned
    ) as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://127.0.0.1:{api.port}/")
    await rec.finish()
    (note,) = [note for note in rec.result.notes if "refused" in note]
    assert f"127.0.0.1:{api.port}" in note
    assert "bundle.pem" in note
    assert note in rec.notices


HELLOS = {
    "cut": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "garbled": b"\x16\x03\x01\x00\x2c\x01\x00\x00\x28\x03\x03" + b"\xff" * 38,
    "another message": b"\x16\x03\x01\x00\x08\x02\x00\x00\x04abcd",
}


@pytest.mark.parametrize("hello", HELLOS)
async def test_a_hello_that_cannot_be_read_is_told_as_that(
    recording: Any, service: Any, server_tls: Any, service_authority: Authority, hello: str
) -> None:
    api = await service(OK, tls=server_tls(service_authority))
    rec = await recording()
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("proxy"))
    writer.write(f"CONNECT 127.0.0.1:{api.port} HTTP/1.1\r\n\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    writer.write(HELLOS[hello])
    if hello == "cut":
        writer.write_eof()
    await rec.until(lambda event: isinstance(event, Notice))
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    await rec.finish()
    sentence = f"a client sent a TLS hello for 127.0.0.1:{api.port} that is cut or malformed; there was no connection"
    assert [note for note in rec.result.notes if "TLS" in note or "certificate" in note] == [f"{sentence} to record"]


async def test_https_map_takes_plain_http(
    recording: Any, service: Any, server_tls: Any, service_authority: Authority, ask: Any
) -> None:
    api = await service(OK, tls=server_tls(service_authority))
    rec = await recording(maps=({"name": "pay", "scheme": "https", "host": "127.0.0.1", "port": api.port},))
    assert await ask(rec.port("map:pay"), b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n") == OK
    (exchange,) = await rec.finish()
    assert (exchange.service, exchange.scheme, exchange.location) == ("pay", "https", "/x")


async def test_socks_carries_https_under_the_name_that_the_app_used(
    recording: Any, service: Any, server_tls: Any, service_authority: Authority, ca_dir: Path
) -> None:
    api = await service(OK, tls=server_tls(service_authority, host="localhost"))
    rec = await recording()
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--noproxy", "", "-x", f"socks5://127.0.0.1:{rec.port('proxy')}",
        "--cacert", str(ca_dir / "bundle.pem"), f"https://localhost:{api.port}/s", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(curl.communicate(), 10)
    (exchange,) = await rec.finish()
    assert (out, exchange.service) == (b"hi", f"localhost:{api.port}")


async def serve_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every HTTP/2 request with its path, two cookies and a trailer."""
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    conn.initiate_connection()
    writer.write(conn.data_to_send())
    paths: dict[int, bytes] = {}
    while data := await reader.read(65535):
        for event in conn.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.stream_id is not None
                paths[event.stream_id] = dict(event.headers or [])[b":path"]
            elif isinstance(event, h2.events.DataReceived):
                assert event.stream_id is not None
                conn.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                assert event.stream_id is not None
                conn.send_headers(event.stream_id, [(":status", "200"), ("set-cookie", "a=1"), ("set-cookie", "b=2")])
                conn.send_data(event.stream_id, paths[event.stream_id])
                conn.send_headers(event.stream_id, [("x-sum", "9")], end_stream=True)
        writer.write(conn.data_to_send())
    writer.close()


async def test_http_2_on_both_sides(
    recording: Any, listen: Any, server_tls: Any, service_authority: Authority, ca_dir: Path
) -> None:
    port = await listen(serve_http2, server_tls(service_authority, alpn=("h2",)))
    rec = await recording()
    one = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(proxy=rec.url("proxy"), verify=trusting(ca_dir), http2=True, limits=one) as client:
        answers = await asyncio.gather(*(client.post(f"https://127.0.0.1:{port}/{n}", content=b"q") for n in range(5)))
    exchanges = await rec.finish()
    assert [(a.http_version, a.text) for a in answers] == [("HTTP/2", f"/{n}") for n in range(5)]
    assert sorted(e.location for e in exchanges) == [f"/{n}" for n in range(5)]
    first = exchanges[0]
    assert (first.request.version, first.response.version) == ("HTTP/2", "HTTP/2")
    assert first.request.headers[0] == ("host", f"127.0.0.1:{port}")
    assert first.response.headers == (("set-cookie", "a=1"), ("set-cookie", "b=2"))
    assert first.response.trailers == (("x-sum", "9"),)
    assert len({e.connection for e in exchanges}) == 1


@pytest.mark.parametrize("way", ["inbound", "proxy"])
async def test_http_2_without_tls(recording: Any, listen: Any, way: str) -> None:
    port = await listen(serve_http2)
    rec = await recording(app_port=port)
    where = ["--http2-prior-knowledge", rec.url("inbound") + "/h2c"]
    if way == "proxy":
        where = ["--http2-prior-knowledge", "-p", "-x", rec.url("proxy"), f"http://127.0.0.1:{port}/h2c"]
    curl = await asyncio.create_subprocess_exec("curl", "-sS", "--noproxy", "", *where, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(curl.communicate(), 10)
    (exchange,) = await rec.finish()
    assert (out, exchange.request.version, exchange.status) == (b"/h2c", "HTTP/2", "200")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="Python's own servers do not name their client authorities")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_a_service_that_wants_a_client_certificate_is_named(
    recording: Any, free_port: Any, service_authority: Authority, ca_dir: Path, tmp_path: Path, version: str
) -> None:
    certificate, key = service_authority.mint("127.0.0.1")
    (tmp_path / "service.pem").write_bytes(certificate + key)
    (tmp_path / "clients.pem").write_bytes(service_authority.cert_pem)
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(tmp_path / "service.pem"), version,
        "-Verify", "1", "-verify_return_error", "-CAfile", str(tmp_path / "clients.pem"), "-www",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert server.stdout is not None
    await asyncio.wait_for(server.stdout.readuntil(b"ACCEPT"), 10)
    rec = await recording()
    async with httpx.AsyncClient(proxy=rec.url("proxy"), verify=trusting(ca_dir)) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"https://127.0.0.1:{port}/")
    server.kill()
    await server.communicate()
    (exchange,) = await rec.finish()
    assert exchange.error
    assert any(f"127.0.0.1:{port} asks for a client certificate" in note for note in rec.result.notes)
