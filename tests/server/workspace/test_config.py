"""wiretape.toml: what is read from it, and how each mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from wiretape_capture.errors import UsageError
from wiretape_replay.engine.spec import NoiseRule
from wiretape_server.workspace.config import Config, known_keys, load, parse

WHOLE = """\
snapshot = "checkout"

[app]
command = "python -m shop --port 8000"
port = 8000
ready = "/health"
env = { DEBUG = "1" }

[services]
payments = "https://api.example.com"

[record]
listen = 7080

[mock]
allow = ["*.example.com"]

[replay]
fail_if = ["latency.p95 > 50", "requests.failed > 0"]
mock = true

[[noise]]
route = "GET /orders/{id}"
pointer = "/served_by"
reason = "host name"
"""


def test_each_section_is_read() -> None:
    config = parse(WHOLE)
    assert config.snapshot == "checkout"
    assert config.app.command == ("python", "-m", "shop", "--port", "8000")
    assert (config.app.port, config.app.ready, config.app.env) == (8000, "/health", {"DEBUG": "1"})
    assert config.services == {"payments": "https://api.example.com"}
    assert config.record.listen == 7080
    assert config.mock.allow == ("*.example.com",)
    assert config.replay.fail_if == ("latency.p95 > 50", "requests.failed > 0")
    assert config.replay.mock is True
    assert config.noise == (NoiseRule(route="GET /orders/{id}", pointer="/served_by", reason="host name"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[app]\nprot = 8000\n", 'wiretape.toml line 2: unknown key "app.prot"; did you mean "app.port"?'),
        ("port = 8000\n", 'wiretape.toml line 1: unknown key "port"; did you mean "app.port"?'),
        ("[ap]\nport = 8000\n", 'wiretape.toml line 1: unknown key "ap"; did you mean "app"?'),
        ("[mock]\nzzz = 1\n", 'wiretape.toml line 2: unknown key "mock.zzz"; '
                              "known here: proxy_port, allow, timing, at_end"),
        ("[app]\n\nport = 'x'\n", "wiretape.toml line 3: app.port: a whole number is wanted here; "
                                  "change the value 'x'"),
        ("[app]\nport = 70000\n", "wiretape.toml line 2: app.port: it must be at most 65535; "
                                  "change the value 70000"),
        ('[mock]\nat_end = "stop"\n', "wiretape.toml line 2: mock.at_end: it must be repeat, cycle or fail; "
                                      "change the value 'stop'"),
        ("[[noise]]\npointer = '/a'\n\n[[noise]]\npointr = '/b'\n",
         'wiretape.toml line 5: unknown key "noise.1.pointr"; did you mean "noise.pointer"?'),
        ("[app\n", "wiretape.toml is not valid TOML: expected ']' at the end of a table declaration "
                   "(at line 1, column 5); mend that line"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_settings_win_over_the_file_and_keep_the_rest() -> None:
    config = parse(WHOLE).with_settings({"app.port": 9000, "replay.fail_if": ["requests.failed > 3"]})
    assert config.app.port == 9000
    assert config.app.ready == "/health"
    assert config.replay.fail_if == ("requests.failed > 3",)
    assert config.replay.mock is True


def test_a_setting_of_an_unknown_key_is_refused() -> None:
    with pytest.raises(UsageError, match=r'unknown key "mock\.timming"; did you mean "mock\.timing"\?'):
        Config().with_settings({"mock.timming": "recorded"})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wiretape.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"wiretape\.toml is not UTF-8 text; save it as UTF-8"):
        load(file)


def test_every_key_has_a_description_that_ends_in_a_full_stop() -> None:
    assert [key for key, text in known_keys().items() if not text.endswith(".")] == []


@pytest.mark.parametrize("pace", ["fast", "2", "0x", "0.0x", "-1x", "none"])
def test_a_pace_that_cannot_be_meant_is_refused(pace: str) -> None:
    with pytest.raises(UsageError) as caught:
        Config().with_settings({"replay.timing": pace})
    assert str(caught.value) == (
        f"replay.timing: it is asap, recorded, or a multiple such as 2x; change the value '{pace}'"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("app = 5", "wiretape.toml line 1: app: a table is wanted here"),
        ("[app]\ncommand = 5", "wiretape.toml line 2: app.command: a list is wanted here"),
        ('[app]\nport = "x"', "wiretape.toml line 2: app.port: a whole number is wanted here"),
        ("[app]\nenv = { A = 1 }", "wiretape.toml line 2: app.env.A: text in quotes is wanted here"),
        ('[replay]\nmock = "x"', "wiretape.toml line 2: replay.mock: true or false is wanted here"),
        ("[replay]\nconcurrency = 0", "wiretape.toml line 2: replay.concurrency: it must be at least 1"),
        ('[mock]\nat_end = "x"', "wiretape.toml line 2: mock.at_end: it must be repeat, cycle or fail"),
        ('[[noise]]\nroute = "x"', "wiretape.toml line 1: noise.0.pointer is missing"),
        ('[[noise]]\npointer = "nope"',
         "wiretape.toml line 1: noise.0: the pointer begins with / (a JSON Pointer) or header:"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_explained_without_words_about_python(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.problem == problem
