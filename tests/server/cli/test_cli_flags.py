"""Every flag has a key and every key a flag; help is short, whole and pasteable; wrong usage is one sentence."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import cast

import click
import pytest

from wiretape_replay.verdict.metrics import METRICS
from wiretape_server.cli.catalogue import SECTIONS, module_of, purposes, wiretape
from wiretape_server.cli.command import Command, Setting
from wiretape_server.cli.command_group import CommandGroup
from wiretape_server.cli.main import run
from wiretape_server.cli.reference import page
from wiretape_server.workspace.config import known_keys, parse
from wiretape_server.workspace.guess import Guess
from wiretape_server.workspace.template import project_file

ROOT = Path(__file__).parents[3]

NOT_SETTINGS = {
    "record": {"--name", "--push"},  # one recording: its name, and that it is shared
    "mcp": {"--allow-commands", "--allow-target"},  # rights that no file may give
    "verify": {"--push"},
    "replay": {"--push"},
    "load": {"--push"},
    "mock": set[str](),
    "noise learn": set[str](),
}
"""Commands that wiretape.toml configures, with their flags that mean a single call."""

ARGUMENT_KEYS = {"snapshot", "app.command"}
"""Keys that SNAPSHOT and `-- CMD` stand for."""


def listed() -> dict[str, Command]:
    return {name: importlib.import_module(module_of(name)).command for name in purposes()}


def commands() -> dict[str, Command]:
    """Every command by the words that run it: of a family its members."""
    found: dict[str, Command] = {}
    for name, command in listed().items():
        members = command.commands if isinstance(command, CommandGroup) else {}
        found |= {f"{name} {word}": cast(Command, member) for word, member in members.items()} or {name: command}
    return found


def options(command: Command) -> list[click.Option]:
    return [option for option in command.params if isinstance(option, click.Option)]


def test_every_flag_of_a_configured_command_has_a_key() -> None:
    for name, allowed in NOT_SETTINGS.items():
        plain = {flag for option in options(commands()[name]) if not isinstance(option, Setting)
                 for flag in option.opts}  # fmt: skip
        assert plain - {"--json"} == allowed


def test_every_key_has_a_flag() -> None:
    keys = {option.key for command in commands().values() for option in options(command)
            if isinstance(option, Setting)}  # fmt: skip
    assert keys | ARGUMENT_KEYS == set(known_keys())


def test_purposes_in_the_list_are_those_of_the_commands() -> None:
    for name, command in listed().items():
        assert command.short_help == purposes()[name]
        assert command.name == name


def test_every_command_of_the_list_exists() -> None:
    assert list(purposes()) == [name for section in SECTIONS.values() for name in section]


def test_help_is_short_and_has_an_example_that_runs_this_command() -> None:
    for name, command in (listed() | commands()).items():
        assert command.help is not None
        first = command.help.splitlines()[0]
        assert re.fullmatch(r"[A-Z].*\.|[A-Z].*,.*\.", first), name
        assert all(line.startswith(f"wiretape {name}") for line in command.example.splitlines()), name
        for option in options(command):
            assert option.help, (name, option.name)
            assert len(option.help) <= 40, (name, option.help)
            assert not option.help.endswith("."), (name, option.help)


def test_every_command_but_those_for_agents_speaks_json() -> None:
    silent = {name for name, command in commands().items() if "--json" not in
              {flag for option in options(command) for flag in option.opts}}  # fmt: skip
    assert silent == {"mcp", "hook"}  # their stdout is the protocol


def test_the_reference_page_is_current() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == page()


def test_the_configuration_page_names_every_key_and_no_other() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]*) \|", text, re.MULTILINE)
    assert {key for key, _ in rows} == set(known_keys())
    flags = {(option.key, flag) for command in commands().values() for option in options(command)
             if isinstance(option, Setting) for flag in (*option.opts, *option.secondary_opts)}  # fmt: skip
    for key, told in rows:
        for flag in re.findall(r"--[a-z-]+", told):
            assert (key, flag) in flags


def test_the_configuration_page_names_every_metric() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert [metric for metric in METRICS if f"`{metric}`" not in text] == []


def test_examples_on_the_configuration_page_are_valid() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert examples
    for example in examples:
        parse(example)


def test_a_new_project_file_is_valid_with_and_without_its_comments() -> None:
    guess = Guess(command=("python", "app.py"), port=8000, services={"payments": "https://pay.example.com"})
    text = project_file(guess)
    config = parse(text)
    assert config.app.command == ("python", "app.py")
    assert config.services == {"payments": "https://pay.example.com"}
    bare = re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(bare)["replay"]) == {key[7:] for key in known_keys() if key.startswith("replay.")}
    parse(bare)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("recrod", 'no command "recrod", did you mean record?; `wiretape --help` shows what it takes'),
        ("frobnicate", 'no command "frobnicate"; `wiretape --help` shows what it takes'),
        ("record --nmae x", "no such option --nmae; did you mean --name or --map?"),
        ("record --app-port 0", "invalid value for '--app-port': \"0\" is not a whole number from 1 to 65535; "
                                "`wiretape record --help` shows what it takes"),
        ("record app.py", "got unexpected extra argument (app.py): an app's command comes after --; "
                          "`wiretape record --help` shows what it takes"),
        ("record --", "no command after --; `wiretape record --help` shows what it takes"),
        ("record --env DEBUG", '"DEBUG" has no name: write NAME=VALUE; `wiretape record --help` shows what it takes'),
        ("mock --at-end stop", "invalid value for '--at-end': 'stop' is not one of 'repeat', 'cycle', 'fail'; "
                               "`wiretape mock --help` shows what it takes"),
        ("show --raw", "--raw writes one exchange: give its SEQ; `wiretape show --help` shows what it takes"),
        ("show --since soon", '"soon" is not a time: write 5m, 2h or 2026-11-23T12:00; '
                              "`wiretape show --help` shows what it takes"),
        ("export x",
         "give one of --har FILE, --folder DIR or --format TOOL; `wiretape export --help` shows what it takes"),
        ("replay --noise served_by", '"served_by" does not end in a JSON Pointer such as /items/*/at or in '
                                     "header:NAME; `wiretape replay --help` shows what it takes"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_sentence(
    line: str, sentence: str, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".wiretape" / "snapshots").mkdir(parents=True)
    (tmp_path / ".wiretape" / "snapshots" / "x.tape").touch()
    assert run(line.split()) == 2
    assert capfd.readouterr() == ("", f"wiretape: {sentence}\n")


def test_an_error_is_a_json_document_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["record", "--json", "--app-port", "x"]) == 2
    document = json.loads(capfd.readouterr().out)
    assert document["error"]["exit_code"] == 2
    assert document["error"]["problem"].startswith("invalid value for '--app-port'")


def test_help_and_version_import_nothing_heavy() -> None:
    code = "import sys, wiretape_server.cli.main as main; main.run(['--help']); main.run(['--version']); "
    code += "print([name for name in ('pydantic', 'asyncio', 'rich', 'mcp', 'mitmproxy') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_flags_win_over_the_file_and_a_command_runs_where_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wiretape.toml").write_text('[app]\ncommand = "old"\nport = 1\n[app.env]\nA = "1"\n')
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    command = commands()["record"]
    flags = "--app-port 9000 --env B=2 --map pay=https://pay.example.com --map 127.0.0.1:5432"
    arguments = [*flags.split(), "--", "new", "app"]
    with wiretape.make_context("wiretape", []) as parent, command.make_context("record", arguments, parent=parent):
        from wiretape_server.cli.command import open_workspace

        ws = open_workspace()
    assert ws.root == tmp_path
    app = ws.config.app
    assert (app.command, app.port, app.env, app.cwd) == (("new", "app"), 9000, {"A": "1", "B": "2"},
                                                         str(tmp_path / "sub"))  # fmt: skip
    assert ws.config.services == {"pay": "https://pay.example.com", "127.0.0.1:5432": "127.0.0.1:5432"}


def test_flags_for_one_choice_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mcp", "--http", "--sse"]) == 2
    assert "--http and --sse exclude each other" in capsys.readouterr().err
