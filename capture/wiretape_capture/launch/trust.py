"""Trust files for the runtimes of an app: one PEM bundle and one Java truststore, the usual roots plus ours.

Most variables that name a bundle replace a runtime's roots, so a bundle with our certificate alone would break
every connection that does not pass the proxy.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

BUNDLE_FILE = "bundle.pem"
TRUSTSTORE_FILE = "truststore.p12"
TRUSTSTORE_PASSWORD = "changeit"
"""Java's own default; a truststore holds nothing secret, but Java ignores one that has no password."""

REPLACING = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO")
"""Variables that replace a runtime's roots: where one is set, the app's roots are the file that it names."""

ADDING = ("NODE_EXTRA_CA_CERTS", "DENO_CERT")
"""Variables that add to a runtime's roots."""

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def write_trust(ca_dir: Path, ca_pem: bytes, environ: Mapping[str, str]) -> None:
    """Write the bundle and the truststore unless they already say the same."""
    bundle = join_bundles([*(path.read_bytes() for path in root_files(environ)), ca_pem])
    path = ca_dir / BUNDLE_FILE
    if path.exists() and (ca_dir / TRUSTSTORE_FILE).exists() and path.read_bytes() == bundle:
        return
    # The bundle last: its content decides next time whether both are current.
    write_atomically(ca_dir / TRUSTSTORE_FILE, java_truststore(bundle), mode=0o644)
    write_atomically(path, bundle, mode=0o644)


def root_files(environ: Mapping[str, str]) -> list[Path]:
    """Files with the roots that an app started from `environ` trusts, without repetition."""
    replacing = [Path(environ[name]) for name in REPLACING if environ.get(name)]
    adding = [Path(environ[name]) for name in ADDING if environ.get(name)]
    roots = [path for path in replacing if path.is_file()] or [system_bundle()]
    return list({path.resolve(): path for path in [*roots, *adding] if path.is_file()}.values())


def system_bundle() -> Path:
    """The machine's root certificates; certifi's where the machine has none."""
    for candidate in (ssl.get_default_verify_paths().openssl_cafile, *SYSTEM_BUNDLES):
        if Path(candidate).is_file():
            return Path(candidate)
    import certifi  # 60 ms of importlib.resources that most machines do not need

    return Path(certifi.where())


def join_bundles(bundles: list[bytes]) -> bytes:
    """One PEM bundle with each certificate once, in order of first appearance."""
    blocks = {block: None for bundle in bundles for block in _pem_blocks(bundle)}
    return b"".join(block + b"\n" for block in blocks)


def java_truststore(bundle: bytes) -> bytes:
    """A PKCS 12 file that Java 8 to 25 open as a truststore."""
    certs = [pkcs12.PKCS12Certificate(cert, f"root-{i}".encode()) for i, cert in enumerate(_certificates(bundle))]
    # Java before 8u301 cannot read the newer PBES2 form.
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(SHA1())
        .kdf_rounds(2048)
        .build(TRUSTSTORE_PASSWORD.encode())
    )
    return pkcs12.serialize_java_truststore(certs, encryption)


def _certificates(bundle: bytes) -> Iterator[x509.Certificate]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old roots bend today's rules, such as a negative serial number
        for block in _pem_blocks(bundle):
            with suppress(ValueError):  # one unreadable root must not cost the others
                yield x509.load_pem_x509_certificate(block)


def _pem_blocks(bundle: bytes) -> Iterator[bytes]:
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    for part in bundle.replace(b"\r\n", b"\n").split(begin)[1:]:
        yield begin + part.partition(end)[0] + end


def write_atomically(path: Path, data: bytes, *, mode: int) -> None:
    """Replace `path` as a whole, so that a reader never meets half a file."""
    Path(_temporary(path, data, mode)).replace(path)


def write_exclusively(path: Path, data: bytes, *, mode: int) -> None:
    """Create `path` as a whole; if another process was first, its file stays."""
    temporary = _temporary(path, data, mode)
    with suppress(FileExistsError):
        path.hardlink_to(temporary)
    Path(temporary).unlink()


def _temporary(path: Path, data: bytes, mode: int) -> str:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp opens with 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
    return name
