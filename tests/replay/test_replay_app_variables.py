"""The app that a replay starts keeps its own variables, extended for the mock."""

from __future__ import annotations

from pathlib import Path

from wiretape_capture.jobs.events import Ready
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.engine.target import app_variables
from wiretape_replay.mock.spec import MockSpec

OWN = {"NODE_OPTIONS": "--no-warnings", "ORDERS_URL": "http://orders.internal:8081/v1"}
READY = Ready(endpoints={"proxy": "http://127.0.0.1:4140", "map:orders": "http://127.0.0.1:9001"})


def test_the_apps_own_variables_are_extended_and_pointed_at_the_maps() -> None:
    mock = MockSpec(tape=Path("t.tape"), ca_dir=Path("ca"), maps=(parse_map("orders=http://orders.internal:8081"),))
    app = AppSpec(command=("node", "app.js"), port=3000, env=OWN)
    variables = app_variables(ReplaySpec(tape=mock.tape, run=Path("r.run"), app=app, mock=mock), READY)
    assert variables["NODE_OPTIONS"].startswith("--no-warnings --require ")
    assert variables["ORDERS_URL"] == "http://127.0.0.1:9001/v1"
    assert variables["HTTPS_PROXY"] == "http://127.0.0.1:4140"


def test_without_a_mock_nothing_is_set() -> None:
    app = AppSpec(command=("node", "app.js"), port=3000, env=OWN)
    assert app_variables(ReplaySpec(tape=Path("t.tape"), run=Path("r.run"), app=app), Ready()) == {}
