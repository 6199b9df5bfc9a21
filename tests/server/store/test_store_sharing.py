"""What one machine pushes another has: by name, by wiretape.lock, without asking for it, whole and checked."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from object_store import BUCKET, S3, Machine, orders
from small_project import SNAPSHOT, recorded_project
from workbench import Bench

from wiretape_replay.run_file import find_run, write_run
from wiretape_replay.verdict.model import Counts, Run, Verdict
from wiretape_server.store.bringing import bring_runs
from wiretape_server.store.objects import PIECE
from wiretape_server.workspace.workspace import Workspace


def test_a_pushed_snapshot_is_listed_and_pulled_by_another_machine(
    first: Machine, second: Machine, s3: S3, url: str, prefix: str
) -> None:
    tape = first.snapshot("checkout")
    (pushed,) = first.json("push", "checkout", "--store", url)["pushed"]
    assert (pushed["outcome"], pushed["kind"], pushed["size_bytes"]) == ("pushed", "snapshot", tape.stat().st_size)
    assert s3.keys(prefix) == [
        f"{prefix}/snapshots/checkout.json",
        f"{prefix}/snapshots/checkout/{pushed['sha256']}.tape",
    ]
    (listed,) = second.json("snapshots", "--remote", "--store", url)
    assert (listed["name"], listed["snapshot"]["inbound"]) == ("checkout", 2)
    assert second.json("pull", "checkout", "--store", url)["pulled"][0]["outcome"] == "pulled"
    assert second.tape("checkout").read_bytes() == tape.read_bytes()
    assert second.left() == ["checkout.tape"]
    assert second.tape("checkout").stat().st_mode & 0o077 == 0


def test_pushing_and_pulling_again_moves_nothing(first: Machine, second: Machine, url: str) -> None:
    first.snapshot("checkout")
    for machine, word in ((first, "push"), (second, "pull")):
        machine.run(word, "checkout", "--store", url)
        assert machine.json(word, "checkout", "--store", url)[f"{word}ed"][0]["outcome"] == "already there"


def test_a_push_is_never_silent_about_what_recordings_hold(first: Machine, url: str) -> None:
    first.snapshot("checkout")
    assert "secrets included" in first.run("push", "checkout", "--store", url).stderr


def test_the_store_is_named_by_flag_variable_or_file_in_that_order(first: Machine, second: Machine, url: str) -> None:
    first.snapshot("checkout")
    first.run("--store", url, "push", "checkout")
    second.run("snapshots", "--remote", WIRETAPE_STORE=url)
    (second.root / "wiretape.toml").write_text(f'store = "{url}"\n')
    assert [each["name"] for each in second.json("snapshots", "--remote")] == ["checkout"]
    nowhere = f"s3://{BUCKET}/nowhere"
    assert "no snapshots in s3://tapes/nowhere" in second.run("snapshots", "--remote", WIRETAPE_STORE=nowhere).stdout
    again = second.run("snapshots", "--remote", "--store", url, WIRETAPE_STORE=nowhere)
    assert "checkout" in again.stdout


def test_a_command_gets_the_snapshot_that_it_names(first: Machine, second: Machine, url: str) -> None:
    first.snapshot("checkout")
    first.run("push", "checkout", "--store", url)
    shown = second.run("--store", url, "show", "checkout")
    assert "/orders/2" in shown.stdout
    assert "pulled snapshot checkout from s3://" in shown.stderr
    assert "pulled" not in second.run("--store", url, "show", "checkout").stderr


def test_what_is_here_is_used_without_asking_the_store(second: Machine) -> None:
    second.snapshot("checkout")
    assert (
        "/orders/2"
        in second.run("--store", "s3://tapes/x", "show", "checkout", AWS_ENDPOINT_URL="http://x.invalid").stdout
    )


def test_one_machine_records_and_another_verifies(
    first: Machine, second: Machine, url: str, free_port: Callable[[], int]
) -> None:
    """As in CI: only code, wiretape.toml and wiretape.lock travel with git."""
    recorded_project(first.root, free_port)
    first.apart("lock")
    first.apart("push", "--store", url)
    second.root.mkdir(exist_ok=True)
    for name in ("app.py", "wiretape.toml", "wiretape.lock"):
        (second.root / name).write_bytes((first.root / name).read_bytes())
    passed = second.apart("verify", "--locked", "--push", "--store", url)
    assert f"pulled snapshot {SNAPSHOT}" in passed.stderr
    assert "VERDICT pass" in passed.stdout
    assert "pushed run " in passed.stderr

    app = (second.root / "app.py").read_text()
    (second.root / "app.py").write_text(app.replace('"total": PRICES', '"total": 1 + PRICES'))
    second.apart("verify", "--locked", "--push", "--store", url, code=1)
    newest, oldest = first.json("runs", "--remote", "--store", url)
    assert (newest["run"]["verdict"], oldest["run"]["verdict"]) == ("fail", "pass")
    assert "/total" in first.run("--store", url, "diff", newest["name"], code=0).stdout

    lost = second.apart("verify", "--push", "--store", "s3://no-such-bucket/x", code=1)
    assert "VERDICT fail" in lost.stdout  # a verdict is never hidden by what becomes of it
    assert "there is no bucket no-such-bucket" in lost.stderr
    assert "the run is kept here, put it there with: wiretape push" in lost.stderr


def test_record_pushes_what_it_recorded(
    first: Machine, second: Machine, url: str, free_port: Callable[[], int]
) -> None:
    (first.root / "call.py").write_text(
        "import sys, urllib.request\nurllib.request.urlopen(sys.argv[1]).read()\n"
    )  # fmt: skip
    (first.root / "served").write_text("hello")
    port = free_port()
    bench = Bench(first.root, free_port)
    with bench.server([sys.executable, "-m", "http.server", str(port), "-b", "127.0.0.1"], f"http://127.0.0.1:{port}/"):
        words = ["record", "--name", "called", "--push", "--store", url, "--json", "--", sys.executable, "call.py",
                 f"http://127.0.0.1:{port}/served"]  # fmt: skip
        recorded = json.loads(first.apart(*words).stdout)
    assert recorded["outbound"] == 1
    assert "called" in second.run("snapshots", "--remote", "--store", url).stdout


def test_a_large_snapshot_goes_in_parts_and_comes_in_pieces(
    first: Machine, second: Machine, s3: S3, url: str, prefix: str
) -> None:
    tape = first.snapshot("large", orders("tea", count=3, padding=PIECE // 2))
    assert tape.stat().st_size > PIECE + 1
    first.run("push", "large", "--store", url)
    (key,) = (key for key in s3.keys(prefix) if key.endswith(".tape"))
    assert "-" in s3.client.head_object(Bucket=BUCKET, Key=key)["ETag"]  # S3 marks what came in parts so
    second.run("pull", "large", "--store", url)
    assert second.tape("large").read_bytes() == tape.read_bytes()
    assert s3.uploads(prefix) == []


def test_names_made_where_a_store_is_in_use_are_given_once_anywhere(first: Machine, second: Machine, url: str) -> None:
    """Two machines that start in the same second would else push two runs of one name."""
    now = datetime.now(UTC)
    settings = {"store": url}
    names = {Workspace(each.root).with_settings(settings).new_run_path(now).stem for each in (first, second)}
    assert len(names) == 2


def test_a_run_to_compare_with_is_fetched_for_a_replay(
    first: Machine, second: Machine, s3: S3, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--baseline RUN` and `--failed-of RUN` name runs of other machines."""
    first.root.joinpath(".wiretape/runs").mkdir(parents=True)
    path = first.root / ".wiretape/runs/20261128-101112.run"
    asyncio.run(write_run(path, small_run(path.stem), [], {}, []))
    first.run("push", "20261128-1011", "--store", url)
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    for settings in ({"replay.baseline": "20261128-10"}, {"replay.only": ("failed:20261128-101112",)}):
        ws = Workspace(second.root).with_settings({"store": url, **settings})
        bring_runs(ws, said.append)
        assert find_run(ws.runs_dir, "20261128").read_bytes() == path.read_bytes()
    assert said == [f"pulled run 20261128-101112 from {url}"]


def small_run(name: str) -> Run:
    """A run that sent one request."""
    return Run(
        id=name, snapshot="checkout", snapshot_sha256="0" * 64, target="http://127.0.0.1:1", started_ns=1,
        duration_ms=1.0, counts=Counts(total=1, bytes_equal=1), wiretape_version="0.1.0",
        verdict=Verdict(verdict="pass", reason="equal"),
    )  # fmt: skip


def test_credentials_and_endpoint_come_from_a_profile_too(first: Machine, s3: S3, url: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"[profile ci]\nregion = eu-west-1\nendpoint_url = {s3.url}\n")
    (tmp_path / "keys").write_text("[ci]\naws_access_key_id = AKIATEST\naws_secret_access_key = other\n")
    machine = Machine(first.root, {
        "AWS_PROFILE": "ci", "AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "keys"),
    })  # fmt: skip
    machine.snapshot("checkout")
    assert machine.json("push", "--store", url)["pushed"][0]["outcome"] == "pushed"


@pytest.fixture
def shared(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'shared disk'}"


def modes(folder: Path) -> dict[str, int]:
    """The modes of everything in a folder and of itself, files by how they end."""
    return {path.suffix or "folder": stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_what_lies_in_a_folder_is_for_its_owner(first: Machine, shared: str, tmp_path: Path) -> None:
    first.snapshot("checkout")
    pushed = first.run("push", "checkout", "--store", shared)
    assert f"made the folder {tmp_path / 'shared disk'}, which was not there\n" in pushed.stderr
    assert modes(tmp_path / "shared disk") == {"folder": 0o700, ".json": 0o600, ".tape": 0o600}
    first.run("push", "checkout", "--force", "--store", shared)
    assert modes(tmp_path / "shared disk") == {"folder": 0o700, ".json": 0o600, ".tape": 0o600}


def test_a_folder_that_a_group_may_write_to_is_shared_with_it(first: Machine, shared: str, tmp_path: Path) -> None:
    disk = tmp_path / "shared disk"
    disk.mkdir()
    disk.chmod(0o2770)
    first.snapshot("checkout")
    assert "made the folder" not in first.run("push", "checkout", "--store", shared).stderr
    assert modes(disk) == {"folder": 0o2770, ".json": 0o660, ".tape": 0o660}


def test_a_folder_is_a_store_too(first: Machine, second: Machine, shared: str) -> None:
    tape = first.snapshot("checkout")
    first.run("push", "checkout", "--store", shared)
    assert [each["name"] for each in second.json("snapshots", "--remote", "--store", shared)] == ["checkout"]
    second.run("pull", "--all", "--store", shared)
    assert second.tape("checkout").read_bytes() == tape.read_bytes()
    second.snapshot("checkout", orders("coffee"))
    assert "has another snapshot 'checkout'" in second.complaint("push", "checkout", "--store", shared, code=2)
    second.run("push", "checkout", "--force", "--store", shared)
    first.run("pull", "checkout", "--force", "--store", shared)
    assert first.tape("checkout").read_bytes() == second.tape("checkout").read_bytes()
