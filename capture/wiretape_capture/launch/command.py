"""Finding the program that a command names, and saying what is wrong when it cannot be started."""

from __future__ import annotations

import difflib
import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from wiretape_capture.errors import UsageError, WiretapeError


def find_program(command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Path:
    """The file that `command[0]` names for a process with this working directory and environment."""
    if not command or not command[0]:
        raise UsageError("the app's command is empty", "write it after --, such as: -- python app.py")
    if not cwd.is_dir():
        raise WiretapeError(f"the app's working directory {cwd} does not exist", "create it, or correct `cwd`")
    program = command[0]
    if "/" in program:
        return _executable(program, cwd / program)
    search = environ.get("PATH", os.defpath)
    found = shutil.which(program, path=search)
    if found is None:
        raise _not_found(command, cwd, search)
    return Path(found)


def start_failure(error: OSError, program: Path) -> WiretapeError:
    """What it means that the kernel refused to run `program`."""
    interpreter = _interpreter(program)
    if error.errno == errno.ENOENT and interpreter:
        return WiretapeError(f"{program} wants the interpreter {interpreter}, which does not exist",
                             "correct its first line")  # fmt: skip
    if error.errno == errno.ENOEXEC:
        return WiretapeError(f"{program} is not a program that this machine can run",
                             "a script needs a first line such as #!/bin/sh")  # fmt: skip
    return WiretapeError(f"cannot start {program}: {error.strerror}", "check the file and its permissions")


def _executable(program: str, path: Path) -> Path:
    if not path.exists():
        raise WiretapeError(f"command not found: {program} is no file in {path.parent}", "correct the path")
    if path.is_dir():
        raise WiretapeError(f"permission denied: {program} is a directory", "name a program")
    if not os.access(path, os.X_OK):
        raise WiretapeError(f"permission denied: {program} is not executable", f"run `chmod +x {program}`")
    return path


def _not_found(command: Sequence[str], cwd: Path, search: str) -> WiretapeError:
    program = command[0]
    folders = [Path(folder) for folder in search.split(os.pathsep) if folder]
    if len(command) == 1 and any(c.isspace() for c in program):
        hint = f"write the words without quotes: -- {program}"
    elif "=" in program:
        hint = f"a variable before a command is shell syntax: use -- env {program} ..."
    elif any(c in program for c in "&|;<>$"):
        hint = "a command is not run by a shell: use -- sh -c '...'"
    elif (cwd / program).is_file():
        hint = f"the working directory has a file of that name: use ./{program}"
    else:
        near = difflib.get_close_matches(program, _programs(folders), n=1, cutoff=0.7)
        hint = f"did you mean {near[0]}?" if near else f"looked in {search or 'an empty PATH'}"
    blocked = next((folder / program for folder in folders if (folder / program).is_file()), None)
    if blocked is not None:
        return WiretapeError(f"permission denied: {blocked} is not executable", f"run `chmod +x {blocked}`")
    return WiretapeError(f"command not found: {program}", hint)


def _programs(folders: Sequence[Path]) -> list[str]:
    names: set[str] = set()
    for folder in folders:
        try:
            names.update(entry.name for entry in folder.iterdir())
        except OSError:  # PATH often names folders that do not exist
            continue
    return sorted(names)


def _interpreter(program: Path) -> str:
    try:
        with program.open("rb") as file:
            first = file.readline(256)
    except OSError:
        return ""
    return os.fsdecode(first[2:].split()[0]) if first.startswith(b"#!") and first[2:].split() else ""
