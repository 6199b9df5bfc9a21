"""The workspace's certificate authority and the trust files made from it.

It mints leaves and writes bundles; it does not know who presents or who trusts them. The files are laid out as
mitmproxy's `confdir` expects, so that the recorder and the mock speak with the same authority.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch import trust

CA_FILE = "mitmproxy-ca.pem"
"""Key and certificate in one file: the name that mitmproxy reads from its confdir."""

CA_CERT_FILE = "wiretape-ca.crt"
CA_LIFETIME = datetime.timedelta(days=3650)
LEAF_LIFETIME = datetime.timedelta(days=365)
"""Below the 398 days that Apple's and Chromium's verifiers allow a leaf."""

BACKDATE = datetime.timedelta(days=2)
"""Tolerates clients whose clock is behind."""

MAX_LEAVES = 1024
"""Minted leaves kept in memory; beyond it the oldest is forgotten and would be minted anew."""


class Authority:
    """A certificate authority: its certificate, and leaves for any host."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, cert: x509.Certificate) -> None:
        self.cert_pem = cert.public_bytes(Encoding.PEM)
        self._key = key
        self._cert = cert
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key_pem = _key_pem(self._leaf_key)
        self._leaves: dict[str, bytes] = {}

    def mint(self, host: str) -> tuple[bytes, bytes]:
        """Certificate chain and private key, PEM, for a DNS name or an IP address; ValueError if it is neither."""
        chain = self._leaves.get(host)
        if chain is None:
            chain = self._sign(host).public_bytes(Encoding.PEM) + self.cert_pem
            if len(self._leaves) >= MAX_LEAVES:
                del self._leaves[next(iter(self._leaves))]
            self._leaves[host] = chain
        return chain, self._leaf_key_pem

    def _sign(self, host: str) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "wiretape")]))
            .issuer_name(self._cert.subject)
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(min(now + LEAF_LIFETIME, self._cert.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName([alternative_name(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_issuer_identifier(self._cert), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._leaf_key.public_key()), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def alternative_name(host: str) -> x509.GeneralName:
    """The subject alternative name that verifiers look for when they dial `host`."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return x509.IPAddress(ipaddress.ip_address(bare))
    except ValueError:
        # UnicodeError, which an impossible name raises here, is a ValueError too.
        return x509.DNSName(bare if bare.isascii() else bare.encode("idna").decode())


def load_or_create(ca_dir: Path, environ: Mapping[str, str] = os.environ) -> Authority:
    """The authority of `ca_dir`, made at the first call, with its trust files brought up to date.

    `environ` names the trust that apps already have (`SSL_CERT_FILE` and its kind): the bundle extends it.
    """
    try:
        ca_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (ca_dir / CA_FILE).exists():
            trust.write_exclusively(ca_dir / CA_FILE, _new_authority(), mode=0o600)
        authority = _load(ca_dir / CA_FILE)
        trust.write_trust(ca_dir, authority.cert_pem, environ)
        if _read(ca_dir / CA_CERT_FILE) != authority.cert_pem:
            trust.write_atomically(ca_dir / CA_CERT_FILE, authority.cert_pem, mode=0o644)
    except OSError as error:
        raise WiretapeError(f"cannot keep the certificate authority in {ca_dir}: {error.strerror}",
                            "make the directory writable or free some space") from error  # fmt: skip
    return authority


def _load(path: Path) -> Authority:
    try:
        pem = path.read_bytes()
        key = load_pem_private_key(pem, password=None)
        cert = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise WiretapeError(f"{path} does not hold a usable key and certificate", "delete it; the next start makes a "
                            "new certificate authority") from error  # fmt: skip
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != cert.public_key():
        raise WiretapeError(f"{path} was not written by wiretape", "delete it; the next start makes a new one")
    if cert.not_valid_after_utc < datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1):
        raise WiretapeError(f"the certificate authority in {path} has expired",
                            "delete it; the next start makes a new one")  # fmt: skip
    return Authority(key, cert)


def _new_authority() -> bytes:
    # An elliptic-curve key: made in under a millisecond, and each handshake costs a twentieth of RSA's.
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, "wiretape local authority"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "wiretape"),
    ])  # fmt: skip
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # Python 3.13 verifies with VERIFY_X509_STRICT: without a critical key usage and the key identifiers it
        # refuses the whole chain.
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return _key_pem(key) + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature, key_cert_sign=key_cert_sign, crl_sign=crl_sign, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _issuer_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
