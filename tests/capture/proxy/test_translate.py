"""mitmproxy's messages as ours, value by value."""

from __future__ import annotations

import pytest
from mitmproxy.http import Headers as Fields
from mitmproxy.test import tutils

from wiretape_capture.proxy import translate
from wiretape_capture.proxy.authority import authority
from wiretape_capture.snapshot.exchange import Body


def test_fields_keep_order_case_duplicates_and_bytes() -> None:
    fields = Fields([(b"B", b"1"), (b"a", b"\xff"), (b"b", b"")])
    assert translate.pairs(fields) == (("B", "1"), ("a", "\xff"), ("b", ""))
    assert translate.pairs(None) == ()


def test_http_2_authority_becomes_the_host_unless_there_is_one() -> None:
    request = tutils.treq(http_version=b"HTTP/2.0", authority=b"a.example:8443", headers=Fields([(b"x", b"1")]))
    assert translate.request_headers(request) == (("host", "a.example:8443"), ("x", "1"))
    request.headers["host"] = "b.example"
    assert translate.request_headers(request) == (("x", "1"), ("host", "b.example"))
    recorded = translate.recorded_request(request, (), Body())
    assert (recorded.version, recorded.method, recorded.target) == ("HTTP/2", "GET", "/path")


@pytest.mark.parametrize(
    ("host", "port", "said", "name"),
    [
        ("10.0.0.1", 80, "api.example", "api.example:80"),
        ("10.0.0.1", 8080, "api.example:8080", "api.example:8080"),
        ("10.0.0.1", 8080, "api.example:9", "10.0.0.1:8080"),
        ("::1", 80, "localhost", "localhost:80"),
        ("api.example", 80, "other.example", "api.example:80"),
        ("10.0.0.1", 80, "not a host", "10.0.0.1:80"),
    ],
)
def test_a_service_has_the_name_that_the_app_used(host: str, port: int, said: str, name: str) -> None:
    assert translate.named_authority(host, port, (("Host", said),)) == name


def test_authority_of_an_ipv6_address_has_brackets() -> None:
    assert (authority("::1", 80), authority("a", 80)) == ("[::1]:80", "a:80")


@pytest.mark.parametrize(
    ("name", "value", "trace"),
    [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("traceparent", "nonsense", ""),
        ("X-Request-ID", "r-1", "r-1"),
        ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7", "80f198ee56343ba864fe8b2a57d3eff7"),
    ],
)
def test_trace(name: str, value: str, trace: str) -> None:
    assert translate.trace(((name, value),)) == trace


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("[Errno 111] Connection refused", "connection refused"),
        ("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1)", "connection refused"),
        ("[Errno 110] Connection timed out", "timed out"),
        ("[Errno -2] Name or service not known", "unknown host"),
        ("Upstream proxy x:1 refused HTTP CONNECT request: 403", "the network's proxy refused the connection"),
        ("Something New", "something new"),
    ],
)
def test_cause_is_the_same_for_every_event_loop(message: str, words: str) -> None:
    assert translate.cause(message) == words
