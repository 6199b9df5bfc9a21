"""Hints written for the command line in the words of an agent, which has tools, arguments and wiretape.toml. Pure."""

from __future__ import annotations

import re

from wiretape_capture.errors import WiretapeError

KEYS = {
    "--app-port": "app.port", "--ready-timeout": "app.ready_timeout", "--ready": "app.ready",
    "--listen": "record.listen",
    "--proxy-port": "proxy_port of [record] or [mock]", "--map": "[services]", "--timeout": "replay.timeout",
    "--baseline-command": "replay.baseline_command", "--baseline-cwd": "replay.baseline_cwd",
    "--baseline-port": "replay.baseline_port", "--openapi": "replay.openapi", "--allow": "mock.allow",
}  # fmt: skip
"""Flags whose key in wiretape.toml an agent can write."""
CALLS = (
    (r"list them with: wiretape snapshots|`wiretape snapshots` lists .*", "list_snapshots lists them"),
    (r"make one with `wiretape verify` or `wiretape replay`", "run_replay makes one"),
    (r"`wiretape runs` lists the runs of this workspace", "list_runs lists them"),
    (r"its verdict is shown by: wiretape diff (\S+)", r'get_run(run="\1") shows its verdict'),
    (r"recording (\S+) has the app on port (\d+); end that first",
     r'recording \1 has the app on port \2; stop_recording(name="\1") ends it if this server started it'),
    (r"mock (\S+) has the app on port (\d+); end that first",
     r'mock \1 has the app on port \2; stop_mock(mock="\1") ends it if this server started it'),
    (r"record one with: wiretape record -- CMD", "start_recording makes one"),
    (r"give --target URL, or write down the app with: wiretape init",
     "give target, or set app.command and app.port in wiretape.toml"),
    (r"give --target URL, or the app with its port", "give target, or set app.port in wiretape.toml"),
    (r"give -- CMD, or set app.command in wiretape.toml", "set app.command in wiretape.toml"),
    (r"name an earlier run with --baseline", "name one with baseline; list_runs lists them"),
    (r"run the command again", "call again"),
)  # fmt: skip
_FLAG = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, sorted(KEYS, key=len, reverse=True)))})(?![\w-])")


def in_tools(error: WiretapeError) -> str:
    """Problem and hint of an error, with no flag that an agent cannot give."""
    text = str(error)
    for pattern, words in CALLS:
        text = re.sub(pattern, words, text)
    return _FLAG.sub(lambda found: f"{KEYS[found[1]]} in wiretape.toml", text)
