"""`wiretape hook`: answers an agent's hook. Quiet where there is nothing to verify, and never in an endless loop."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from wiretape_server.hook import answers, memory, source
from wiretape_server.hook.answers import CLIENTS, Call

__all__ = ["CLIENTS", "main"]

MOST_BLOCKS = 3
"""How often one turn of an agent is told to go on."""
MOST_INPUT = 16 * 1024 * 1024


def main(client: str) -> int:
    """Answer the JSON on stdin with JSON on stdout. A verdict is never told by the exit code."""
    try:
        said = json.loads(sys.stdin.buffer.read(MOST_INPUT))
    except ValueError:
        sys.stderr.write("wiretape hook: stdin is not JSON; agents call it, `wiretape install --hooks` sets that up\n")
        return 2
    answer = respond(client, answers.call(client, said if isinstance(said, dict) else {}))
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def respond(client: str, call: Call) -> dict[str, Any]:
    """The answer to one call."""
    root = project(Path(call.folder) if call.folder else Path.cwd())
    if root is None or call.kind == "other" or not any((root / ".wiretape/snapshots").glob("*.tape")):
        return {}
    jobs = root / ".wiretape/jobs"
    known = memory.recall(jobs)
    now = source.look(root, known.files)
    if known.files.keys() - now.files.keys():
        known.gone_ns = time.time_ns()
    known.files = now.files
    answer = _edited(client, call, known, now) if call.kind == "edited" else _stop(client, call, known, now, root)
    memory.keep(jobs, known)
    return answer


def project(folder: Path) -> Path | None:
    """The folder of the nearest wiretape.toml above: without one nobody knows how the app starts."""
    folder = folder.absolute()
    return next((each for each in (folder, *folder.parents) if (each / "wiretape.toml").is_file()), None)


def _edited(client: str, call: Call, known: memory.Memory, now: source.Source) -> dict[str, Any]:
    """Say once that there is something to verify, not at every edit."""
    if known.reminded or now.digest == known.digest:
        return {}
    known.reminded = True
    return answers.remind(client, call.event, "The code has changed since wiretape's last verdict. When the change is "
                          "complete, verify it with run_replay (in a shell: wiretape verify).")  # fmt: skip


def _stop(client: str, call: Call, known: memory.Memory, now: source.Source, root: Path) -> dict[str, Any]:
    if not call.again:
        known.count(call.session, 0)
    if now.digest == known.digest:
        if known.verdict == "fail" and call.again:
            return answers.tell(client, f"wiretape: the code still fails run {known.run}; `wiretape diff` shows why")
        return {}
    # sqlite3 and what comes with it are an eighth of the start, and most calls come without a change.
    from wiretape_server.hook import verdict

    told = verdict.earlier(root / ".wiretape/runs", max(now.newest_ns, known.gone_ns))
    if told is None:
        told = verdict.verify(root)
        # While the agent waits nobody edits: what changed meanwhile, the app wrote.
        now = source.look(root, known.files)
        known.files = now.files
    known.passed(now.digest, told.verdict, told.run)
    if told.verdict == "pass":
        known.count(call.session, 0)
        return answers.tell(client, told.text) if told.judge_changed else {}
    if told.verdict == "unknown":
        return answers.tell(client, told.text)
    blocks = known.blocks.get(call.session, 0)
    if blocks >= MOST_BLOCKS:
        return answers.tell(client, f"{told.text.splitlines()[0]} The agent was told {blocks} times; it may stop now.")
    known.count(call.session, blocks + 1)
    return answers.go_on(client, told.text)
