"""Prompts: ways through the tools that a person starts by name. They name tools and hold no recorded text."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from pydantic import Field

from wiretape_server.mcp.names import plain

SET_UP = """\
Set up wiretape in this project, so that changed code can be checked against real traffic.

1. Read how the app starts: its package file, Makefile, Dockerfile or README. If there is no wiretape.toml, write one:

   [app]
   command = ["python", "app.py"]   # as a list of words, no shell
   port = 8000
   ready = "/health"                # a path that answers once the app is up

   Name services that the app finds by a variable of its own under [services] as NAME = "URL".
2. Call start_recording. Send the app real requests at the inbound URL it answers: run the project's own end-to-end
   tests against that URL, or requests that cover each route, its errors and its empty cases. Then call stop_recording.
3. Call get_traffic to see which routes were recorded. Say which routes of the code have no traffic yet.
4. Call run_replay without arguments. It must pass on unchanged code. If it does not, call explain for each finding:
   what varies by itself is shown to the user before accept_noise is called for it.
5. Tell the user what was recorded, what the verdict was, and that wiretape.toml is to be committed, .wiretape not.
"""

VERIFY = """\
Check that the change in the working tree keeps what {what} recorded.

1. Call run_replay{arguments}. If it answers running, call get_run with its run id.
2. On pass: say so with the number of exchanges, and stop.
3. On inconclusive: clear what the summary names, and go to 1.
4. On fail: call explain with the first finding's id. Read the code lines it names. Call get_diff with the id for both
   sides. Decide: is it a fault of the change, or what the change is for?
   - a fault: mend the code, call run_replay with failed_of set to the run's id until it passes, then go to 1.
   - meant: leave it, tell the user which finding it is and that a new recording is needed.
5. Never loosen fail_if and never call accept_noise just to get a pass.
"""

EXPLAIN = """\
Explain why {which} failed and what to do about it.

1. Call {first}.
2. For the most severe finding call explain with its id: why it counts, which reasons for noise were refused, what
   unchanged code did, and lines of code that hold its names. Call get_diff with the same id for both sides.
3. If misses of the mock are part of it, call explain{run} without an id, then with the id of a miss.
4. Read the named lines, and the app's output where app_log names a file.
5. Answer in this order: the cause with file and line, which requests show it, the smallest change that mends it, and
   whether it is rather what was asked for. Change nothing yet.
"""

RAISE = """\
Raise the share of the app's outbound calls that the mock answers from the recording.

1. Call run_replay{arguments}, then explain with its run id and no other id: it lists the requests that missed, each
   with the nearest recording. For a mock started by hand call stop_mock, and explain with its id as mock.
2. For each miss call explain with its id and look at the leaves that differ:
   - the code sends another value by mistake: mend the code.
   - the request is new on purpose: record again with start_recording and requests that lead to it.
   - a value is made anew in each run but is not seen as such: say which one; do not write it into the code.
   - the service is no part of what is tested: name it to the user as a candidate for mock.allow in wiretape.toml.
3. Call run_replay again and compare mock.miss in both answers. Go on until no miss is left or all that are left are
   explained to the user.
"""


def add_prompts(server: MCPServer[Any]) -> None:
    """Register the prompts."""

    @server.prompt(title="Set up wiretape here", description="Write wiretape.toml, record first traffic, check it")
    def set_up() -> str:
        return SET_UP

    @server.prompt(title="Verify my change", description="Replay recorded traffic against the changed code")
    def verify_change(
        snapshot: Annotated[str, Field(description="Snapshot to replay; empty: the newest")] = "",
    ) -> str:
        name = plain(snapshot, "snapshot")
        return VERIFY.format(what=f"snapshot {name}" if name else "the newest snapshot", arguments=_given(name))

    @server.prompt(title="Explain this failure", description="Find the cause of a failed run, with file and line")
    def explain_failure(
        run: Annotated[str, Field(description="Run to explain; empty: the newest")] = "",
        finding: Annotated[str, Field(description="Finding to begin with; empty: the most severe")] = "",
    ) -> str:
        run_id, found = plain(run, "run"), plain(finding, "finding")
        first = f'explain(id="{found}"{f", run={chr(34)}{run_id}{chr(34)}" if run_id else ""})' if found else (
            f'get_run(run="{run_id}")' if run_id else "get_run")  # fmt: skip
        return EXPLAIN.format(which=f"run {run_id}" if run_id else "the newest run", first=first,
                              run=f'(run="{run_id}")' if run_id else "")  # fmt: skip

    @server.prompt(title="Raise the mock hit rate", description="Find why calls to services miss the recording")
    def raise_hit_rate(
        snapshot: Annotated[str, Field(description="Snapshot to mock from; empty: the newest")] = "",
    ) -> str:
        return RAISE.format(arguments=_given(plain(snapshot, "snapshot")))


def _given(snapshot: str | None) -> str:
    return f'(snapshot="{snapshot}")' if snapshot else ""
