"""TLS on both sides. An upstream certificate that does not verify is passed on as one that cannot be trusted.

So a client that verifies refuses it, as it would have without us, and one that does not goes on, as it would have.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mitmproxy import certs, ctx, http
from mitmproxy.connection import Client
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.ca import alternative_name
from wiretape_capture.proxy.addons import TlsConfig
from wiretape_capture.proxy.authority import authority
from wiretape_capture.tee.client_certificate import wants_certificate

REFUSALS = ("unknown ca", "certificate unknown", "bad certificate", "disconnected during")
"""What a handshake error says when the client does not like the certificate; some only hang up."""

type Note = Callable[[str], None]


class Trust(TlsConfig):
    """Certificates for the app, verification of the services; `note` hears of every refusal."""

    def __init__(self, options: Options, note: Note) -> None:
        ctx.options = options
        self._note = note
        self._untrusted: certs.CertStore | None = None
        self._unverified: dict[str, str] = {}
        self._agents: dict[str, str] = {}
        self._asking: set[str] = set()
        try:
            self.configure({"confdir"})  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise WiretapeError(f"the certificate authority in {options.confdir} cannot be used: {error}",
                                "delete that folder, it is made again") from None  # fmt: skip

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """A client asks for a tunnel; some say who they are."""
        agent = flow.request.headers.get("user-agent")
        if agent:
            self._agents[flow.client_conn.id] = agent

    def client_disconnected(self, client: Client) -> None:
        """A client's connection ended."""
        self._agents.pop(client.id, None)

    def get_cert(self, conn_context: Context) -> certs.CertStoreEntry:
        """The certificate for a client: from our authority, or from one that nobody trusts."""
        entry = super().get_cert(conn_context)
        if conn_context.server.id not in self._unverified:
            return entry
        if self._untrusted is None:
            self._untrusted = untrusted_store(self.certstore)
        names = entry.cert.altnames
        return self._untrusted.get_cert(entry.cert.cn, names)

    def mint(self, host: str, name: str, like: bytes) -> bytes:
        """A chain with its key, PEM, for a service that was dialled as `host` and asked for as `name`.

        `like` is the service's own certificate, DER. Raises ValueError for what cannot be a name.
        """
        theirs = certs.Cert(x509.load_der_x509_certificate(like))
        names = [alternative_name(one) for one in (theirs.cn, name, host) if one]
        names = list(dict.fromkeys([*names[:1], *theirs.altnames, *names[1:]]))
        entry = self.certstore.get_cert(str(names[0].value), names, theirs.organization)
        chain = [entry.cert, *entry.chain_certs]
        key = entry.privatekey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + b"".join(one.to_pem() for one in chain)

    def tls_established_server(self, data: TlsData) -> None:
        """Look at what OpenSSL thinks of the service's certificate."""
        assert data.ssl_conn is not None
        if asks_for_certificate(data.ssl_conn):
            self._asking.add(data.conn.id)
        reason = verify_error(data.ssl_conn)
        if reason:
            self._unverified[data.conn.id] = reason
            self._note(f"the certificate of {_server(data)} does not verify ({reason}); "
                       f"clients that check certificates refuse it, with or without wiretape")  # fmt: skip

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        """A connection to a service ended."""
        self._unverified.pop(data.server.id, None)
        self._asking.discard(data.server.id)

    def tls_failed_client(self, data: TlsData) -> None:
        """Say who refused our certificate, and who never came so far as to see it."""
        agent = self._agents.get(data.conn.id, "")
        if data.ssl_conn is None:
            self._note(f"{_client(agent)} sent a TLS hello for {_server(data)} that is cut or malformed; "
                       "there was no connection to record")  # fmt: skip
        elif data.context.server.id not in self._unverified:
            self.refused_handshake(agent, _server(data), data.conn.error or "")

    def refused_handshake(self, agent: str, service: str, error: str) -> None:
        """Say that a client did not like our certificate, if that was it."""
        if not any(word in error.lower().replace("_", " ") for word in REFUSALS):
            return
        self._note(f"{_client(agent)} refused wiretape's certificate for {service}: it does not use the CA that "
                   f"wiretape put into its environment; point its own CA setting at {_bundle()}")  # fmt: skip

    def tls_failed_server(self, data: TlsData) -> None:
        """Say which service could not be reached over TLS."""
        if data.ssl_conn is not None and asks_for_certificate(data.ssl_conn):
            self._note(wants_certificate(_server(data)))
        else:
            self._note(f"no TLS connection to {_server(data)}: {data.conn.error or 'handshake failed'}")

    def error(self, flow: http.HTTPFlow) -> None:
        """TLS 1.3 lets a service refuse a client without a certificate after the handshake only."""
        if flow.server_conn.id in self._asking and flow.response is None and flow.server_conn.address is not None:
            self._note(wants_certificate(authority(*flow.server_conn.address[:2])))


def asks_for_certificate(connection: SSL.Connection) -> bool:
    """Whether a service named the authorities whose clients it knows, which most do that ask for a certificate."""
    return bool(connection.get_client_ca_list())


def verify_error(connection: SSL.Connection) -> str:
    """Why a peer's certificate does not verify; empty when it does. OpenSSL checks even where it does not enforce."""
    code = SSL._lib.SSL_get_verify_result(connection._ssl)  # type: ignore[attr-defined]
    if code == 0:
        return ""
    text: bytes = SSL._ffi.string(SSL._lib.X509_verify_cert_error_string(code))  # type: ignore[attr-defined]
    return text.decode()


def untrusted_store(like: certs.CertStore) -> certs.CertStore:
    """An authority made up for this process, in nobody's trust store."""
    key, cert = certs.create_ca(organization="unverified", cn="wiretape: the upstream certificate does not verify",
                                key_size=2048)  # fmt: skip
    return certs.CertStore(key, certs.Cert(cert), None, b"", like.dhparams)


def _server(data: TlsData) -> str:
    address = data.context.server.address or (data.context.client.sni or "an unknown host", 443)
    return authority(address[0], address[1])


def _client(agent: str) -> str:
    return f"a client ({agent})" if agent else "a client"


def _bundle() -> Path:
    return Path(ctx.options.confdir) / "bundle.pem"
