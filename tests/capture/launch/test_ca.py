"""The authority is made once, kept private, and accepted by the strictest verifiers."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mitmproxy.certs import CertStore

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.ca import MAX_LEAVES, Authority, load_or_create


@pytest.fixture
def ca_dir(tmp_path: Path) -> Path:
    return tmp_path / "ca"


def server_context(authority: Authority, host: str, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = folder / "leaf.pem"
    leaf.write_bytes(b"".join(authority.mint(host)))
    context.load_cert_chain(leaf)
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "api.example.com", "bücher.example", "a_b.internal"])
async def test_python_verifies_a_leaf_strictly(ca_dir: Path, tmp_path: Path, host: str) -> None:
    authority = load_or_create(ca_dir, {})
    server = await asyncio.start_server(
        lambda _reader, writer: writer.close(), "127.0.0.1", ssl=server_context(authority, host, tmp_path)
    )
    client = ssl.create_default_context(cafile=ca_dir / "bundle.pem")
    assert client.verify_flags & ssl.VERIFY_X509_STRICT
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=host)
        writer.close()
        await writer.wait_closed()


async def test_a_leaf_is_refused_for_another_host(ca_dir: Path, tmp_path: Path) -> None:
    authority = load_or_create(ca_dir, {})
    server = await asyncio.start_server(
        lambda _reader, writer: writer.close(), "127.0.0.1", ssl=server_context(authority, "localhost", tmp_path)
    )
    client = ssl.create_default_context(cafile=ca_dir / "bundle.pem")
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="127.0.0.1")


def test_a_second_start_finds_the_same_authority_and_writes_nothing(ca_dir: Path) -> None:
    first = load_or_create(ca_dir, {})
    before = {path.name: path.stat().st_mtime_ns for path in ca_dir.iterdir()}
    assert load_or_create(ca_dir, {}).cert_pem == first.cert_pem
    assert {path.name: path.stat().st_mtime_ns for path in ca_dir.iterdir()} == before
    assert set(before) == {"mitmproxy-ca.pem", "wiretape-ca.crt", "bundle.pem", "truststore.p12"}


def test_those_who_start_at_once_share_one_authority(ca_dir: Path, tmp_path: Path) -> None:
    load_or_create(tmp_path / "other", {})
    roots = {"SSL_CERT_FILE": str(tmp_path / "other" / "wiretape-ca.crt")}
    with ThreadPoolExecutor(8) as pool:
        authorities = list(pool.map(lambda _: load_or_create(ca_dir, roots), range(8)))
    assert len({authority.cert_pem for authority in authorities}) == 1


def test_only_the_user_can_read_the_key(ca_dir: Path) -> None:
    load_or_create(ca_dir, {})
    assert stat.S_IMODE(ca_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((ca_dir / "mitmproxy-ca.pem").stat().st_mode) == 0o600


def test_mitmproxy_finds_the_same_authority(ca_dir: Path) -> None:
    authority = load_or_create(ca_dir, {})
    store = CertStore.from_store(ca_dir, "mitmproxy", 2048)
    assert store.default_ca.to_pem() == authority.cert_pem
    assert store.get_cert("api.example.com", []).cert.issuer == store.default_ca.subject


def test_minted_leaves_are_kept_up_to_a_bound(ca_dir: Path) -> None:
    authority = load_or_create(ca_dir, {})
    first = authority.mint("host-0.test")
    assert authority.mint("host-0.test") == first
    for i in range(1, MAX_LEAVES + 1):
        authority.mint(f"host-{i}.test")
    assert authority.mint("host-0.test") != first


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_authority_is_named_and_left_alone(ca_dir: Path, content: bytes) -> None:
    ca_dir.mkdir()
    path = ca_dir / "mitmproxy-ca.pem"
    path.write_bytes(content)
    with pytest.raises(WiretapeError, match="does not hold a usable key and certificate; delete it"):
        load_or_create(ca_dir, {})
    assert path.read_bytes() == content


def test_mitmproxys_own_authority_is_refused_by_name(ca_dir: Path) -> None:
    CertStore.from_store(ca_dir, "mitmproxy", 2048)
    with pytest.raises(WiretapeError, match="was not written by wiretape"):
        load_or_create(ca_dir, {})


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("a file where the folder should be")
    with pytest.raises(WiretapeError, match="cannot keep the certificate authority"):
        load_or_create(tmp_path / "ca", {})


@pytest.mark.skipif(shutil.which("keytool") is None, reason="keytool (Java) is not installed")
def test_java_opens_the_truststore(ca_dir: Path) -> None:
    load_or_create(ca_dir, {"SSL_CERT_FILE": str(ca_dir / "missing.pem")})
    listing = subprocess.run(
        ["keytool", "-list", "-keystore", ca_dir / "truststore.p12", "-storepass", "changeit"],
        capture_output=True, text=True, check=True, timeout=90,
    ).stdout  # fmt: skip
    roots = (ca_dir / "bundle.pem").read_text().count("BEGIN CERTIFICATE")
    assert listing.count("trustedCertEntry") == roots
