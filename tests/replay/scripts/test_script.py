"""What a script holds, and the real Locust and node playing one against an app with other ids and tokens."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from order_shop import Shop

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.scripts.formats import FORMATS
from wiretape_replay.scripts.script import Take, script_of

KEY = "6f1b1c1e-7d0c-4c59-9a53-1f6f0f2b7a11"


def test_sessions_hold_order_think_times_and_what_is_taken(recorded: list[Exchange]) -> None:
    script = script_of("shop", recorded)
    (session,) = script.sessions
    assert [(one.route, one.wait, one.status) for one in session] == [
        ("POST /login", 0.0, 200), ("POST /orders", 0.8, 201), ("GET /orders/{id}", 0.8, 200),
    ]  # fmt: skip
    assert session[0].takes == (Take("__taken_1__", "body", "/token"), Take("__taken_2__", "cookie", "visit"))
    assert dict(session[1].headers) == {
        "Authorization": "Bearer __taken_1__", "Cookie": "visit=__taken_2__", "Content-Type": "application/json",
        "Idempotency-Key": "__fresh_1__",
    }  # fmt: skip
    assert session[2].target == "/orders/__taken_3__"
    assert (script.fresh, script.as_recorded, script.left_out) == ({"__fresh_1__": KEY}, 0, 0)


def test_what_cannot_be_sent_is_counted(recorded: list[Exchange]) -> None:
    large = recorded[0].request.model_copy(update={"body": body_of(b"x").model_copy(update={"data": None})})
    other = [recorded[0].model_copy(update={"request": large}),
             recorded[1].model_copy(update={"protocol": Protocol.WEBSOCKET})]  # fmt: skip
    script = script_of("shop", [*other, recorded[2]])
    assert (script.requests, script.left_out) == (1, 2)


def test_vegeta_gets_targets_as_recorded(recorded: list[Exchange]) -> None:
    script = script_of("shop", recorded, follow=False)
    lines = [json.loads(line) for line in FORMATS["vegeta"].write(script, "", "http://127.0.0.1:1").splitlines()]
    assert [(one["method"], one["url"]) for one in lines] == [
        ("POST", "http://127.0.0.1:1/login"), ("POST", "http://127.0.0.1:1/orders"),
        ("GET", "http://127.0.0.1:1/orders/17"),
    ]  # fmt: skip
    assert lines[1]["header"]["Idempotency-Key"] == [KEY]
    assert json.loads(base64.b64decode(lines[1]["body"])) == {"note": 'a "quoted" word'}
    assert script.as_recorded == 5


def test_bytes_stay_bytes(recorded: list[Exchange]) -> None:
    data = bytes(range(256))
    request = recorded[1].request.model_copy(update={"body": body_of(data)})
    script = script_of("shop", [recorded[1].model_copy(update={"request": request})])
    step = script.sessions[0][0]
    assert (step.encoding, base64.b64decode(step.body)) == ("base64", data)


def test_locust_plays_it(recorded: list[Exchange], shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "load.py"
    file.write_text(FORMATS["locust"].write(script_of("shop", recorded), file.name, ""))
    command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--host", shop.url, "-u", "2", "-r", "2",
               "-t", "3s", "--stop-timeout", "20", "--json", "--skip-log-setup"]  # fmt: skip
    ran = subprocess.run(command, env=os.environ | {"SPEED": "100"}, cwd=tmp_path, capture_output=True, text=True,
                         timeout=90, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    stats = {f"{one['method']} {one['name']}": one for one in json.loads(ran.stdout)}
    assert {one["num_failures"] for one in stats.values()} == {0}
    assert sum(one["num_requests"] for one in stats.values()) == sum(shop.answers.values())
    assert {(way, path, status) for way, path, status in shop.answers} == {
        ("POST", "login", 200), ("POST", "orders", 201), ("GET", "orders", 200),
    }  # fmt: skip


HTTP = """
import { spawnSync } from 'node:child_process';
const CODE = `
  const [method, url, body, headers] = JSON.parse(process.argv[1]);
  const answer = await fetch(url, { method, body, headers, redirect: 'manual' });
  const cookies = answer.headers.getSetCookie().map((line) => line.split(';')[0].split('='));
  console.log(JSON.stringify({ status: answer.status, body: await answer.text(), cookies,
    headers: Object.fromEntries(answer.headers) }));`;
export default {
  cookieJar: () => ({ clear() {} }),
  request(method, url, body, { headers }) {
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', CODE,
      JSON.stringify([method, url, body, headers])]);
    const answer = JSON.parse(ran.stdout);
    answer.cookies = Object.fromEntries(answer.cookies.map(([name, value]) => [name, [{ value }]]));
    return answer;
  },
};
"""
K6 = """
export const sleep = () => {};
export function check(answer, checks) {
  for (const [name, holds] of Object.entries(checks)) if (!holds(answer)) throw new Error(`${name}: ${answer.status}`);
}
"""
PLAY = """
globalThis.__ENV = { TARGET: process.argv[2] };
const script = await import('./load.js');
console.log(JSON.stringify(script.options.scenarios.recorded));
for (globalThis.__VU = 1; __VU <= 2; __VU += 1) script.default();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_of_k6_plays_in_node(recorded: list[Exchange], shop: Shop, tmp_path: Path) -> None:
    """No package registry has k6 itself, so its three modules are played by node; the script is as k6 gets it."""
    modules: dict[str, Any] = {
        "package.json": json.dumps({"type": "module"}), "load.js": "", "play.js": PLAY,
        "node_modules/k6/package.json": json.dumps(
            {"type": "module", "exports": {".": "./k6.js", "./http": "./http.js", "./encoding": "./encoding.js"}}
        ),
        "node_modules/k6/k6.js": K6, "node_modules/k6/http.js": HTTP,
        "node_modules/k6/encoding.js": "export default { b64decode: (text) => Buffer.from(text, 'base64') };",
    }  # fmt: skip
    modules["load.js"] = FORMATS["k6"].write(script_of("shop", recorded), "load.js", "")
    for name, text in modules.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    ran = subprocess.run(["node", "play.js", shop.url], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                         check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["vus"] == 1
    assert dict(shop.answers) == {("POST", "login", 200): 2, ("POST", "orders", 201): 2, ("GET", "orders", 200): 2}
