"""The commands that look after snapshots, run as users run them: whole outputs, exit codes, one sentence for errors."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

type Run = Callable[..., subprocess.CompletedProcess[str]]


def test_snapshots_lists_what_there_is_and_names_what_is_broken(wiretape: Run, checkout: Path) -> None:
    (checkout.parent / "broken.tape").write_bytes(b"not a tape")
    ran = wiretape("snapshots")
    size = f"{checkout.stat().st_size / 1000:.1f} KB"
    assert ran.stdout == (
        "name      recorded             inbound  outbound     size  services\n"
        f"checkout  2026-11-18 11:06:40        2         1  {size:>7}  127.0.0.1:8000, payments:443\n"
    )
    assert ran.stderr.startswith("broken: ")
    assert ran.returncode == 0


def test_snapshots_without_any_says_how_to_make_one_and_writes_nothing(wiretape: Run, tmp_path: Path) -> None:
    ran = wiretape("snapshots")
    assert (ran.stdout, ran.stderr, ran.returncode) == (
        "no snapshots yet; record one with: wiretape record -- CMD\n", "", 0,
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("checkout")
def test_show_lists_exchanges_whole_in_a_pipe(wiretape: Run) -> None:
    assert wiretape("show").stdout == (
        "seq  direction  service         command  location" + " " * 124 + "status   ms  bytes\n"
        "  1  inbound    127.0.0.1:8000  GET      /orders/1" + " " * 123 + "200     1.5     41\n"
        "  2  outbound   payments:443    POST     /charge?amount=110" + " " * 114 + "502     3.0     20\n"
        f"  3  inbound    127.0.0.1:8000  GET      /search?q={'long' * 30}  200     4.5      2\n"
    )


@pytest.mark.usefixtures("checkout")
def test_show_filters(in_process: Run) -> None:
    def found(*filters: str) -> list[int]:
        return [each["sequence"] for each in json.loads(in_process("show", "checkout", *filters, "--json").stdout)]

    assert found("--direction", "outbound", "--status", "5xx") == [2]
    assert found("--method", "get", "--path", "/orders") == [1]
    assert found("--service", "payments") == [2]
    assert found("--text", "declined") == [2]
    assert found("--since", "2026-11-18T11:06:42+00:00") == [2, 3]
    assert found("--limit", "1") == [1]


@pytest.mark.usefixtures("checkout")
def test_show_one_exchange_in_full_with_control_characters_visible(wiretape: Run) -> None:
    assert wiretape("show", "checkout", "1").stdout == (
        "# exchange 1: inbound http, 127.0.0.1:8000, 1.5 ms\n"
        "\n"
        "GET /orders/1 HTTP/1.1\n"
        "Host: shop\n"
        "\n"
        "HTTP/1.1 200 OK\n"
        "Content-Type: application/json\n"
        "\n"
        "{\n"
        '  "id": 1,\n'
        '  "price": 1.10,\n'
        '  "note": "\\u001b[31m"\n'
        "}\n"
    )


@pytest.mark.usefixtures("checkout")
def test_a_number_alone_is_an_exchange_of_the_newest_snapshot(wiretape: Run) -> None:
    assert wiretape("show", "2").stdout == wiretape("show", "checkout", "2").stdout


@pytest.mark.usefixtures("checkout")
def test_show_raw_writes_the_bytes(wiretape: Run) -> None:
    ran = wiretape("show", "checkout", "3", "--raw")
    assert ran.stdout.endswith("HTTP/1.1 200 OK\nContent-Type: application/json\n\n[]\n")


@pytest.mark.usefixtures("checkout")
def test_an_unknown_snapshot_is_answered_with_the_nearest(wiretape: Run) -> None:
    ran = wiretape("show", "chekout")
    assert (ran.stdout, ran.stderr, ran.returncode) == (
        "", "wiretape: there is no snapshot 'chekout'; did you mean 'checkout'?\n", 2,
    )  # fmt: skip


def test_rename_and_delete(in_process: Run, checkout: Path) -> None:
    assert in_process("rename", "checkout", "old").stdout == "renamed checkout to old\n"
    assert in_process("delete", "old", "nothing").returncode == 2
    assert (checkout.parent / "old.tape").exists()
    assert in_process("delete", "old").stdout == "deleted old\n"
    assert list(checkout.parent.iterdir()) == []


@pytest.mark.usefixtures("checkout")
def test_har_and_folder_give_the_snapshot_back(in_process: Run) -> None:
    assert in_process("export", "--har", "out.har").stdout == "exported checkout to out.har\n"
    assert in_process("export", "checkout", "--folder", "out").stdout == "exported checkout to out\n"
    told = ": 3 exchanges (2 inbound, 1 outbound)\n"
    assert in_process("import", "out.har", "--name", "from-har").stdout == f"imported from-har{told}"
    assert in_process("import", "out").stdout == f"imported out{told}"
    hashes = {each["sha256"] for each in json.loads(in_process("snapshots", "--json").stdout)["snapshots"]}
    assert len(hashes) == 1
    assert in_process("import", "out").stderr == (
        'wiretape: there is a snapshot called "out" already; take another name with --name\n'
    )


def test_what_cannot_be_imported_is_named(in_process: Run, tmp_path: Path) -> None:
    (tmp_path / "noise.har").write_text("{")
    for arguments in (("import", "missing.har"), ("import", "noise.har"), ("import", str(tmp_path))):
        ran = in_process(*arguments)
        assert ran.returncode in (2, 3)
        assert ran.stderr.startswith("wiretape: ")
        assert ran.stderr.count("\n") == 1
        assert "Traceback" not in ran.stderr


def test_ca_names_files_that_exist_and_only_the_owner_can_read_the_key(wiretape: Run, tmp_path: Path) -> None:
    files = json.loads(wiretape("ca", "--json").stdout)
    assert {name: Path(file).is_file() for name, file in files.items()} == dict.fromkeys(files, True)
    assert stat.S_IMODE((tmp_path / ".wiretape" / "ca").stat().st_mode) == 0o700
    assert "curl --cacert" in wiretape("ca").stdout


@pytest.mark.usefixtures("checkout")
def test_output_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run([Path(sys.executable).parent / "wiretape", "show"], cwd=tmp_path, stdout=writer,
                         stderr=subprocess.PIPE, timeout=90, check=False)  # fmt: skip
    os.close(writer)
    assert (ran.stderr, ran.returncode) == (b"", 0)


def test_a_directory_that_cannot_be_written_is_told(wiretape: Run, tmp_path: Path) -> None:
    (tmp_path / ".wiretape").write_text("a file in the way")
    ran = wiretape("ca")
    assert (ran.stdout, ran.returncode) == ("", 3)
    assert ran.stderr == (
        f"wiretape: {tmp_path}/.wiretape is a file where wiretape keeps a directory; "
        "move it away, or run wiretape in another directory\n"
    )


def test_init_writes_what_the_project_shows_and_never_twice(wiretape: Run, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("Flask==3.1\nrequests\n")
    (tmp_path / "app.py").touch()
    (tmp_path / ".env").write_text("SECRET=1\nPAYMENTS_API_URL=https://user:pw@pay.example.com/v1 # live\n")
    ran = wiretape("init")
    assert ran.stdout == (
        "wrote wiretape.toml\n"
        "guessed            value                            from\n"
        "app.command        flask --app app run --port 5000  requirements.txt\n"
        "app.port           5000                             requirements.txt\n"
        "services.payments  https://pay.example.com          PAYMENTS_API_URL in .env\n"
        "next: wiretape record\n"
    )
    again = wiretape("init")
    assert (again.returncode, again.stderr) == (
        2, "wiretape: there is a wiretape.toml already; edit it, or overwrite it with --force\n",
    )  # fmt: skip
    assert wiretape("init", "--force").returncode == 0
    assert wiretape("snapshots").returncode == 0


@pytest.mark.usefixtures("checkout")
def test_init_trusts_a_recording_more_than_files(wiretape: Run, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"scripts": {"start": "node ."}}')
    guessed = json.loads(wiretape("init", "--json").stdout)["guessed"]
    assert guessed == {
        "app.command": {"value": "npm start", "from": "package.json"},
        "app.port": {"value": "8000", "from": "snapshot checkout"},
    }


def test_a_wrong_key_stops_every_command_with_its_line(wiretape: Run, tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml").write_text("[app]\nprot = 8000\n")
    ran = wiretape("snapshots")
    assert (ran.stderr, ran.returncode) == (
        'wiretape: wiretape.toml line 2: unknown key "app.prot"; did you mean "app.port"?\n', 2,
    )  # fmt: skip


def test_what_cannot_begin_writes_nothing(in_process: Run, tmp_path: Path) -> None:
    for arguments in (("mock",), ("replay",), ("verify",), ("record", "--name", "a/b"), ("show",), ("diff",)):
        assert in_process(*arguments).returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("checkout")
def test_init_goes_by_the_file_of_a_snapshot_and_names_the_step_that_it_allows(in_process: Run, tmp_path: Path) -> None:
    tape = tmp_path / ".wiretape" / "snapshots" / "checkout.tape"
    tape.rename(tape.with_name("renamed.tape"))
    ran = in_process("init")
    assert ran.returncode == 0
    assert "snapshot renamed" in ran.stdout
    unlearned = "next: wiretape noise learn -- CMD, while the code is unchanged; then, after a change, wiretape verify"
    assert ran.stdout.splitlines()[-1] == unlearned
    (tmp_path / "wiretape-noise.toml").touch()
    assert in_process("init", "--force").stdout.splitlines()[-1] == "next: wiretape verify -- CMD"


def test_init_that_cannot_write_leaves_nothing(wiretape: Run, tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml.part").symlink_to("/dev/full")
    ran = wiretape("init")
    assert (ran.returncode, ran.stderr) == (
        3,
        f"wiretape: {tmp_path}/wiretape.toml cannot be written (No space left on device); "
        "free some space and try again\n",
    )
    assert not (tmp_path / "wiretape.toml").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("checkout")
def test_a_script_for_a_load_tool_is_named_by_the_snapshot(in_process: Run, tmp_path: Path) -> None:
    ran = in_process("export", "checkout", "--format", "locust")
    assert (ran.returncode, ran.stdout) == (0, "wrote 2 requests of 1 session to checkout.locust.py\n")
    assert "FastHttpUser" in (tmp_path / "checkout.locust.py").read_text()
    told = json.loads(in_process("export", "--format", "vegeta", "--output", "all.jsonl", "--json").stdout)
    assert told == {"snapshot": "checkout", "format": "vegeta", "file": "all.jsonl", "requests": 2, "sessions": 1,
                    "bindings_as_recorded": 0, "left_out": 0}  # fmt: skip
    assert "export default" in in_process("export", "--format", "k6", "--output", "-").stdout


@pytest.mark.usefixtures("checkout")
def test_what_is_exported_is_for_its_owner(in_process: Run, tmp_path: Path) -> None:
    """It is recorded traffic, as the workspace's own files are."""
    (tmp_path / "mine.jsonl").touch(mode=0o640)
    in_process("export", "--har", "out.har")
    in_process("export", "--folder", "out")
    in_process("export", "--format", "k6", "--output", "load.js")
    in_process("export", "--format", "vegeta", "--output", "mine.jsonl")
    made = [tmp_path / "out.har", tmp_path / "load.js", tmp_path / "out", *(tmp_path / "out").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}
    assert stat.S_IMODE((tmp_path / "mine.jsonl").stat().st_mode) == 0o640, "what is there keeps its mode"


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("--format", "jmeter"), 2, "'jmeter' is not one of 'k6', 'locust', 'vegeta'"),
        (("--format", "k6", "--har", "a.har"), 2, "give one of --har FILE, --folder DIR or --format TOOL"),
        (("--har", "a.har", "--output", "b"), 2, "--output and --target go with --format"),
        (("--format", "k6", "--output", "no/such/load.js"), 3, "no such file or directory"),
    ],
)
def test_a_wrong_export_says_what_to_give(
    in_process: Run, arguments: tuple[str, ...], code: int, error: str
) -> None:  # fmt: skip
    ran = in_process("export", "checkout", *arguments)
    assert ran.returncode == code
    assert error in ran.stderr
