"""`wiretape mcp`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import WiretapeError
from wiretape_server.cli.app_flags import add
from wiretape_server.cli.command import PORT, Command, open_workspace, setting, settings_given

if TYPE_CHECKING:
    from wiretape_server.workspace.config import McpConfig

FLAGS = (
    setting("mcp.transport", "--stdio", flag_value="stdio", help="Serve on stdin and stdout (default)"),
    setting("mcp.transport", "--http", flag_value="http", help="Serve Streamable HTTP"),
    setting("mcp.transport", "--sse", flag_value="sse", help="Serve HTTP with server-sent events"),
    setting("mcp.host", "--host", metavar="ADDRESS", help="Address to listen on"),
    setting("mcp.port", "--port", type=PORT, metavar="PORT", help="Port to listen on"),
    setting("mcp.token", "--token", metavar="TOKEN", help="Bearer token to ask for"),
    setting("mcp.allow_hosts", "--allow-host", multiple=True, metavar="NAME", help="Further name of this server"),
    setting("mcp.idle", "--idle", type=float, metavar="MIN", help="Minutes to keep jobs without a client"),
)


@click.command("mcp", cls=Command, short_help="Serve coding agents over MCP",
               example="wiretape mcp\nwiretape mcp --http --port 7070")  # fmt: skip
@add(FLAGS)
@click.option("--allow-commands", is_flag=True, help="Let agents start any command")
@click.option("--allow-target", "allow_targets", multiple=True, metavar="HOST", help="Host agents may replay to")
def command(allow_commands: bool, allow_targets: tuple[str, ...]) -> None:
    """Serve coding agents over MCP.

    On stdin and stdout unless --http or --sse is given; those listen on loopback and ask for a token elsewhere.
    What agents may do is said by --allow-commands and --allow-target, and by no file that they can edit.
    """
    from wiretape_server.mcp.main import serve
    from wiretape_server.mcp.options import ServeOptions

    mcp = _settings()
    code = serve(
        ServeOptions(
            transport=mcp.transport,
            directory=Path.cwd(),
            host=mcp.host,
            port=mcp.port,
            token=mcp.token,
            allow_hosts=mcp.allow_hosts,
            allow_commands=allow_commands,
            allow_targets=allow_targets,
            idle_seconds=mcp.idle * 60,
        )
    )
    click.get_current_context().exit(code)


def _settings() -> McpConfig:
    """A wiretape.toml with a mistake must not leave an agent without tools: each of them says what is wrong with it."""
    from wiretape_server.workspace.config import Config

    try:
        return open_workspace().config.mcp
    except WiretapeError:
        return Config().with_settings(settings_given()).mcp
