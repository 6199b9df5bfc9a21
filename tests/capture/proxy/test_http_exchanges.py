"""Exchanges over HTTP/1: what is on the tape is what was on the wire, and the wire is as it was without us."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from wiretape_capture.snapshot.exchange import Body, Direction, Request, Response

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
CLOSE = b"Connection: close\r\n"


async def test_inbound_exchange_keeps_every_byte_of_both_heads(
    recording: Any, service: Any, ask: Any, engine: str
) -> None:
    answer = (b"HTTP/1.1 299 So\xfc fine\r\nX-A: 1\r\nx-a:  2\r\nSET-cookie: a=1\r\nset-cookie: b=2\r\n"
              b"Content-Length: 3\r\nConnection: close\r\n\r\n\x00\xff\n")  # fmt: skip
    app = await service(answer)
    rec = await recording(app_port=app.port)
    sent = (b"POST /a%20b/\xc3\xa9?x=1&x=2&y HTTP/1.1\r\nhOST: shop.example\r\nX-Dup: 1\r\nx-dup: 2\r\n"
            b"Content-Length: 4\r\n\r\n\x01\x02\x03\x04")  # fmt: skip
    got = await ask(rec.port("inbound"), sent)
    (exchange,) = await rec.finish()

    assert got == (answer if engine == "tee" else answer.replace(b":  2", b": 2"))
    assert app.received == [sent]
    assert exchange.request == Request(
        method="POST", target="/a%20b/\xc3\xa9?x=1&x=2&y", version="HTTP/1.1",
        headers=(("hOST", "shop.example"), ("X-Dup", "1"), ("x-dup", "2"), ("Content-Length", "4")),
        body=exchange.request.body,
    )  # fmt: skip
    assert exchange.request.body.data == b"\x01\x02\x03\x04"
    assert exchange.response == Response(
        status=299, reason="So\xfc fine", version="HTTP/1.1",
        headers=(("X-A", "1"), ("x-a", "2"), ("SET-cookie", "a=1"), ("set-cookie", "b=2"), ("Content-Length", "3"),
                 ("Connection", "close")),
        body=exchange.response.body,
    )  # fmt: skip
    assert exchange.response.body.data == b"\x00\xff\n"
    assert (exchange.direction, exchange.service) == (Direction.INBOUND, f"127.0.0.1:{app.port}")
    assert (exchange.command, exchange.location, exchange.status) == ("POST", exchange.request.target, "299")
    assert 0 < exchange.duration_us < 10_000_000


async def test_outbound_exchange_is_named_by_its_service_and_loses_only_the_proxy_header(
    recording: Any, service: Any, ask: Any
) -> None:
    dependency = await service(OK)
    rec = await recording()
    host = f"127.0.0.1:{dependency.port}".encode()
    await ask(rec.port("proxy"), b"GET http://" + host + b"/p?q HTTP/1.1\r\nHost: " + host
              + b"\r\nProxy-Connection: keep-alive\r\nA: b\r\n\r\n")  # fmt: skip
    (exchange,) = await rec.finish()

    assert dependency.received == [b"GET /p?q HTTP/1.1\r\nHost: " + host + b"\r\nA: b\r\n\r\n"]
    assert exchange.request.headers == (("Host", host.decode()), ("A", "b"))
    assert (exchange.direction, exchange.service, exchange.location) == (Direction.OUTBOUND, host.decode(), "/p?q")


async def test_chunked_bodies_and_trailers_pass_in_both_directions(recording: Any, service: Any, ask: Any) -> None:
    answer = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n" + CLOSE + b"\r\n"
              b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\nx-end: z\r\n\r\n")  # fmt: skip
    app = await service(answer)
    rec = await recording(app_port=app.port)
    sent = (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nxy\r\n0\r\nX-In: 9\r\n\r\n")  # fmt: skip
    got = await ask(rec.port("inbound"), sent)
    (exchange,) = await rec.finish()

    assert app.received == [sent]
    assert got.endswith(b"0\r\nX-Sum: 7\r\nx-end: z\r\n\r\n")
    assert (exchange.request.body.data, exchange.request.trailers) == (b"xy", (("X-In", "9"),))
    assert (exchange.response.body.data, exchange.response.trailers) == (b"abcde", (("X-Sum", "7"), ("x-end", "z")))


async def test_content_encoding_is_kept(recording: Any, service: Any, ask: Any) -> None:
    packed = gzip.compress(b'{"a": 1}' * 50)
    app = await service(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + CLOSE
                        + b"Content-Length: %d\r\n\r\n" % len(packed) + packed)  # fmt: skip
    rec = await recording(app_port=app.port)
    await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    (exchange,) = await rec.finish()
    assert exchange.response.body.data == packed


async def test_responses_without_a_body_end_at_once(recording: Any, service: Any, ask: Any) -> None:
    app = await service(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: x\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), b"HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                    b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n")  # fmt: skip
    exchanges = await rec.finish()
    assert got.count(b"HTTP/1.1 ") == 4
    assert [(e.command, e.location, e.status, e.response.body) for e in exchanges if e.response] == [
        ("HEAD", "/1", "200", Body()), ("GET", "/2", "204", Body()), ("GET", "/3", "304", Body()),
        ("GET", "/4", "302", Body()),
    ]  # fmt: skip
    assert len({e.connection for e in exchanges}) == 1


async def test_informational_responses_do_not_end_the_exchange(
    recording: Any, service: Any, ask: Any, engine: str
) -> None:
    hints, go_on = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"
    app = await service(hints + go_on + OK)
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    (exchange,) = await rec.finish()
    assert got == (hints + go_on if engine == "tee" else hints) + OK
    assert exchange.status == "200"
    assert rec.result.notes == ("informational responses (1xx) that passed and were not recorded",)


async def test_expect_continue_is_answered_and_recorded(recording: Any, service: Any, ask: Any, engine: str) -> None:
    app = await service(OK)
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                    b"Content-Length: 3\r\n\r\nabc")  # fmt: skip
    (exchange,) = await rec.finish()
    # The tee leaves it to the app, which did not wait to be asked.
    assert got == (OK if engine == "tee" else b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert ("Expect", "100-continue") in exchange.request.headers
    assert exchange.request.body.data == b"abc"


async def test_http_1_0_body_until_the_connection_closes(recording: Any, service: Any, ask: Any) -> None:
    app = await service(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end", close=True)
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), b"GET / HTTP/1.0\r\n\r\n")
    (exchange,) = await rec.finish()
    assert got.endswith(b"until the end")
    assert (exchange.request.version, exchange.response.version) == ("HTTP/1.0", "HTTP/1.0")
    assert exchange.response.body.data == b"until the end"
    assert exchange.error == ""


async def test_mapped_service_gets_its_own_host_and_its_own_name(recording: Any, service: Any, ask: Any) -> None:
    payments = await service(OK)
    rec = await recording(
        maps=({"name": "payments", "scheme": "http", "host": "127.0.0.1", "port": payments.port},),
    )
    await ask(rec.port("map:payments"), b"GET /charge HTTP/1.1\r\nHost: localhost:9\r\n\r\n")
    (exchange,) = await rec.finish()
    assert payments.received == [b"GET /charge HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % payments.port]
    assert (exchange.direction, exchange.service) == (Direction.OUTBOUND, "payments")


async def test_a_mapped_service_reached_through_the_proxy_is_recorded_once(
    recording: Any, service: Any, ask: Any
) -> None:  # fmt: skip
    payments = await service(OK)
    rec = await recording(
        maps=({"name": "payments", "scheme": "http", "host": "127.0.0.1", "port": payments.port},),
    )
    port = rec.port("map:payments")
    request = b"POST http://127.0.0.1:%d/charge HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 2\r\n\r\n{}"
    answer = await ask(rec.port("proxy"), request % (port, port))
    (exchange,) = await rec.finish()
    assert answer.endswith(OK.partition(b"\r\n\r\n")[2])
    assert (exchange.service, exchange.location, exchange.request.body.data) == ("payments", "/charge", b"{}")


async def test_trace_and_session_are_read_from_headers(recording: Any, service: Any, ask: Any) -> None:
    app = await service(OK)
    rec = await recording(app_port=app.port)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\nX-Wiretape-Session: s1\r\ntraceparent: 00-"
              + trace.encode() + b"-00f067aa0ba902b7-01\r\n\r\n")  # fmt: skip
    (exchange,) = await rec.finish()
    assert (exchange.trace, exchange.session) == (trace, "s1")


async def test_an_offer_of_h2c_stays_on_http_1(recording: Any, service: Any, ask: Any) -> None:
    dependency = await service(OK)
    rec = await recording()
    host = f"127.0.0.1:{dependency.port}".encode()
    await ask(rec.port("proxy"), b"GET http://" + host + b"/ HTTP/1.1\r\nHost: " + host
              + b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
              b"HTTP2-Settings: AAMAAA\r\n\r\n")  # fmt: skip
    (exchange,) = await rec.finish()
    assert dependency.received == [b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"]
    assert ("Upgrade", "h2c") in exchange.request.headers


async def test_one_connection_to_the_proxy_reaches_several_services(recording: Any, service: Any, ask: Any) -> None:
    kept = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    one, two = await service(kept + b"first"), await service(kept + b"other")
    rec = await recording()
    ports = [one.port, two.port, two.port, one.port]
    request = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n"
    sent = [request % (port, port, CLOSE if at == 3 else b"") for at, port in enumerate(ports)]
    got = await ask(rec.port("proxy"), b"".join(sent))
    exchanges = await rec.finish()
    assert got == kept + b"first" + (kept + b"other") * 2 + kept + b"first"
    assert [(e.service, e.status) for e in exchanges] == [(f"127.0.0.1:{port}", "200") for port in ports]
    assert len({e.connection for e in exchanges}) == 1


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 3 << 20])
async def test_a_small_answer_to_a_body_of_any_size_is_kept(recording: Any, service: Any, ask: Any, size: int) -> None:
    app = await service(OK)
    rec = await recording(app_port=app.port)
    sent = b"POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    assert (await ask(rec.port("inbound"), sent)).endswith(b"hi")
    (exchange,) = await rec.finish()
    assert exchange.response is not None
    assert (exchange.request.body.size, exchange.response.body.data, exchange.response.body.complete) == (
        size, b"hi", True)  # fmt: skip
