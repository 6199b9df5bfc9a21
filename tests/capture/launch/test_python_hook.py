"""The sitecustomize that an app's Python loads: the user's own runs too, and nothing of ours can break the app."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from wiretape_capture.launch.environment import PYTHON_HOOK


def python(code: str, *folders: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, [PYTHON_HOOK, *folders]))
    return subprocess.run(
        [sys.executable, "-c", code], env={"PATH": os.defpath, "PYTHONPATH": path, **environment},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_the_users_own_sitecustomize_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.from_user = 'yes'")
    done = python(
        "import sys, sitecustomize; print(sys.from_user, sitecustomize.__file__)",
        tmp_path,
        WIRETAPE_PROXY="127.0.0.1:1",
    )
    assert (done.stdout.split(), done.stderr) == (["yes", str(tmp_path / "sitecustomize.py")], "")


def test_an_error_in_the_users_own_sitecustomize_is_reported_as_python_does(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import no_such_module")
    done = python("print('app')", tmp_path, WIRETAPE_PROXY="127.0.0.1:1")
    assert done.stdout == "app\n"
    assert "no_such_module" in done.stderr


def test_the_hook_leaves_the_module_path_as_the_app_expects_it() -> None:
    done = python("import sys; print(*sys.path)", WIRETAPE_PROXY="127.0.0.1:1")
    assert str(PYTHON_HOOK) not in done.stdout


def test_without_a_proxy_nothing_is_patched() -> None:
    done = python("import sys; print([type(finder).__name__ for finder in sys.meta_path])")
    assert "PatchingFinder" not in done.stdout


def test_a_client_whose_inside_changed_is_left_alone_and_named(tmp_path: Path) -> None:
    (tmp_path / "aiohttp").mkdir()
    (tmp_path / "aiohttp" / "__init__.py").write_text("from . import client")
    (tmp_path / "aiohttp" / "client.py").write_text("ClientSession = object()")
    done = python("import aiohttp; print('app')", tmp_path, WIRETAPE_PROXY="127.0.0.1:1")
    assert done.stdout == "app\n"
    assert done.stderr.startswith("wiretape: aiohttp.client cannot be sent through the proxy")


def test_a_refusing_proxy_looks_like_a_refusing_service() -> None:
    code = """
import http.client, socket, threading
listener = socket.create_server(("127.0.0.1", 0))
import sitecustomize
proxy = sitecustomize.Proxy("127.0.0.1:%d" % listener.getsockname()[1], "")
def answer():
    peer, _ = listener.accept()
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 502 Bad Gateway\\r\\n\\r\\n")
    peer.close()
threading.Thread(target=answer).start()
try:
    sitecustomize.tunnelled(socket.create_connection, proxy)(("api.host", 80))
except ConnectionRefusedError as error:
    print(error)
listener.close()
"""
    done = python(code)
    assert "api.host:80; wiretape's proxy said: HTTP/1.1 502 Bad Gateway" in done.stdout, done.stderr


def test_cloud_metadata_and_the_proxy_itself_are_dialled_directly() -> None:
    code = """
import sitecustomize, json
proxy = sitecustomize.Proxy("127.0.0.1:4140", "169.254.169.254,fd00:ec2::254")
places = [("169.254.169.254", 80), ("127.0.0.1", 4140), ("127.0.0.1", 80)]
print(json.dumps([proxy.carries(*place) for place in places]))
"""
    assert python(code).stdout == "[false, false, true]\n"
