"""Starts wiretape's MCP server inside of the bundle's own environment."""

from wiretape_server.mcp.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())
