"""`python -m wiretape_server.mcp`: the server without the command line around it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wiretape_capture.errors import WiretapeError
from wiretape_server.mcp.options import DEFAULT_PORT, ServeOptions
from wiretape_server.mcp.wire import standard_wire


def _options(argv: list[str]) -> ServeOptions:
    parser = argparse.ArgumentParser(prog="python -m wiretape_server.mcp", description=__doc__)
    transport = parser.add_mutually_exclusive_group()
    transport.add_argument("--http", dest="transport", action="store_const", const="http", default="stdio")
    transport.add_argument("--sse", dest="transport", action="store_const", const="sse")
    parser.add_argument("--directory", type=Path, default=Path.cwd())
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--token", default="")
    parser.add_argument("--allow-host", dest="allow_hosts", action="append", default=[])
    parser.add_argument("--allow-commands", action="store_true")
    parser.add_argument("--allow-target", dest="allow_targets", action="append", default=[])
    parser.add_argument("--idle", dest="idle_seconds", type=lambda minutes: float(minutes) * 60, default=30 * 60)
    values = vars(parser.parse_args(argv))
    values["allow_hosts"] = tuple(values["allow_hosts"])
    values["allow_targets"] = tuple(values["allow_targets"])
    return ServeOptions(**values)


def main() -> int:
    """Serve, and tell what went wrong in one line."""
    options = _options(sys.argv[1:])
    if options.transport == "stdio":
        standard_wire()
    try:
        from wiretape_server.mcp.main import serve

        return serve(options)
    except WiretapeError as error:
        sys.stderr.write(f"wiretape mcp: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
