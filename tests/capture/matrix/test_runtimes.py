"""Every client of every runtime, over HTTP and HTTPS, by address and by name, all on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.matrix, pytest.mark.xdist_group("matrix"), pytest.mark.timeout(900)]

type Matrix = Any
"""The conftest's Outcome: a conftest is not a module that a test can import."""

DOCS = Path(__file__).parents[3] / "docs" / "capture.md"

COVERED = (
    "curl/curl",
    "python/requests",
    "python/requests-trust-env-off",
    "python/httpx",
    "python/httpx-trust-env-off",
    "python/httpx-async",
    "python/urllib",
    "python/urllib3",
    "python/http.client",
    "python/aiohttp",
    "python/aiohttp-trust-env",
    "node/http",
    "node/http-agent",
    "node/http-no-agent",
    "node/fetch",
    "node/axios",
    "node/axios-proxy-off",
    "java/HttpClient",
    "java/HttpURLConnection",
)
CALLS = [(client, scheme, host) for client in COVERED for scheme in ("http", "https")
         for host in ("127.0.0.1", "localhost")]  # fmt: skip
GO = ("go/net-http", "http", "127.0.0.1")
GO_MAP = ("go/net-http-map", "http", "map")


def skip_if_missing(missing: dict[str, str], client: str) -> None:
    reason = missing.get(client.partition("/")[0]) or missing.get(client)
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_call_reaches_its_service_and_is_recorded(matrix: Matrix, call: tuple[str, str, str]) -> None:
    skip_if_missing(matrix.missing, call[0])
    assert matrix.said.get(call) == f"real /{call[0]}", matrix.log
    assert call in matrix.recorded


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_call_is_answered_by_the_mock_when_the_services_are_gone(matrix: Matrix, call: tuple[str, str, str]) -> None:
    skip_if_missing(matrix.missing, call[0])
    assert matrix.mocked.get(call) == f"real /{call[0]}", matrix.log


def test_every_program_ends_by_itself(matrix: Matrix) -> None:
    """A hook that kept a runtime's event loop alive would show here."""
    assert matrix.ended == {runtime: [0, 0] for runtime in matrix.ended}


def test_go_passes_by_the_proxy_on_loopback(matrix: Matrix) -> None:
    """The limit that docs/capture.md states: it is compiled into net/http."""
    skip_if_missing(matrix.missing, "go")
    assert matrix.said[GO] == "real /go/net-http"
    assert GO not in matrix.recorded
    assert "refused" in matrix.mocked[GO]


def test_go_is_recorded_and_mocked_through_a_map(matrix: Matrix) -> None:
    skip_if_missing(matrix.missing, "go")
    assert matrix.said[GO_MAP] == "real /go/net-http-map"
    assert GO_MAP in matrix.recorded
    assert matrix.mocked[GO_MAP] == "real /go/net-http-map"


@pytest.mark.parametrize("client", [*COVERED, GO[0]])
def test_docs_table_names_every_client(client: str) -> None:
    """A client that differs from another only by an option is named by the part before it."""
    runtime, _, name = client.partition("/")
    words = {"http-agent": "http", "http-no-agent": "http", "httpx-async": "httpx", "net-http": "net/http"}
    name = words.get(name, name.removesuffix("-trust-env-off").removesuffix("-trust-env").removesuffix("-proxy-off"))
    rows = [row.lower() for row in DOCS.read_text().splitlines() if row.startswith("|")]
    assert any(runtime in row.split("|")[1] and name.lower() in row.split("|")[1] for row in rows)
