"""The three of mitmproxy's addons that a recorder uses, without the thirty others and the libraries these import.

`mitmproxy.addons` imports every addon, and with them Flask, LDAP and the content views: most of the time that
mitmproxy takes to import.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec


def _leave_the_others_out() -> None:
    """Put the package in place without running it; its modules are found by its path all the same."""
    name = "mitmproxy.addons"
    if name not in sys.modules:
        spec = find_spec(name)
        assert spec is not None
        sys.modules[name] = module_from_spec(spec)


_leave_the_others_out()

from mitmproxy.addons.next_layer import NextLayer  # noqa: E402 - the package must not run before
from mitmproxy.addons.proxyserver import Proxyserver  # noqa: E402
from mitmproxy.addons.tlsconfig import TlsConfig  # noqa: E402

__all__ = ["NextLayer", "Proxyserver", "TlsConfig"]
