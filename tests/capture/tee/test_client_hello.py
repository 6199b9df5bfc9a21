"""Hellos of Python's own TLS client, whole, cut and broken."""

from __future__ import annotations

import ssl

import pytest

from wiretape_capture.tee.client_hello import ClientHello, Unreadable, client_hello


def hello(name: str | None, protocols: list[str]) -> bytes:
    """What a client sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("name", ["api.example", None])
@pytest.mark.parametrize("protocols", [[], ["h2", "http/1.1"]])
def test_name_and_protocols(name: str | None, protocols: list[str]) -> None:
    assert client_hello(hello(name, protocols)) == ClientHello(name or "", tuple(protocols))


def test_a_hello_in_two_records_and_one_that_is_not_whole() -> None:
    whole = hello("api.example", ["http/1.1"])
    content = whole[5:]
    split = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in (content[:50], content[50:]))
    assert client_hello(split) == client_hello(whole)
    assert client_hello(whole[:-1]) is None
    assert client_hello(b"") is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    ],
)
def test_what_is_no_hello(data: bytes) -> None:
    with pytest.raises(Unreadable):
        client_hello(data)


def test_cut_fields_never_raise_anything_else() -> None:
    whole = hello("api.example", ["http/1.1"])
    for at in range(5, len(whole)):
        broken = whole[:at] + b"\xff" + whole[at + 1 :]
        try:
            client_hello(broken)
        except Unreadable:
            continue
