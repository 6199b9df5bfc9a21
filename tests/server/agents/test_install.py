"""Installing into real files: what is written, kept, refused, and that it comes out again to the byte."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from install_place import Place

from wiretape_server.agents import jsonc
from wiretape_server.agents.catalogue import AGENTS, BY_NAME
from wiretape_server.agents.edits import Section, State, TomlTable

WITH_SERVER = [agent for agent in AGENTS if agent.server]
THEIRS = {
    ".mcp.json": '{"mcpServers": {"other": {"command": "x"}}}\n',
    ".cursor/mcp.json": '\ufeff{\r\n    "mcpServers": {\r\n        "other": {"command": "x"}\r\n    }\r\n}\r\n',
    ".vscode/mcp.json": '{\n\t// mine\n\t"in": [],\n\t"servers": {\n\t\t"other": {"command": "x"}, // keep\n\t},\n}',
    "opencode.json": '{\n  "$schema": "https://opencode.ai/config.json",\n  "theme": "system"\n}\n',
    ".gemini/settings.json": "{}",
    ".zed/settings.json": '// Zed settings\n{\n  "tab_size": 2\n}\n',
    ".claude/settings.json": '{\n  "hooks": {\n    "Stop": [\n      {"hooks": [{"type": "command", "command": "x"}]}\n'
    "    ]\n  }\n}\n",
    ".github/copilot-instructions.md": "# House rules\r\n\r\nBe brief.\r\n",
    "AGENTS.md": "# For agents\n\nNo newline at the end",
    "~/.codex/config.toml": '# mine\nmodel = "o9"\n\n[mcp_servers.other]   # keep\ncommand = "x"\n\n[tui]\nx = 1\n',
    "~/.codeium/windsurf/mcp_config.json": '{\n  "mcpServers": {}\n}\n',
}  # fmt: skip


def put_files(place: Place, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = place.home / name[2:] if name.startswith("~/") else place.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def entry_of(place: Place, name: str) -> dict[str, Any]:
    agent = BY_NAME[name]
    assert agent.server is not None
    root, paths = (place.project, agent.server.project) if agent.server.project else (place.home, agent.server.user)
    if name == "codex":
        root = place.home
    text = (root / paths[0]).read_text(encoding="utf-8-sig")
    whole = tomllib.loads(text) if paths[0].endswith("toml") else jsonc.parse(text).value
    found: dict[str, Any] = whole[agent.server.section]["wiretape"]
    return found


@pytest.mark.parametrize("agent", WITH_SERVER, ids=lambda agent: agent.name)
def test_each_agent_is_set_up_and_left_without_a_trace(place: Place, agent: Any) -> None:
    place.install(agent.name, "--hooks")
    entry = entry_of(place, agent.name)
    command = entry["command"]
    assert (command if isinstance(command, list) else [command, *entry["args"]]) == ["wiretape", "mcp"]
    listed = {row["agent"]: row["wiretape"] for row in place.install("--list")["agents"]}
    assert listed[agent.name] == "yes"

    first = place.tree()
    assert set(place.status(agent.name, "--hooks").values()) == {"same"}
    assert place.tree() == first

    assert set(place.status("--remove", agent.name).values()) == {"deleted"}
    assert place.tree() == {}


def test_files_that_were_there_come_back_to_the_byte(place: Place) -> None:
    put_files(place, THEIRS)
    before = place.tree()
    done = place.status("--all", "--hooks")
    assert {name: done[name] for name in THEIRS} == dict.fromkeys(THEIRS, "changed")
    during = place.tree()
    assert {name: during[f"{name}.bak"] for name in THEIRS} == before
    assert set(place.status("--all", "--hooks").values()) == {"same"}
    assert place.tree() == during

    place.install("--remove")

    assert place.tree() == before


def test_without_a_backup_what_was_added_is_still_taken_out(place: Place) -> None:
    put_files(place, THEIRS)
    before = place.tree()
    place.install("--all", "--hooks")
    for root in (place.project, place.home):
        for backup in root.rglob("*.bak"):
            backup.unlink()
    place.install("--remove")
    after = place.tree()

    # Where an empty object or the end of the last line is all that differs, nothing tells which there was before.
    del before["~/.codeium/windsurf/mcp_config.json"]
    assert after == {name: text + b"\n" * (name == "AGENTS.md") for name, text in before.items()}


def test_what_others_wrote_in_between_stays(place: Place) -> None:
    put_files(place, {".mcp.json": '{\n  "mcpServers": {}\n}\n', "AGENTS.md": "# A\n"})
    place.install("claude-code", "agents-md")
    config = place.project / ".mcp.json"
    config.write_text(jsonc.put(config.read_text(), ["mcpServers", "later"], {"command": "y"}))
    agents = place.project / "AGENTS.md"
    agents.write_text(agents.read_text() + "\n## Later\n")
    place.install("--remove", "claude-code", "agents-md")

    assert config.read_text() == '{\n  "mcpServers": {\n    "later": {\n      "command": "y"\n    }\n  }\n}\n'
    assert agents.read_text() == "# A\n\n## Later\n"
    assert (place.project / ".mcp.json.bak").read_text() == '{\n  "mcpServers": {}\n}\n'


def test_detects_by_project_home_and_path(place: Place) -> None:
    (place.project / ".zed").mkdir()
    (place.home / ".cursor").mkdir()
    program = Path(os.environ["PATH"]) / "opencode"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    rows = {row["agent"]: row["found"] for row in place.install("--list")["agents"]}
    assert {name: why for name, why in rows.items() if why} == {
        "zed": ".zed", "cursor": "~/.cursor", "opencode": "opencode on PATH",
    }  # fmt: skip
    assert set(place.status()) == {
        ".cursor/mcp.json", ".cursor/rules/wiretape.mdc", "opencode.json", "AGENTS.md", ".zed/settings.json",
    }  # fmt: skip


def test_without_an_agent_it_says_what_to_name(place: Place) -> None:
    code, _, err = place.call("install")
    assert code == 2
    assert "no coding agent was found" in err
    assert "claude-code" in err
    code, _, err = place.call("install", "claud-code")
    assert code == 2
    assert 'no agent "claud-code"; did you mean claude-code? there are claude-code, ' in err


def test_codex_gets_the_project_file_once_the_project_is_trusted(place: Place) -> None:
    put_files(place, {"~/.codex/config.toml": f'[projects."{place.project}"]\ntrust_level = "trusted"\n'})
    assert place.status("codex", "--no-rules") == {".codex/config.toml": "created"}
    assert place.status("codex", "--no-rules", "--scope", "user") == {"~/.codex/config.toml": "changed"}
    place.install("--remove")
    assert set(place.tree()) == {"~/.codex/config.toml"}
    assert place.tree()["~/.codex/config.toml"].endswith(b'trust_level = "trusted"\n')


def test_user_scope_writes_into_the_home_only(place: Place) -> None:
    done = place.status("--all", "--scope", "user", "--hooks")
    assert all(name.startswith("~/") for name in done)
    assert "~/.claude/skills/wiretape/SKILL.md" in done
    place.install("--remove", "--scope", "user")
    assert place.tree() == {}


def test_a_project_file_never_names_this_machine(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place.home))
    said = place.install("--all", "--hooks", "--scope", "project")
    assert "not on PATH" in said["note"]
    for name, data in place.tree().items():
        if not name.startswith("~/"):
            assert str(place.home.parent).encode() not in data, name
    place.install("cursor", "--scope", "user")
    entry = json.loads((place.home / ".cursor/mcp.json").read_text())["mcpServers"]["wiretape"]
    assert Path(entry["command"]).is_absolute()
    assert Path(entry["command"]).is_file()


def test_an_entry_that_was_changed_is_shown_and_kept(place: Place) -> None:
    place.install("cursor")
    config = place.project / ".cursor/mcp.json"
    mine = config.read_text().replace('"wiretape",', '"/opt/wiretape",')
    config.write_text(mine)
    rule = place.project / ".cursor/rules/wiretape.mdc"
    rule.write_text(rule.read_text().replace("every change", "some changes"))

    code, out, err = place.call("install", "cursor")
    assert code == 0
    assert ".cursor/mcp.json: changed by you: left as it is" in out
    assert '"command": "/opt/wiretape"' in out
    assert "--force replaces it all the same" in err
    assert config.read_text() == mine
    assert place.status("--remove", "cursor") == {".cursor/mcp.json": "kept", ".cursor/rules/wiretape.mdc": "kept"}
    assert place.status("cursor", "--force") == {".cursor/mcp.json": "changed", ".cursor/rules/wiretape.mdc": "changed"}
    assert "/opt" not in config.read_text()
    assert config.with_name("mcp.json.bak").read_text() == mine


def test_instructions_of_an_earlier_version_are_brought_up_to_date(place: Place) -> None:
    old = Section("## Old advice").put("# A\n")
    put_files(place, {"AGENTS.md": old + "\n# B\n"})

    assert place.status("agents-md") == {"AGENTS.md": "changed"}
    text = (place.project / "AGENTS.md").read_text()
    assert "Old advice" not in text
    assert text.startswith("# A\n\n<!-- wiretape:begin ")
    assert text.endswith("<!-- wiretape:end -->\n\n# B\n")


def test_a_dry_run_shows_the_diff_and_writes_nothing(place: Place) -> None:
    put_files(place, {".vscode/mcp.json": THEIRS[".vscode/mcp.json"]})
    before = place.tree()
    code, out, _ = place.call("install", "vscode", "--dry-run")

    assert code == 0
    assert ".vscode/mcp.json: would change" in out
    assert '+\t\t"wiretape": {' in out
    assert '-\t\t"other": {"command": "x"}, // keep' not in out
    assert place.tree() == before


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (".mcp.json", '{\n  "mcpServers": {\n    "a": 1\n    "b": 2\n  }\n}\n', "line 4, column 5: a comma or }"),
        (".mcp.json", '{"mcpServers": []}', "mcpServers is not an object"),
        (".mcp.json", "[]", "the whole file is not an object"),
        ("~/.codex/config.toml", "a = 1\na = 2\n", "not valid TOML: Cannot overwrite a value (at line 2, column 6)"),
        ("~/.codex/config.toml", "mcp_servers = 1\n", "mcp_servers is not a table"),
        ("AGENTS.md", "<!-- wiretape:begin 12 -->\n", "only one of the two marks"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_edited_is_left_alone(place: Place, name: str, text: str, why: str) -> None:
    put_files(place, {name: text})
    rows = {place.short(Path(row["file"])): row for row in place.install("claude-code", "codex", code=3)["files"]}

    assert rows[name]["status"] == "refused"
    assert why in rows[name]["why"]
    assert place.tree()[name] == text.encode()
    assert {row["status"] for other, row in rows.items() if other != name} == {"created"}, "the others are set up"


def test_files_that_are_not_ours_to_write_are_refused(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text("{}")
    (place.project / ".mcp.json").symlink_to(outside)
    (place.project / ".cursor").symlink_to(tmp_path)
    (place.project / ".vscode/mcp.json").mkdir(parents=True)
    (place.project / ".zed").write_text("a file")
    (place.project / ".junie").mkdir()
    (place.project / ".junie/mcp").symlink_to(place.project / "nowhere/mcp")
    put_files(place, {"opencode.json": "{}", ".github/mcp.json": ""})
    (place.project / "opencode.json").chmod(0o444)
    (place.project / ".github/mcp.json").write_bytes(b'{"a": "\xff"}')
    os.mkfifo(place.home / "fifo")
    put_files(place, {"~/.codeium/windsurf/x": ""})
    (place.home / ".codeium/windsurf/mcp_config.json").symlink_to(place.home / "fifo")
    names = ("claude-code", "cursor", "vscode", "zed", "opencode", "copilot-cli", "windsurf")
    rows = {place.short(Path(row["file"])): row["why"] for row in place.install(*names, "--no-rules", code=3)["files"]}

    assert rows == {
        ".mcp.json": f"it is a link that leads out of {place.project} (to {outside})",
        ".cursor/mcp.json": f"it is a link that leads out of {place.project} (to {tmp_path / 'mcp.json'})",
        ".vscode/mcp.json": "it is not an ordinary file",
        ".zed/settings.json": "a file stands where its folder should be",
        "opencode.json": "you may not write to it",
        ".github/mcp.json": "it is not UTF-8 text (byte 7)",
        "~/.codeium/windsurf/mcp_config.json": "it is not an ordinary file",
    }
    assert outside.read_text() == "{}"


def test_a_link_inside_of_the_project_is_followed_and_stays(place: Place) -> None:
    real = place.project / "config/mcp.json"
    real.parent.mkdir()
    real.write_text("{}\n")
    real.chmod(0o640)
    (place.project / ".mcp.json").symlink_to(real)
    place.install("claude-code", "--no-rules")

    assert (place.project / ".mcp.json").is_symlink()
    assert json.loads(real.read_text())["mcpServers"]["wiretape"]["command"] == "wiretape"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    place.install("--remove", "claude-code")
    assert real.read_text() == "{}\n"


def test_an_older_backup_is_not_overwritten(place: Place) -> None:
    put_files(place, {".mcp.json": "{}\n", ".mcp.json.bak": "precious"})
    place.install("claude-code", "--no-rules")
    place.install("--remove", "claude-code")

    assert (place.project / ".mcp.json.bak").read_text() == "precious"
    assert json.loads((place.project / ".mcp.json").read_text()) == {}


def test_instructions_stay_for_an_agent_that_still_reads_them(place: Place) -> None:
    place.install("opencode", "zed")
    place.install("--remove", "zed")
    assert set(place.tree()) == {"AGENTS.md", "opencode.json"}
    place.install("--remove", "opencode")
    assert place.tree() == {}


def test_the_root_is_that_of_the_project_not_the_folder_below(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.project / ".git").mkdir()
    below = place.project / "src"
    below.mkdir()
    monkeypatch.chdir(below)
    code, out, _ = place.call("install", "zed", "--no-rules")

    assert code == 0, out
    assert set(place.tree()) == {".zed/settings.json"}


TOML_VALUES = st.dictionaries(
    st.text("ab ", min_size=1, max_size=4), st.integers(0, 9) | st.text("x#'\"\n", max_size=4), max_size=3
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(["a", "mcp_servers", "z"]), TOML_VALUES, max_size=3), st.booleans(),
       st.sampled_from(["", "# end\n", "\n\n"]))  # fmt: skip
def test_a_toml_table_goes_in_and_comes_out(value: dict[str, Any], crlf: bool, tail: str) -> None:
    import tomlkit

    text = tomlkit.dumps(value) + tail
    text = text.replace("\n", "\r\n") if crlf else text
    plain = tomllib.loads(text.replace("\r\n", "\n"))
    edit = TomlTable(("mcp_servers", "wiretape"), {"command": "wiretape", "args": ["mcp"]})
    edited = edit.put(text)

    assert tomllib.loads(edited.replace("\r\n", "\n")) == {
        **plain, "mcp_servers": {**plain.get("mcp_servers", {}), "wiretape": dict(edit.value)},
    }  # fmt: skip
    assert edited.startswith(text)
    assert edit.state(edited) is State.SAME
    assert edit.take(edited) == text


@pytest.mark.parametrize(
    "text",
    [
        'mcp_servers = { other = { command = "x" } } # inline\n',
        'mcp_servers.other.command = "x" # dotted\n',
        '[mcp_servers]\nother = { command = "x" } # mixed\n[z]\na = 1\n',
    ],
)
def test_a_toml_table_written_another_way_gets_ours_too(text: str) -> None:
    edit = TomlTable(("mcp_servers", "wiretape"), {"command": "wiretape", "args": ["mcp"]})
    edited = edit.put(text)

    assert edit.state(edited) is State.SAME
    assert tomllib.loads(edited)["mcp_servers"]["other"] == {"command": "x"}
    assert text.partition("#")[2].partition("\n")[0] in edited
    assert tomllib.loads(edit.take(edited)) == tomllib.loads(text)


def test_a_backup_that_holds_ours_already_is_not_taken_for_the_state_before(place: Place) -> None:
    put_files(place, {".mcp.json": '{"mcpServers": {"other": {}}}\n'})
    place.install("claude-code", "--no-rules")
    config = place.project / ".mcp.json"
    config.with_name(".mcp.json.bak").write_bytes(config.read_bytes())
    place.install("--remove", "claude-code")

    assert config.read_text() == '{"mcpServers": {"other": {}}}\n'


def test_an_agent_is_named_by_the_beginning_of_its_name(place: Place) -> None:
    assert ".mcp.json" in place.status("claude", "--no-rules")
    assert ".gemini/settings.json" in place.status("gemini", "--no-rules")
    code, _, err = place.call("install", "c")
    assert (code, 'no agent "c"; ' in err) == (2, True), "it may be four of them"


def test_a_dry_run_shows_no_change_of_a_file_that_is_left_alone(place: Place) -> None:
    put_files(place, {".cursor/mcp.json": '{"mcpServers": {'})
    code, out, _ = place.call("install", "cursor", "--no-rules", "--dry-run")

    assert code == 3
    assert ".cursor/mcp.json: left alone (line 1, column 17: } is missing at the end)  [cursor]" in out
    assert "---" not in out
