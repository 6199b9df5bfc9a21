"""Apps that start, answer, crash, hang and refuse to die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.launch import ports
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import AppSpec

BOUND = 60.0
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        self.send_response(200 if self.path != "/health" or Handler.asked > 3 else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
import socket
class Server(http.server.HTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""

type Wait = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def until() -> Wait:
    """Wait until something is true."""

    async def wait(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND):
            while not true():  # noqa: ASYNC110 - processes and files notify nobody
                await asyncio.sleep(0.01)

    return wait


def spec(*command: str, **fields: Any) -> AppSpec:
    return AppSpec(command=command, **fields)


def server(port: int, host: str = "127.0.0.1", **fields: Any) -> AppSpec:
    return spec(sys.executable, "-c", SERVER, host, str(port), port=port, **fields)


async def failure(app_spec: AppSpec) -> WiretapeError:
    """The error that starting this app ends in."""
    app = None
    with pytest.raises(WiretapeError) as caught:
        app = await App.start(app_spec, {})
        await app.wait_ready()
    if app is not None:
        await app.stop()
        assert not ports.group_members(app.pid)
    return caught.value


async def test_an_app_is_ready_when_its_port_accepts(tmp_path: Path, free_port: Callable[[], int]) -> None:
    app = await App.start(server(free_port(), log=tmp_path / "app.log"), {})
    await app.wait_ready()
    assert (app.running, app.host) == (True, "127.0.0.1")
    await app.stop()
    assert not app.running
    assert await app.wait() == -signal.SIGTERM


async def test_an_app_is_ready_when_its_health_path_says_so(tmp_path: Path, free_port: Callable[[], int]) -> None:
    app = await App.start(server(free_port(), ready="/health", log=tmp_path / "app.log"), {})
    await app.wait_ready()
    await app.stop()
    assert (tmp_path / "app.log").read_text().count(" 503 ") == 3


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
async def test_an_app_on_the_other_loopback_is_found(tmp_path: Path, free_port: Callable[[], int]) -> None:
    app = await App.start(server(free_port(), "::1", log=tmp_path / "app.log"), {})
    await app.wait_ready()
    await app.stop()
    assert app.host == "::1"


async def test_an_app_without_a_port_is_ready_at_once(tmp_path: Path) -> None:
    app_spec = spec("sh", "-c", "echo $A $B; exit 7", env={"A": "a", "B": "b"}, log=tmp_path / "log")
    app = await App.start(app_spec, {"B": "c"})
    await app.wait_ready()
    assert await app.wait() == 7
    await app.stop()
    assert app.last_output() == ["a c"]


async def test_an_app_that_crashes_shows_its_last_lines(free_port: Callable[[], int]) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo line $i; done; echo 'no database' >&2; exit 3"
    error = await failure(spec("sh", "-c", script, port=free_port()))
    assert error.problem == "the app exited with status 3 before it was ready"
    assert error.hint.splitlines()[0] == "its last output was:"
    assert error.hint.splitlines()[-1] == "    no database"
    assert len(error.hint.splitlines()) == 13
    assert error.exit_code == 3


async def test_an_app_that_crashes_shows_the_end_of_its_log(tmp_path: Path, free_port: Callable[[], int]) -> None:
    error = await failure(
        spec("sh", "-c", "echo boom; kill -SEGV $$", port=free_port(), log=tmp_path / "logs" / "app.log")
    )
    assert str(error) == "the app was ended by SIGSEGV before it was ready; its last output was:\n    boom"


async def test_an_app_on_another_port_is_told_which(tmp_path: Path, free_port: Callable[[], int]) -> None:
    actual, asked = free_port(), free_port()
    other = spec(
        sys.executable, "-c", SERVER, "127.0.0.1", str(actual), port=asked, ready_timeout=1.0, log=tmp_path / "log"
    )
    error = await failure(other)
    assert error.problem == f"the app did not open port {asked} within 1 s"
    assert error.hint == f"it listens on {actual}: correct --app-port"


async def test_an_app_that_is_never_healthy_is_told_so(tmp_path: Path, free_port: Callable[[], int]) -> None:
    app_spec = server(free_port(), ready="/health", ready_timeout=0.3, log=tmp_path / "log")
    unhealthy = app_spec.model_copy(
        update={"command": tuple(word.replace("asked > 3", "asked > 999") for word in app_spec.command)}
    )
    error = await failure(unhealthy)
    assert "did not answer GET /health below 500 within 0.3 s" in error.problem or "did not open port" in error.problem


async def test_a_taken_port_names_who_has_it(free_port: Callable[[], int]) -> None:
    port = free_port()
    other = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
    error = await failure(spec("true", port=port))
    other.close()
    assert error.problem.startswith(f"port {port} is already in use by process {os.getpid()} (")


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    problems = {
        "pyhton3": ("command not found: pyhton3", "did you mean python3?"),
        "npm start": ("command not found: npm start", "write the words without quotes: -- npm start"),
        "A=1": ("command not found: A=1", "a variable before a command is shell syntax: use -- env A=1 ..."),
        "a;b": ("command not found: a;b", "a command is not run by a shell: use -- sh -c '...'"),
        "script-here": ("command not found: script-here",
                        "the working directory has a file of that name: use ./script-here"),
        "./none": (f"command not found: ./none is no file in {tmp_path}", "correct the path"),
        "./script": ("permission denied: ./script is not executable", "run `chmod +x ./script`"),
        "./": ("permission denied: ./ is a directory", "name a program"),
    }  # fmt: skip
    (tmp_path / "script-here").write_text("")
    for command, expected in problems.items():
        error = await failure(spec(command, cwd=tmp_path))
        assert (error.problem, error.hint) == expected
    script.chmod(0o755)
    error = await failure(spec("./script", cwd=tmp_path))
    assert error.problem == f"{script} wants the interpreter /no/such/interpreter, which does not exist"


async def test_a_missing_working_directory_and_an_empty_command_are_named(tmp_path: Path) -> None:
    error = await failure(spec("true", cwd=tmp_path / "gone"))
    assert error.problem == f"the app's working directory {tmp_path / 'gone'} does not exist"
    assert isinstance(await failure(AppSpec(command=())), UsageError)


async def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    error = await failure(spec("true", log=tmp_path))
    assert error.problem.startswith(f"cannot write the app's log {tmp_path}")


async def test_children_end_with_the_app(tmp_path: Path, until: Wait) -> None:
    app = await App.start(spec("sh", "-c", "sleep 100 & sleep 100 & echo up; wait", log=tmp_path / "log"), {})
    await until(lambda: len(ports.group_members(app.pid)) == 3 and app.last_output() == ["up"])
    await app.stop()
    assert not ports.group_members(app.pid)


async def test_children_that_outlive_the_app_end_too(tmp_path: Path, until: Wait) -> None:
    app = await App.start(spec("sh", "-c", "sleep 100 & exit 0", log=tmp_path / "log"), {})
    assert await app.wait() == 0
    await until(lambda: len(ports.group_members(app.pid)) == 1)
    await app.stop()
    assert not ports.group_members(app.pid)


async def test_an_app_that_ignores_sigterm_is_killed(tmp_path: Path, until: Wait) -> None:
    app = await App.start(
        spec("sh", "-c", "trap '' TERM; echo up; while :; do sleep 100; done", log=tmp_path / "log"), {}
    )
    await until(lambda: app.last_output() == ["up"])
    await app.stop(grace=0.2)
    assert await app.wait() == -signal.SIGKILL
    assert not ports.group_members(app.pid)


async def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    app = await App.start(spec("sleep", "100", log=tmp_path / "log"), {})
    await app.stop()
    await app.stop()


async def test_nothing_survives_when_wiretape_is_killed(tmp_path: Path, until: Wait) -> None:
    parent = """
import asyncio, sys
from pathlib import Path
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import AppSpec
async def main():
    app = await App.start(AppSpec(command=("sh", "-c", "sleep 100 & sleep 100 & wait"), log=Path(sys.argv[1])), {})
    print(app.pid, flush=True)
    await app.wait()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    group = int(await asyncio.wait_for(process.stdout.readline(), BOUND))
    await until(lambda: len(ports.group_members(group)) == 3)
    process.kill()
    await process.wait()
    await until(lambda: not ports.group_members(group))
