"""Who may talk to the server over HTTP: Host, Origin, tokens, and ports that are taken."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from wiretape_capture.errors import WiretapeError
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.web import bearer_token, is_loopback, transport_security
from wiretape_server.workspace.workspace import Workspace

type Web = Callable[..., AbstractAsyncContextManager[tuple[str, asyncio.subprocess.Process]]]

INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
ACCEPT = {"Accept": "application/json, text/event-stream"}
TOKEN = "correct-horse-battery"


async def ask(url: str, headers: dict[str, str]) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(url, json=INITIALIZE, headers={**ACCEPT, **headers})).status_code


async def test_a_page_that_rebinds_a_name_to_loopback_is_refused(project: Workspace, web: Web) -> None:
    async with web(project.root, "--http") as (url, _):
        plain = await ask(url, {})
        foreign_host = await ask(url, {"Host": "evil.test"})
        prefixed_host = await ask(url, {"Host": "localhost.evil.test"})
        foreign_origin = await ask(url, {"Origin": "https://evil.test"})
        own_origin = await ask(url, {"Origin": "http://localhost:3000"})

    assert (plain, foreign_host, prefixed_host, foreign_origin, own_origin) == (200, 421, 421, 403, 200)


@pytest.mark.parametrize("transport", ["--http", "--sse"])
async def test_a_token_once_given_is_wanted(project: Workspace, web: Web, transport: str) -> None:
    async with web(project.root, transport, "--token", TOKEN) as (url, _):
        statuses = [
            await ask(url, headers)
            for headers in (
                {},
                {"Authorization": f"Bearer {TOKEN}x"},
                {"Authorization": TOKEN},
                {"Authorization": "Bearer x"},
            )
        ]

    assert statuses == [401, 401, 401, 401]


async def test_a_client_with_the_token_is_served(project: Workspace, web: Web) -> None:
    import httpx2

    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        web(project.root, "--http", "--token", TOKEN) as (url, _),
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool("list_snapshots", {})

    assert not result.is_error


async def test_beyond_loopback_a_token_is_made_and_wanted(project: Workspace, web: Web) -> None:
    async with web(project.root, "--http", "--host", "0.0.0.0") as (url, _):
        local = url.replace("0.0.0.0", "127.0.0.1")
        secret = project.jobs_dir / "mcp-token"
        token = {"Authorization": f"Bearer {secret.read_text().strip()}"}
        statuses = [await ask(local, {}), await ask(local, token), await ask(local, {**token, "Host": "evil.test"})]

    assert statuses == [401, 200, 421]
    assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("content", "mode"), [("", 0o600), ("a" * 64, 0o644)])
async def test_a_token_file_that_protects_nothing_is_refused(project: Workspace, content: str, mode: int) -> None:
    secret = project.jobs_dir / "mcp-token"
    secret.write_text(content)
    secret.chmod(mode)
    async with LiveJobs() as jobs:
        state = ServerState(ServeOptions(directory=project.root, host="0.0.0.0"), jobs)
        with pytest.raises(WiretapeError, match="a new one is made"):
            bearer_token(state)


async def test_names_and_schemes_are_taken_in_any_case(project: Workspace, web: Web) -> None:
    async with web(project.root, "--http", "--token", TOKEN) as (url, _), httpx.AsyncClient(trust_env=False) as client:
        port = url.rpartition(":")[2].partition("/")[0]
        asked = [
            await client.post(url, json=INITIALIZE, headers={**ACCEPT, "Host": f"{host}:{port}", "Authorization": auth})
            for host, auth in (("LOCALHOST", f"bearer {TOKEN}"), ("localhost", f"BEARER {TOKEN}"),
                                ("build.test", f"Bearer {TOKEN}"), ("localhost", f"Bearer {TOKEN.upper()}"))
        ]  # fmt: skip

    assert [each.status_code for each in asked] == [200, 200, 421, 401]
    assert "--allow-host" in asked[2].text


async def test_a_taken_port_is_told_in_one_line(project: Workspace, web: Web) -> None:
    async with web(project.root, "--http") as (url, _):
        port = url.rpartition(":")[2].partition("/")[0]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wiretape_server.mcp", "--http", "--port", port,
            cwd=project.root, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            _, errors = await process.communicate()

    assert process.returncode == 3
    assert errors.decode().count("\n") == 1
    assert "give another --port" in errors.decode()


async def test_a_short_token_is_refused(project: Workspace) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wiretape_server.mcp", "--http", "--port", "0", "--token", "short",
        cwd=project.root, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert "at least 16" in errors.decode()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("LOCALHOST.", True), ("0.0.0.0", False), ("localhost.evil.test", False), ("10.0.0.1", False), ("", False),
        ("127.0.0.1.evil.test", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_loopback_is_what_can_mean_nothing_else(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_wildcard_address_adds_no_host_name() -> None:
    security = transport_security(ServeOptions(host="0.0.0.0", allow_hosts=("build.test",), directory=Path("/")))

    assert security.enable_dns_rebinding_protection
    assert "build.test:*" in security.allowed_hosts
    assert not any("0.0.0.0" in host for host in security.allowed_hosts)
