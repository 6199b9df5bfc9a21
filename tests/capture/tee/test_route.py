"""Where requests go: in front of the app, to a mapped service, through the proxy."""

from __future__ import annotations

import pytest

from wiretape_capture.proxy.upstream import Upstream, Upstreams
from wiretape_capture.tee.route import KNOWN_LIMIT, Aim, Place, connect_target, split

APP = Place("inbound", Aim("http", "127.0.0.1", 8000))
MAP = Place("map", Aim("https", "pay.example", 443))
PROXY = Place("proxy", own_ports=frozenset({7090}))


def test_the_app_gets_what_was_sent() -> None:
    head = b"GET /x HTTP/1.1\r\nhOST:  shop\r\n\r\n"
    route = APP.route(head)
    assert route is not None
    assert (route.aim, route.head, route.service) == (APP.aim, head, b"127.0.0.1:8000")


def test_a_mapped_service_gets_its_own_host() -> None:
    route = MAP.route(b"GET /x HTTP/1.1\r\nA: b\r\nhost: localhost:9\r\n\r\n")
    assert route is not None
    assert route.head == b"GET /x HTTP/1.1\r\nA: b\r\nhost: pay.example\r\n\r\n"
    assert MAP.route(b"GET /x HTTP/1.1\r\n\r\n") is None


@pytest.mark.parametrize(
    ("target", "place", "path"),
    [
        (b"http://a.example/x?y", ("a.example", 80), b"/x?y"),
        (b"HTTP://a.example:81", ("a.example", 81), b"/"),
        (b"http://[::1]:81/", ("::1", 81), b"/"),
    ],
)
def test_the_proxy_reads_absolute_targets(target: bytes, place: tuple[str, int], path: bytes) -> None:
    route = PROXY.route(b"GET " + target + b" HTTP/1.1\r\nHost: z\r\nProxy-Connection: keep-alive\r\n\r\n")
    assert route is not None
    assert route.aim == Aim("http", *place)
    assert route.head == b"GET " + path + b" HTTP/1.1\r\nHost: z\r\n\r\n"


@pytest.mark.parametrize(
    "target",
    [b"/x", b"https://a.example/", b"http://user@a.example/", b"http://a.example:0/", b"http://a:b:c/",
     b"http://127.0.0.1:7090/", b"http://localhost:7090/", b"http://a.example?x", b"http:///x"],
)  # fmt: skip
def test_what_the_proxy_leaves_to_mitmproxy(target: bytes) -> None:
    assert PROXY.route(b"GET " + target + b" HTTP/1.1\r\nHost: z\r\n\r\n") is None


def test_what_goes_through_the_networks_own_proxy_is_not_the_tees() -> None:
    chained = Place(
        "proxy", upstreams=Upstreams({"http": Upstream("http", "10.0.0.1", 3128)}, direct=("near.example",))
    )
    assert chained.route(b"GET http://far.example/ HTTP/1.1\r\nHost: z\r\n\r\n") is None
    assert chained.route(b"GET http://near.example/ HTTP/1.1\r\nHost: z\r\n\r\n") is not None
    assert chained.direct("https", "far.example", 443)


@pytest.mark.parametrize(
    ("head", "target"),
    [
        (b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n", ("a.example", 443)),
        (b"CONNECT [::1]:8443 HTTP/1.1\r\n\r\n", ("::1", 8443)),
        (b"CONNECT :0 HTTP/1.1\r\n\r\n", None),
        (b"CONNECT a.example HTTP/1.1\r\n\r\n", None),
        (b"CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 2\r\n\r\n", None),
        (b"GET a.example:443 HTTP/1.1\r\n\r\n", None),
    ],
)
def test_tunnels(head: bytes, target: tuple[str, int] | None) -> None:
    assert connect_target(head) == target


def test_memory_is_bounded() -> None:
    place = Place("inbound", Aim("http", "127.0.0.1", 8000))
    for number in range(KNOWN_LIMIT + 5):
        place.route(b"GET /%d HTTP/1.1\r\n\r\n" % number)
    assert len(place.known) <= KNOWN_LIMIT


def test_split() -> None:
    assert split("a:70000", 1) is None
    assert split("b\xfccher.example:1", 1) is None
