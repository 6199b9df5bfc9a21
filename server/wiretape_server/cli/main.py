"""Entry of the command line: where every error becomes one sentence and an exit code (design §8)."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from wiretape_capture.errors import WiretapeError
from wiretape_server.cli.catalogue import wiretape
from wiretape_server.cli.terminal import abandon, open_standard_streams, out, say

INTERRUPTED = 130
"""What shells expect of a program that Ctrl-C ended at once."""


def main() -> NoReturn:
    """Run the command line of this process."""
    open_standard_streams()
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # a full disk has been complained about; a reader that is gone is no fault
        abandon(sys.stdout)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code."""
    try:
        with wiretape.make_context("wiretape", list(arguments)) as context:
            wiretape.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        return _complain(arguments, *_usage(error), code=2)
    except WiretapeError as error:
        return _complain(arguments, error.problem, error.hint, code=error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # of click's own pages, such as --help
        abandon(sys.stdout)
        return 0
    except OSError as error:
        return _complain(arguments, *_environment(error), code=3)
    except Exception as error:  # noqa: BLE001 - the command line's outermost boundary: users get a sentence, not a trace
        return _complain(arguments, *_bug(error), code=3)
    return 0


def _complain(arguments: Sequence[str], problem: str, hint: str, *, code: int) -> int:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--json" in own:
        with suppress(OSError):
            out(json.dumps({"error": {"problem": problem, "hint": hint, "exit_code": code}}))
    say(f"wiretape: {problem}; {hint}" if hint else f"wiretape: {problem}")
    return code


def _usage(error: click.ClickException) -> tuple[str, str]:
    """Click's message in our form: lower case, no full stop, and where help is."""
    message = " ".join(error.format_message().split())
    problem = (message[:1].lower() + message[1:]).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"no such option {error.option_name}", f"did you mean {' or '.join(error.possibilities)}?"
    return problem, f"`{context.command_path if context else 'wiretape'} --help` shows what it takes"


def _environment(error: OSError) -> tuple[str, str]:
    what = f"{error.filename}: " if error.filename else ""
    reason = (error.strerror or str(error)).lower()
    hint = "free some space and try again" if "space" in reason else "check that it exists and that you may use it"
    return f"{what}{reason}", hint


def _bug(error: Exception) -> tuple[str, str]:
    import traceback

    jobs = Path(".wiretape/jobs")
    folder = jobs if jobs.is_dir() and os.access(jobs, os.W_OK) else Path(tempfile.gettempdir())
    log = folder / f"wiretape-crash-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.log"
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return (
        f"failed unexpectedly: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
        f"this is a bug in wiretape; please report it with {log}",
    )
