"""How configuration becomes the spec of each job."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Request
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_server.workspace.specs import mock_spec, record_spec, replay_spec, selection
from wiretape_server.workspace.workspace import Workspace

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
APP = {"app.command": ("python", "app.py"), "app.port": 8000}


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    ws = Workspace(tmp_path)
    ws.create()
    for age, name in enumerate(("new", "old")):
        tape = ws.snapshots_dir / f"{name}.tape"
        tape.touch()
        os.utime(tape, (100 - age, 100 - age))
    return ws


def test_verify_starts_the_app_and_mocks_its_services(ws: Workspace) -> None:
    spec = replay_spec(ws.with_settings(APP), now=NOON, verify=True, log=Path("app.log"))
    assert spec.app == AppSpec(command=("python", "app.py"), cwd=ws.root, port=8000, log=Path("app.log"),
                               claim=ws.port_claim(8000, f"run {spec.run.stem}"))  # fmt: skip
    assert spec.mock is not None
    assert (spec.mock.tape, spec.mock.app, spec.mock.proxy_port) == (ws.snapshots_dir / "new.tape", None, 0)
    assert (spec.target, spec.run) == (None, ws.runs_dir / "20261123-120000.run")


@pytest.mark.parametrize(
    ("settings", "verify", "started", "mocked", "target"),
    [
        (APP, False, True, False, None),
        (APP | {"replay.mock": True}, False, True, True, None),
        (APP | {"replay.mock": False}, True, True, False, None),
        (APP | {"replay.target": "http://h:1/"}, True, False, False, "http://h:1"),
        (APP | {"replay.target": "http://h:1", "app.start": True}, True, True, True, "http://h:1"),
        (APP | {"app.start": False}, True, False, False, "http://127.0.0.1:8000"),
        ({"app.port": 8000}, True, False, False, "http://127.0.0.1:8000"),
    ],
)
def test_who_starts_the_app_decides_target_and_mock(
    ws: Workspace, settings: dict[str, Any], verify: bool, started: bool, mocked: bool, target: str | None
) -> None:
    spec = replay_spec(ws.with_settings(settings), now=NOON, verify=verify)
    assert (spec.app is not None, spec.mock is not None, spec.target) == (started, mocked, target)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "nothing to replay against; give --target URL, or write down the app with: wiretape init"),
        ({"app.command": "x"}, "the app's port is not known; give --app-port, or set app.port in wiretape.toml"),
        ({"app.start": True}, "there is no app to start; give -- CMD, or set app.command in wiretape.toml"),
        (APP | {"snapshot": "nwe"}, "there is no snapshot 'nwe'; did you mean 'new'?"),
    ],
)
def test_what_is_missing_is_said(ws: Workspace, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        replay_spec(ws.with_settings(settings), now=NOON)
    assert str(caught.value) == sentence


def test_services_become_listeners_named_or_by_address(ws: Workspace) -> None:
    services = {"payments": "https://pay.example.com@9001", "10.0.0.5:8080": "10.0.0.5:8080"}
    assert mock_spec(ws.with_settings({"services": services})).maps == (
        ServiceMap(name="payments", scheme="https", host="pay.example.com", port=443, listen=9001),
        ServiceMap(name="10.0.0.5:8080", scheme="http", host="10.0.0.5", port=8080),
    )


async def test_found_databases_are_called_as_in_the_snapshot_that_answers(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    recorded = Exchange(
        sequence=1, direction=Direction.OUTBOUND, protocol=Protocol.POSTGRES, scheme="postgres", service="db",
        command="SELECT", location="select ?", started_ns=1, duration_us=1,
        request=Request(method="SELECT", target="select ?"),
    )  # fmt: skip
    async with await TapeWriter.create(ws.snapshot_path("shop"), name="shop", created_ns=1) as tape:
        tape.put(recorded)
    url = "postgres://u@db.host/shop"
    app = ws.with_settings(APP | {"app.env": {"DATABASE_URL": url}, "snapshot": "shop"})
    specs = [mock_spec(app), replay_spec(app, now=NOON, verify=True).mock]
    assert [[each.name for each in spec.maps] for spec in specs if spec is not None] == [["db"], ["db"]]
    given = app.with_settings({"services": {"shop": url}})
    assert [each.name for each in mock_spec(given).maps] == ["shop"]
    assert [each.name for each in record_spec(app, now=NOON).maps] == ["database"]


def test_a_recording_takes_a_free_port_in_front_of_the_app_or_refuses_the_one_given(ws: Workspace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WiretapeError, match=f"port {port} is taken; stop what listens there, or give --listen"):
            record_spec(ws.with_settings(APP | {"record.listen": port}), now=NOON)
    spec = record_spec(ws.with_settings(APP), now=NOON)
    assert (spec.listen, spec.listen_from) == (0, 7080)
    assert (spec.name, spec.proxy_port, spec.app_port) == ("20261123-120000", 0, 8000)
    by_hand = record_spec(ws, now=NOON, name="mine")
    assert (by_hand.proxy_port, by_hand.proxy_from) == (0, 7090)
    assert spec.app is not None and spec.app.claim is not None
    assert (spec.app.claim.port, spec.app.claim.holder) == (8000, "recording 20261123-120000")


def test_a_name_that_is_taken_is_refused(ws: Workspace) -> None:
    with pytest.raises(UsageError, match='there is a snapshot called "old" already'):
        record_spec(ws, now=NOON, name="old")


def test_only_takes_numbers_ranges_and_routes() -> None:
    assert selection(("3", "5-7", "GET /orders/*", "/health")) == ((3, 5, 6, 7), ("GET /orders/*", "* /health"))
    with pytest.raises(UsageError):
        selection(("orders",))


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("7-3", 'the range "7-3" ends before it begins; write 3-7'), ("0", 'begins at 0'), ("0-2", 'begins at 0'),
        ("1-9999999", "longer than any snapshot"), ("9" * 30, "neither a sequence number"), ("7-", "neither"),
        ("-3", "neither"), ("", "neither"),
    ],
)  # fmt: skip
def test_only_refuses_numbers_that_mean_nothing(item: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        selection((item,))
