"""Real services as the app: recorded, replayed unchanged against a fresh start, and judged: zero findings."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from workbench import BIN, Bench


def replay_unchanged(bench: Bench, snapshot: str, port: int, command: list[str]) -> None:
    """Replay against a fresh process of the same code: everything compared, nothing found."""
    run = bench.wiretape("replay", snapshot, "--app-port", str(port), "--json", "--", *command, code=None)
    assert run["verdict"]["findings"] == []
    assert run["verdict"]["verdict"] == "pass", run["verdict"]["reason"]
    assert run["counts"]["total"] == run["counts"]["bytes_equal"] + run["counts"]["semantically_equal"] > 0


def test_httpbin_replays_unchanged(bench: Bench) -> None:
    port = bench.free_port()
    command = [sys.executable, "-m", "flask", "--app", "httpbin:app", "run", "--port", str(port)]
    with bench.recording("httpbin", port, command) as base, httpx.Client(base_url=base, trust_env=False) as client:
        client.get("/get", params={"q": "ü &=", "q2": ""})
        client.post("/post", json={"nested": {"list": [1, 2.5, None, "ä"]}})
        client.put("/put", data={"form": "value", "more": "a b"})
        client.patch("/patch", content=bytes(range(256)))
        client.delete("/delete")
        client.post("/post", files={"upload": ("name.bin", b"\x00\x01\x02", "application/octet-stream")})
        client.get("/uuid")
        client.get("/gzip")
        client.get("/brotli")
        client.get("/deflate")
        client.get("/image/png")
        client.get("/xml")
        client.get("/html")
        client.get("/redirect/2")
        client.get("/redirect-to", params={"url": "/get", "status_code": "307"})
        client.get("/cookies/set", params={"flavour": "oat"})
        client.get("/cookies")
        client.get("/basic-auth/ada/secret", auth=("ada", "secret"))
        client.get("/basic-auth/ada/secret", auth=("ada", "wrong"))
        client.get("/status/418")
        client.get("/stream/3")
        client.get("/bytes/300", params={"seed": "7"})
        client.get("/response-headers", params={"x-custom": "1"})
        client.get("/cache")
        client.head("/get")
        client.options("/get")
        client.get("/encoding/utf8")
    replay_unchanged(bench, "httpbin", port, command)


def test_datasette_replays_unchanged(bench: Bench) -> None:
    port = bench.free_port()
    database = bench.root / "books.db"
    with sqlite3.connect(database) as connection:
        connection.execute("create table book (id integer primary key, title text, price real, published text)")
        rows = [(f"Book {n}", n * 1.5, f"2024-01-{n:02}") for n in range(1, 29)]
        connection.executemany("insert into book (title, price, published) values (?, ?, ?)", rows)
    connection.close()
    command = [str(BIN / "datasette"), "serve", str(database), "--port", str(port), "--host", "127.0.0.1"]
    with bench.recording("datasette", port, command) as base, httpx.Client(base_url=base, trust_env=False) as client:
        client.get("/")
        client.get("/books.json")
        client.get("/books/book.json", params={"_size": "5", "_shape": "objects"})
        following = client.get("/books/book.json", params={"_size": "10"}).json()["next_url"]
        client.get(following.partition(str(port))[2] if str(port) in following else following)
        client.get("/books/book/3.json")
        client.get("/books/book")
        client.get("/books.json", params={"sql": "select count(*) as n from book where price > :p", "p": "9"})
        client.get("/books/nothing.json")
        client.get("/-/versions.json")
    replay_unchanged(bench, "datasette", port, command)


def test_pypiserver_replays_unchanged(bench: Bench) -> None:
    port = bench.free_port()
    packages = bench.root / "packages"
    packages.mkdir()
    (packages / "toy-1.0.tar.gz").write_bytes(b"\x1f\x8b" + bytes(3000))
    command = [str(BIN / "pypi-server"), "run", "-p", str(port), "-i", "127.0.0.1", "-P", ".", "-a", ".", str(packages)]
    with bench.recording("pypi", port, command) as base, httpx.Client(base_url=base, trust_env=False) as client:
        client.get("/")
        client.get("/simple/")
        client.get("/simple/toy/")
        client.get("/packages/toy-1.0.tar.gz")
        client.get("/simple/missing/")
        fields = {":action": "file_upload", "name": "toy", "version": "1.1"}
        client.post("/", data=fields, files={"content": ("toy-1.1.tar.gz", b"\x1f\x8b" + bytes(900))})
        client.get("/simple/toy/")
    (packages / "toy-1.1.tar.gz").unlink(missing_ok=True)
    replay_unchanged(bench, "pypi", port, command)


@pytest.fixture(scope="session")
def json_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """json-server from npm, the version that Node 18 and later run."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: json-server cannot be had")
    folder = tmp_path_factory.mktemp("npm")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "json-server@0.17.4"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode:
        pytest.skip(f"json-server could not be installed from npm: {done.stderr[-200:]}")
    return folder / "node_modules" / ".bin" / "json-server"


def test_json_server_replays_unchanged(bench: Bench, json_server: Path) -> None:
    port = bench.free_port()
    seed = '{"posts": [{"id": 1, "title": "one", "views": 7}], "comments": []}'
    data = bench.root / "db.json"
    data.write_text(seed)
    command = [str(json_server), "--port", str(port), "--host", "127.0.0.1", "--quiet", str(data)]
    with bench.recording("json", port, command) as base, httpx.Client(base_url=base, trust_env=False) as client:
        client.get("/posts")
        made = client.post("/posts", json={"title": "two", "views": 0}).json()["id"]
        client.get(f"/posts/{made}")
        client.patch(f"/posts/{made}", json={"views": 1})
        client.post("/comments", json={"body": "hm", "postId": made})
        client.get("/posts", params={"_embed": "comments", "_sort": "views"})
        client.get("/posts", params={"_page": "1", "_limit": "1"})
        client.delete(f"/posts/{made}")
        client.get(f"/posts/{made}")
    data.write_text(seed)
    replay_unchanged(bench, "json", port, command)
