"""The mock over real sockets with real clients: answers as recorded, misses that explain themselves, nothing else."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import sys
from pathlib import Path

import httpx
import orjson
import pytest
from mock_kit import JSON, answer, body_of, call, exchange_bytes, serving, write_tape

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.events import Finished, Ready
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.snapshot.exchange import Body, Exchange
from wiretape_replay.mock.spec import MockResult, MockSpec

A = "5f0c8f3e-5b1e-4c59-9f6e-0a1b2c3d4e5f"
B = "0d9a1d52-7c3b-4b7e-8a53-3c2f1e0d9b8a"
API = "http://api.example.com"


def client(proxy: str, folder: Path) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=str(folder / "ca" / "wiretape-ca.crt"))
    return httpx.AsyncClient(proxy=proxy, verify=context, trust_env=False, timeout=60)


async def test_answers_over_the_proxy_are_as_recorded(tmp_path: Path) -> None:
    odd = (("X-B", "1"), ("x-a", "caf\xe9"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("content-type", "text/x"))
    recorded = [
        call(1, "GET", "/one", answer(299, b"first", odd, reason="Odd One")),
        call(2, "POST", "/two", answer(201, {"id": 7}), body={"n": 1}),
    ]
    async with serving(tmp_path, recorded) as mock, client(mock.proxy, tmp_path) as http:
        first = await http.get(f"{API}/one")
        second = await http.post(f"{API}/two", json={"n": 1})
        result = await mock.end()
    assert (first.status_code, first.reason_phrase, first.content) == (299, "Odd One", b"first")
    assert first.headers.raw == [
        *((name.encode(), value.encode("latin-1")) for name, value in odd), (b"Content-Length", b"5"),
    ]  # fmt: skip
    assert (second.status_code, second.json()) == (201, {"id": 7})
    assert (result.tally.exact, result.tally.total, result.unused, result.snapshot) == (2, 2, (), "shop")
    journal = [(line.tier, line.sequence, line.command, line.location, line.status) for line in mock.answers()]
    assert journal == [("exact", 1, "GET", "/one", "299"), ("exact", 2, "POST", "/two", "201")]
    assert mock.answers()[1].request_body_sha256 == body_of(b'{"n":1}').sha256


async def test_https_over_the_proxy_is_terminated_with_our_authority(tmp_path: Path) -> None:
    recorded = [
        call(1, "GET", "/a", answer(200, {"a": 1}), service="secure.example.com:443", scheme="https"),
        call(2, "GET", "/b", answer(200, {"b": 2}), service="127.0.0.1:8443", scheme="https"),
    ]
    async with serving(tmp_path, recorded) as mock, client(mock.proxy, tmp_path) as http:
        a = [(await http.get("https://secure.example.com/a")).json() for _ in range(3)]
        b = (await http.get("https://127.0.0.1:8443/b")).json()
        miss = await http.get("https://other.example.com/a")
    assert (a, b, miss.status_code) == ([{"a": 1}] * 3, {"b": 2}, 502)
    assert "other.example.com:443 is not in the snapshot" in miss.json()["hint"]


async def test_an_untrusting_client_is_told_of(tmp_path: Path) -> None:
    async with serving(tmp_path, []) as mock:
        async with httpx.AsyncClient(proxy=mock.proxy, trust_env=False) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get("https://secure.example.com/a")
        await mock.noticed()
    assert mock.notices[0].startswith("a client broke off TLS for secure.example.com:443 (")


async def test_connect_may_carry_plain_http(tmp_path: Path) -> None:
    async with serving(tmp_path, [call(1, "GET", "/a", answer(200, {"a": 1}))]) as mock:
        raw = await exchange_bytes(
            mock.port, b"CONNECT api.example.com:80 HTTP/1.1\r\nHost: api.example.com:80\r\n\r\n"
            b"GET /a HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n",
        )  # fmt: skip
    assert raw.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert raw.endswith(b'{"a":1}')


async def test_socks5_in_pieces(tmp_path: Path) -> None:
    host = b"api.example.com"
    said = b"\x05\x02\x00\x02" + b"\x05\x01\x00\x03" + bytes([len(host)]) + host + b"\x00\x50"
    async with serving(tmp_path, [call(1, "GET", "/a", answer(200, {"a": 1}))]) as mock:
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        for byte in said:
            writer.write(bytes([byte]))
            await writer.drain()
        assert await reader.readexactly(12) == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6)
        writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b'{"a":1}')
        writer.close()
        assert await exchange_bytes(mock.port, b"\x05\x01\x02") == b"\x05\xff"


async def test_maps_answer_by_name_or_by_address(tmp_path: Path) -> None:
    recorded = [
        call(1, "GET", "/by-name", answer(200, {"n": 1}), service="pay", scheme="https"),
        call(2, "GET", "/by-address", answer(200, {"n": 2}), service="api.pay.com:443", scheme="https"),
    ]
    pay = ServiceMap(name="pay", scheme="https", host="api.pay.com", port=443)
    async with serving(tmp_path, recorded, maps=(pay,)) as mock, client(mock.proxy, tmp_path) as http:
        url = mock.ready.endpoints["map:pay"]
        async with httpx.AsyncClient(trust_env=False) as direct:
            bodies = [(await direct.get(f"{url}/{path}")).json()["n"] for path in ("by-name", "by-address")]
        over_proxy = (await http.get("https://api.pay.com/by-name")).json()["n"]
        to_the_map_over_proxy = (await http.get(f"{url}/by-name")).json()["n"]
    assert (bodies, over_proxy, to_the_map_over_proxy) == ([1, 2], 1, 1)
    assert mock.ready.environment["HTTP_PROXY"] == mock.proxy


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    recorded = [call(n, "GET", f"/{n}", answer(200, b"%d" % n, ())) for n in range(1, 4)]
    asked = b"".join(b"GET http://api.example.com/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in (1, 2))
    last = b"GET http://api.example.com/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with serving(tmp_path, recorded, timing="4x") as mock:
        raw = await exchange_bytes(mock.port, asked + last)
    assert raw == b"".join(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % n for n in range(1, 4))


async def test_a_client_that_has_said_all_still_gets_its_answers(tmp_path: Path) -> None:
    recorded = [call(n, "GET", f"/{n}", answer(200, b"%d" % n, ())) for n in (1, 2)]
    async with serving(tmp_path, recorded, timing="recorded") as mock:
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        for number in (1, 2):
            writer.write(b"GET http://api.example.com/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        writer.write_eof()
        assert (await reader.read()).endswith(b"1HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2")
        writer.close()


async def test_chunked_requests_and_expect_continue(tmp_path: Path) -> None:
    recorded = [call(1, "POST", "/a", answer(200, {"ok": True}), body={"n": 1})]
    head = (
        b"POST http://api.example.com/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    async with serving(tmp_path, recorded) as mock:
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b'4\r\n{"n"\r\n3\r\n:1}\r\n0\r\nX-Trailer: 1\r\n\r\n')
        assert (await reader.read()).endswith(b'\r\n\r\n{"ok":true}')
        writer.close()


async def test_framing_follows_the_recording(tmp_path: Path) -> None:
    chunked = (("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum"))
    recorded = [
        call(1, "GET", "/chunked", answer(200, b"abc", chunked, trailers=(("X-Sum", "9"),))),
        call(2, "GET", "/nothing", answer(204, b"", (("X", "1"),), reason="No Content")),
        call(3, "GET", "/same", answer(304, b"", (("ETag", '"1"'), ("Content-Length", "3")), reason="Not Modified")),
        call(4, "HEAD", "/chunked", answer(200, b"", (("Content-Length", "3"),))),
        call(5, "GET", "/closed", answer(200, b"abc", (("Connection", "close"), ("X", "1")))),
        call(6, "GET", "/two", answer(200, b"abc", (("x", "1"),), version="HTTP/2", reason="")),
    ]
    paths = [(each.request.method, each.request.target) for each in recorded]
    asked = b"".join(
        b"%b http://api.example.com%b HTTP/1.1\r\nHost: x\r\n\r\n" % (m.encode(), p.encode()) for m, p in paths
    )
    async with serving(tmp_path, recorded) as mock:
        raw = await exchange_bytes(mock.port, asked + b"GET bad", until=b"\r\nx: 1\r\nContent-Length: 3\r\n\r\nabc")
        old = await exchange_bytes(mock.port, b"GET http://api.example.com/chunked HTTP/1.0\r\n\r\n")
    assert raw == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"
        b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n"
        b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 3\r\n\r\n'
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 3\r\n\r\nabc"
        b"HTTP/1.1 200 OK\r\nx: 1\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert old == b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


async def test_large_answers_are_streamed_from_the_tape(tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    recorded = [
        call(1, "GET", "/big", answer(200, data, (("Content-Length", str(len(data))),))),
        call(2, "GET", "/chunked", answer(200, data, (("Transfer-Encoding", "chunked"),))),
        call(3, "POST", "/upload", answer(200, b"got it"), body=data),
    ]
    async with serving(tmp_path, recorded) as mock, client(mock.proxy, tmp_path) as http:
        got = await asyncio.gather(*(http.get(f"{API}/{path}") for path in ("big", "chunked") * 3))
        uploaded = await http.post(f"{API}/upload", content=data)
        other = await http.post(f"{API}/upload", content=data[:-1] + b"!")
    assert [each.content == data for each in got] == [True] * 6
    assert (uploaded.content, other.status_code) == (b"got it", 502)


async def test_a_miss_fails_closed_and_explains_itself(tmp_path: Path) -> None:
    recorded = [call(1, "POST", "/pay", answer(), body={"to": "bob", "amount": 5}), call(2, "GET", "/unused", answer())]
    async with serving(tmp_path, recorded) as mock, client(mock.proxy, tmp_path) as http:
        miss = await http.post(f"{API}/pay", json={"to": "bob", "amount": 6})
        await http.post(f"{API}/pay", json={"to": "bob", "amount": 6})
        head = await http.head(f"{API}/nowhere")
        result = await mock.end()
    body = miss.json()
    assert (miss.status_code, miss.headers["x-wiretape-tier"], head.status_code) == (502, "miss", 502)
    assert body["error"] == "wiretape: nothing recorded answers this request"
    assert body["request"] == {"command": "POST", "service": "api.example.com:80", "location": "/pay"}
    assert body["closest"][0] == {
        "sequence": 1, "command": "POST", "location": "/pay", "status": "200",
        "differences": [{"where": "body/amount", "recorded": "5", "live": "6"}],
    }  # fmt: skip
    assert body["hint"].startswith("exchange 1 is nearest and differs at body/amount")
    assert (result.tally.miss, [each.location for each in result.misses]) == (3, ["/pay", "/nowhere"])
    assert result.unused == ("POST api.example.com:80 /pay", "GET api.example.com:80 /unused")
    expected = "miss: POST api.example.com:80 /pay; nearest is exchange 1, which differs at body/amount"
    assert mock.notices[0] == expected


async def test_a_live_id_comes_back_in_the_answer(tmp_path: Path) -> None:
    zipped = gzip.compress(orjson.dumps({"id": A, "near": A + "0"}))
    coded = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Content-Length", str(len(zipped))))
    recorded = [
        call(1, "PUT", f"/o/{A}", answer(201, {"id": A}, (*JSON, ("Location", f"/o/{A}?v=1"))), body={"ref": "x"}),
        call(2, "GET", f"/o/{A}", answer(200, zipped, coded)),
        call(3, "POST", "/token", answer(200, {"t": "k"}), body={"nonce": "a9f3k2m8q1z7x5c4v6b0"}),
    ]
    async with serving(tmp_path, recorded) as mock, client(mock.proxy, tmp_path) as http:
        put = await http.put(f"{API}/o/{B}", json={"ref": "x"})
        get = await http.get(f"{API}/o/{B}")
        token = await http.post(f"{API}/token", json={"nonce": "q8w7e6r5t4y3u2i1o0p9"})
    assert (put.json(), put.headers["location"]) == ({"id": B}, f"/o/{B}?v=1")
    assert get.json() == {"id": B, "near": A + "0"}
    assert token.status_code == 200
    assert [line.tier for line in mock.answers()] == ["normalized"] * 3
    assert mock.answers()[0].normalized[0].model_dump() == {"where": "path", "recorded": A, "live": B}


@pytest.mark.parametrize(("error", "raised"), [
    ("connection reset by peer", httpx.ReadError), ("the server closed", httpx.RemoteProtocolError),
])  # fmt: skip
async def test_recorded_failures_happen_again(tmp_path: Path, error: str, raised: type[Exception]) -> None:
    recorded = [call(1, "GET", "/a", None, error=error)]
    async with serving(tmp_path, recorded) as mock, client(mock.proxy, tmp_path) as http:
        with pytest.raises(raised):
            await http.get(f"{API}/a")
        await mock.end()
    assert [(line.tier, line.sequence, line.status) for line in mock.answers()] == [("exact", 1, "")]


async def test_a_service_that_was_not_there_is_not_there_again(tmp_path: Path) -> None:
    def refused(sequence: int, service: str) -> Exchange:
        return call(sequence, "CONNECT", service, None, service=service, scheme="https", error="connection refused")

    late = call(3, "GET", "/a", answer(200, b"up"), service="late.example.com:443", scheme="https")
    recorded = [refused(1, "down.example.com:443"), refused(2, "late.example.com:443"), late]
    async with serving(tmp_path, recorded) as mock, client(mock.proxy, tmp_path) as http:
        for host in ("down", "down", "late"):
            with pytest.raises(httpx.TransportError):
                await http.get(f"https://{host}.example.com/a")
        assert (await http.get("https://late.example.com/a")).content == b"up"
        result = await mock.end()
    assert (result.tally.exact, result.tally.miss) == (4, 0)


async def test_an_answer_that_was_cut_short_is_cut_short_again(tmp_path: Path) -> None:
    body = Body(size=3, sha256=body_of(b"abc").sha256, data=b"abc", complete=False)
    short = answer(200, b"", (("Content-Length", "10"),)).model_copy(update={"body": body})
    async with serving(tmp_path, [call(1, "GET", "/a", short, error="closed early")]) as mock:
        raw = await exchange_bytes(mock.port, b"GET http://api.example.com/a HTTP/1.1\r\nHost: x\r\n\r\n")
    assert raw == b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"


async def test_websockets_are_refused_and_h2c_offers_ignored(tmp_path: Path) -> None:
    offer = b"GET http://api.example.com/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
    async with serving(tmp_path, [call(1, "GET", "/a", answer(200, b"abc", ()))]) as mock:
        refused = await exchange_bytes(mock.port, offer % b"websocket")
        answered = await exchange_bytes(mock.port, offer % b"h2c" * 2, until=b"abc")
    assert refused.startswith(b"HTTP/1.1 502 ")
    assert b"WebSocket upgrades are not mocked" in refused
    assert answered == b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


async def test_allowed_hosts_are_reached_for_real_and_no_others(tmp_path: Path) -> None:
    async def real(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        body = await reader.readexactly(length)
        said = head.split(b"\r\n")[0] + b" " + body
        writer.write(b"HTTP/1.1 203 Real\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(real, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, serving(tmp_path, [], allow=(f"127.0.0.1:{port}",)) as mock:
        async with client(mock.proxy, tmp_path) as http:
            passed = await http.post(f"http://127.0.0.1:{port}/x?y=1", content=b"hello")
            closed = await http.get(f"http://localhost:{port}/x")
        tunnel = await exchange_bytes(mock.port, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\nGET /t HTTP/1.1\r\n\r\n" % port)
        result = await mock.end()
    assert (passed.status_code, passed.content) == (203, b"POST /x?y=1 HTTP/1.1 hello")
    assert closed.status_code == 502
    assert tunnel.endswith(b"GET /t HTTP/1.1 ")
    assert (result.tally.passthrough, result.tally.miss) == (2, 1)
    assert [(line.command, line.status) for line in mock.answers() if line.tier == "passthrough"] == [
        ("POST", "203"), ("CONNECT", "200"),
    ]  # fmt: skip


async def test_an_allowed_host_that_is_down(tmp_path: Path, free_port: object) -> None:
    assert callable(free_port)
    port = free_port()
    async with serving(tmp_path, [], allow=("127.0.0.1",)) as mock, client(mock.proxy, tmp_path) as http:
        got = await http.get(f"http://127.0.0.1:{port}/")
    assert got.status_code == 502
    assert f"the allowed host 127.0.0.1:{port} cannot be reached" in got.json()["error"]


async def test_the_app_runs_in_the_mocks_environment_and_ends_it(tmp_path: Path) -> None:
    program = (
        "import urllib.request, sys\n"
        "got = urllib.request.urlopen('http://api.example.com/a').read()\n"
        "also = urllib.request.urlopen('https://secure.example.com/a').read()\n"
        "sys.exit(7 if (got, also) == (b'1', b'2') else 1)\n"
    )
    recorded = [
        call(1, "GET", "/a", answer(200, b"1", ())),
        call(2, "GET", "/a", answer(200, b"2", ()), service="secure.example.com:443", scheme="https"),
    ]
    app = AppSpec(command=(sys.executable, "-c", program), log=tmp_path / "app.log")
    async with serving(tmp_path, recorded, app=app) as mock:
        result = await asyncio.wait_for(asyncio.shield(mock.task), 20)
    assert (result.app_exit, result.tally.exact) == (7, 2)


async def test_curl_through_the_job(tmp_path: Path) -> None:
    tape = await write_tape(tmp_path / "shop.tape", [
        call(1, "GET", "/a", answer(200, b"one", ())),
        call(2, "GET", "/a", answer(200, b"two", ()), service="secure.example.com:443", scheme="https"),
    ])  # fmt: skip
    job = await Job.start("wiretape_replay.mock", MockSpec(tape=tape, ca_dir=tmp_path / "ca"), log=tmp_path / "log")
    events = job.events()
    async with asyncio.timeout(60):
        ready = next(event for event in [await anext(events), await anext(events)] if isinstance(event, Ready))
        outputs = []
        for url in ("http://api.example.com/a", "https://secure.example.com/a"):
            curl = await asyncio.create_subprocess_exec(
                "curl", "-sS", "--max-time", "10", url, stdout=asyncio.subprocess.PIPE, env=ready.environment
            )
            outputs.append((await curl.communicate())[0])
        job.request_stop()
        last = [event async for event in events][-1]
    assert outputs == [b"one", b"two"]
    assert isinstance(last, Finished)
    assert MockResult.model_validate(last.result).tally.exact == 2


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(WiretapeError, match=f"port {port} for the proxy cannot be opened"):
            async with serving(tmp_path, [], proxy_port=port):
                pass


async def test_an_unknown_timing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'slow' is not a timing"):
        async with serving(tmp_path, [], timing="slow"):
            pass


async def test_a_tenant_in_a_header_is_asked_for_in_every_call(tmp_path: Path) -> None:
    named = (("X-Tenant-Id", "acme"),)
    async with serving(tmp_path, [call(1, "GET", "/stock", answer(200, {"left": 3}), headers=named)]) as mock:
        statuses = []
        for header in (b"x-tenant-id: other\r\n", b"", b"x-tenant-id: acme\r\n"):
            request = b"GET http://api.example.com/stock HTTP/1.1\r\nhost: api.example.com\r\n" + header
            statuses.append((await exchange_bytes(mock.port, request + b"connection: close\r\n\r\n"))[9:12])
        await mock.end()
    assert statuses == [b"502", b"502", b"200"]
