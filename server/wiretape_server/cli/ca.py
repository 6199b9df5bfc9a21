"""`wiretape ca`."""

from __future__ import annotations

import shlex

import click

from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json

FILES = (
    ("certificate", "wiretape-ca.crt", "the authority alone, PEM"),
    ("bundle", "bundle.pem", "the system's authorities and this one, PEM"),
    ("truststore", "truststore.p12", "the same for Java, PKCS #12"),
)


@click.command("ca", cls=Command, short_help="Show the certificate authority and how to trust it",
               example="wiretape ca")  # fmt: skip
@json_option
def command(as_json: bool) -> None:
    """Show the certificate authority and how to trust it.

    It is made for this workspace and is never put into the system's trust store. Apps that wiretape starts trust it
    by their environment; another client needs one of the files below.
    """
    from wiretape_capture.launch.ca import load_or_create

    ws = open_workspace()
    ws.create()
    load_or_create(ws.ca_dir)
    if as_json:
        out_json({name: str(ws.ca_dir / file) for name, file, _ in FILES})
        return
    for name, file, meaning in FILES:
        out(f"{name:<11}  {ws.ca_dir / file}  ({meaning})")
    bundle, certificate = (shlex.quote(str(ws.ca_dir / file)) for _, file, _ in (FILES[1], FILES[0]))
    out()
    out("To trust it in a client that wiretape did not start:")
    out(f"  curl     curl --cacert {bundle} URL")
    out(f"  Python   export SSL_CERT_FILE={bundle} REQUESTS_CA_BUNDLE={bundle}")
    out(f"  Node     export NODE_EXTRA_CA_CERTS={certificate}")
    out(f"  Go       export SSL_CERT_FILE={bundle}")
    out(f"  Java     java -Djavax.net.ssl.trustStore={shlex.quote(str(ws.ca_dir / FILES[2][1]))} "
        "-Djavax.net.ssl.trustStorePassword=changeit ...")  # fmt: skip
