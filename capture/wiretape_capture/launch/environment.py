"""The environment that makes an app's outbound HTTP reach our proxy, for every runtime at once.

Pure: variables in, variables out. What each runtime makes of them is the table in docs/capture.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wiretape_capture.launch import mapping
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.launch.trust import BUNDLE_FILE, TRUSTSTORE_FILE, TRUSTSTORE_PASSWORD

HOOKS = Path(__file__).parent
NODE_HOOK = HOOKS / "node_hook.cjs"
PYTHON_HOOK = HOOKS / "python_hook"

METADATA_ADDRESSES = ("169.254.169.254", "169.254.170.2", "fd00:ec2::254")
"""Where clouds hand out credentials: link-local, never recorded, and a proxy must not be able to answer there."""

BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL: Python's ssl, httpx, aiohttp, Ruby, .NET; Go; uv
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",  # git built with GnuTLS ignores SSL_CERT_FILE
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "PIP_CERT",
    "HTTPLIB2_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "NIX_SSL_CERT_FILE",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
)
"""Each names a PEM file with all trusted roots."""


def own_environment(environ: Mapping[str, str], app: AppSpec | None) -> dict[str, str]:
    """What the app would have without us: `environ` and its spec's variables, with CA files found where it would look.

    The app resolves a relative CA file against its own working directory, which is not a job's.
    """
    if app is None:
        return dict(environ)
    own = {**environ, **app.env}
    cwd = app.cwd or Path.cwd()
    return own | {name: str(cwd / own[name]) for name in BUNDLE_VARIABLES if own.get(name)}


def app_environment(
    base: Mapping[str, str], *, proxy_port: int, ca_dir: Path, maps: Mapping[str, str],
    services: Sequence[ServiceMap] = (),
) -> dict[str, str]:  # fmt: skip
    """The variables to add to or replace in `base`, the environment that the app would have had.

    `maps` holds the local URL by map name. Where `services` is given too, variables of `base` that name a mapped
    service are pointed at its local URL.
    """
    ca_dir = ca_dir.absolute()
    return {
        **mapping.redirect(base, maps, services),
        **{mapping.variable(name): url for name, url in maps.items()},
        **{
            mapping.variable(each.name): mapping.local_url(each, maps[each.name])
            for each in services
            if each.name in maps
        },
        **_proxy(base, proxy_port),
        **dict.fromkeys(BUNDLE_VARIABLES, str(ca_dir / BUNDLE_FILE)),
        **_node(base),
        **_java(base, proxy_port, ca_dir / TRUSTSTORE_FILE),
        **_python(base),
        "WIRETAPE_PROXY": f"127.0.0.1:{proxy_port}",
        "WIRETAPE_CA_BUNDLE": str(ca_dir / BUNDLE_FILE),
    }


def _proxy(base: Mapping[str, str], port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}"
    names = ["HTTP_PROXY", "HTTPS_PROXY"]
    # Not set on its own: it would send FTP and the like to a proxy that speaks HTTP. But one that is already there
    # would carry WebSockets past us.
    names += [name for name in ("ALL_PROXY", "WS_PROXY", "WSS_PROXY") if base.get(name) or base.get(name.lower())]
    # Users list localhost in NO_PROXY for their own proxy's sake; an app's services are mostly on loopback.
    values = {**dict.fromkeys(names, url), "NO_PROXY": ",".join(METADATA_ADDRESSES)}
    # curl reads http_proxy in lower case only; others read upper case only.
    return {**values, **{name.lower(): value for name, value in values.items()}}


def _node(base: Mapping[str, str]) -> dict[str, str]:
    option = f'--require "{_escaped(str(NODE_HOOK))}"'
    # Node's own proxy support covers the default agents alone and would do the hook's work a second time.
    return {"NODE_OPTIONS": _appended(base.get("NODE_OPTIONS", ""), option), "NODE_USE_ENV_PROXY": "0"}


def _java(base: Mapping[str, str], port: int, truststore: Path) -> dict[str, str]:
    properties = {
        "http.proxyHost": "127.0.0.1",
        "http.proxyPort": str(port),
        "https.proxyHost": "127.0.0.1",
        "https.proxyPort": str(port),
        # Empty: Java adds loopback to every other value. So cloud metadata cannot be excepted here.
        "http.nonProxyHosts": "",
        "javax.net.ssl.trustStore": str(truststore),
        "javax.net.ssl.trustStorePassword": TRUSTSTORE_PASSWORD,
        "javax.net.ssl.trustStoreType": "PKCS12",
    }
    options = " ".join(_java_option(f"-D{name}={value}") for name, value in properties.items())
    return {"JAVA_TOOL_OPTIONS": _appended(base.get("JAVA_TOOL_OPTIONS", ""), options)}


def _python(base: Mapping[str, str]) -> dict[str, str]:
    # An empty entry means the working directory, so an empty variable must not become one.
    present = base.get("PYTHONPATH", "")
    return {"PYTHONPATH": f"{PYTHON_HOOK}:{present}" if present else str(PYTHON_HOOK)}


def _appended(present: str, option: str) -> str:
    return f"{present} {option}" if present.strip() else option


def _java_option(option: str) -> str:
    return f'"{option}"' if any(character.isspace() for character in option) else option


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace('"', '\\"')
