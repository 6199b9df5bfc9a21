"""Wrong names, wrong rights, no network, damage and two machines at once: one sentence, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from object_store import BUCKET, S3, SECRET, Machine, moto, orders
from workbench import BIN, wait_until

from wiretape_server.store.address import address_of
from wiretape_server.store.failing import Taken
from wiretape_server.store.objects import PIECE, Objects


def test_another_snapshot_of_the_name_is_replaced_with_force_only(
    first: Machine, second: Machine, s3: S3, url: str, prefix: str
) -> None:
    first.snapshot("checkout")
    first.run("push", "checkout", "--store", url)
    mine = second.snapshot("checkout", orders("coffee")).read_bytes()

    told = second.complaint("push", "checkout", "--store", url, code=2)
    assert f"{url} has another snapshot 'checkout', pushed 20" in told
    assert told.endswith("; rename yours, or replace that one with --force")
    told = second.complaint("pull", "checkout", "--store", url, code=2)
    assert "this workspace has another snapshot 'checkout'" in told
    assert second.tape("checkout").read_bytes() == mine

    assert second.json("push", "checkout", "--force", "--store", url)["pushed"][0]["outcome"] == "replaced"
    first.run("pull", "checkout", "--force", "--store", url)
    assert first.tape("checkout").read_bytes() == mine
    assert len(s3.keys(f"{prefix}/snapshots/checkout/")) == 2  # what was replaced can be found


def test_of_machines_that_push_one_name_at_once_exactly_one_wins(
    tmp_path: Path, s3: S3, second: Machine, url: str
) -> None:
    machines = [Machine(tmp_path / f"m{number}", s3.environment) for number in range(4)]
    for number, machine in enumerate(machines):
        machine.snapshot("race", orders(f"tea {number}"))
    gate = threading.Barrier(len(machines))

    def push(machine: Machine) -> int:
        gate.wait(30)
        try:
            machine.apart("push", "race", "--store", url)
        except AssertionError as error:
            assert "has another snapshot 'race'" in str(error)
            return 2
        return 0

    with ThreadPoolExecutor(len(machines)) as pool:
        codes = list(pool.map(push, machines))
    assert sorted(codes) == [0, 2, 2, 2]
    second.run("pull", "race", "--store", url)
    assert second.tape("race").read_bytes() == machines[codes.index(0)].tape("race").read_bytes()


def test_a_replacement_of_what_somebody_replaced_meanwhile_is_refused(
    s3: S3, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    objects = Objects.open(address_of(url))
    objects.create("snapshots/x.json", b"1")
    _, mark = objects.read("snapshots/x.json")
    objects.replace("snapshots/x.json", b"2", mark)
    with pytest.raises(Taken):
        objects.replace("snapshots/x.json", b"3", mark)
    with pytest.raises(Taken):
        objects.create("snapshots/x.json", b"4")
    assert objects.read("snapshots/x.json")[0] == b"2"


def test_processes_of_one_workspace_that_fetch_at_once_all_have_it(first: Machine, second: Machine, url: str) -> None:
    first.snapshot("checkout")
    first.run("push", "checkout", "--store", url)
    with ThreadPoolExecutor(3) as pool:
        shown = list(pool.map(lambda _: second.apart("--store", url, "show", "checkout"), range(3)))
    assert all("/orders/2" in each.stdout for each in shown)
    assert second.left() == ["checkout.tape"]


@pytest.mark.parametrize("damage", ["changed", "shorter", "empty", "missing"])
def test_a_damaged_file_is_refused_and_leaves_nothing(
    first: Machine, second: Machine, s3: S3, url: str, prefix: str, damage: str
) -> None:
    first.snapshot("checkout")
    first.run("push", "checkout", "--store", url)
    (key,) = s3.keys(f"{prefix}/snapshots/checkout/")
    data = bytearray(s3.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    data[len(data) // 2] ^= 1
    if damage == "missing":
        s3.client.delete_object(Bucket=BUCKET, Key=key)
    else:
        s3.client.put_object(Bucket=BUCKET, Key=key, Body=bytes(data[: {"shorter": 4096, "empty": 0}.get(damage)]))
    told = second.complaint("pull", "checkout", "--store", url, code=3)
    assert f"the file of snapshot 'checkout' in {url} is" in told
    assert second.left() == []

    first.run("push", "checkout", "--force", "--store", url)
    second.run("pull", "checkout", "--store", url)
    assert second.left() == ["checkout.tape"]


def test_a_file_that_was_emptied_in_a_folder_is_told_as_damaged(first: Machine, second: Machine) -> None:
    first.snapshot("checkout")
    folder = first.root / "store"
    first.run("push", "checkout", "--store", f"file://{folder}")
    (tape,) = folder.rglob("*.tape")
    tape.write_bytes(b"")
    told = second.complaint("pull", "checkout", "--store", f"file://{folder}", code=3)
    assert "the file of snapshot 'checkout' in file:" in told
    assert "is not as it was pushed" in told
    assert second.left() == []


@pytest.mark.parametrize("damaged", ["there", "here"])
def test_a_forced_pull_is_made_whatever_is_here(
    first: Machine, second: Machine, s3: S3, url: str, prefix: str, damaged: str
) -> None:
    tape = first.snapshot("checkout")
    first.run("push", "checkout", "--store", url)
    second.run("pull", "checkout", "--store", url)
    if damaged == "there":
        (key,) = s3.keys(f"{prefix}/snapshots/checkout/")
        s3.client.put_object(Bucket=BUCKET, Key=key, Body=b"x" * tape.stat().st_size)
        told = second.complaint("pull", "checkout", "--force", "--store", url, code=3)
        assert f"the file of snapshot 'checkout' in {url} is not as it was pushed" in told
    else:
        second.tape("checkout").write_bytes(tape.read_bytes()[:5000])
        told = second.complaint("pull", "checkout", "--store", url, code=3)
        assert "is truncated: 5000 of " in told
        assert told.endswith("or get it again with --force")
        again = second.json("pull", "checkout", "--force", "--store", url)
        assert again["pulled"][0]["outcome"] == "replaced"
    assert second.tape("checkout").read_bytes() == tape.read_bytes()
    assert second.left() == ["checkout.tape"]


ENTRIES = {"cut": b"{", "bare": b'{"format": 1}', "huge": b"x" * (5 << 20)}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_damaged_entry_is_named_and_hides_no_other(
    first: Machine, second: Machine, s3: S3, url: str, prefix: str, entry: str
) -> None:
    for name in ("good", "bad"):
        first.snapshot(name)
        first.run("push", name, "--store", url)
    s3.client.put_object(Bucket=BUCKET, Key=f"{prefix}/snapshots/bad.json", Body=ENTRIES[entry])
    listed = second.run("snapshots", "--remote", "--store", url)
    assert "good" in listed.stdout
    assert "the store's entry of snapshot bad is damaged" in listed.stderr
    assert "entry of snapshot bad is damaged" in second.complaint("pull", "bad", "--store", url, code=3)
    told = first.complaint("push", "bad", "--store", url, code=2)
    assert "has another snapshot 'bad', the entry of which is damaged; put yours in its place with --force" in told
    assert f") in {url}" in first.run("push", "bad", "--force", "--store", url).stderr
    second.run("pull", "bad", "--store", url)


def test_an_entry_of_a_newer_wiretape_says_to_upgrade(first: Machine, s3: S3, url: str, prefix: str) -> None:
    s3.client.put_object(Bucket=BUCKET, Key=f"{prefix}/snapshots/new.json", Body=json.dumps({"format": 9}).encode())
    assert first.complaint("pull", "new", "--store", url, code=3).endswith("newer wiretape; upgrade wiretape")


def test_an_entry_that_names_another_recording_than_its_file_is_refused(
    first: Machine, second: Machine, s3: S3, url: str, prefix: str
) -> None:
    """Locks and verdicts name the hash of exchanges, so an entry must not pass one recording off as another."""
    first.snapshot("checkout")
    first.run("push", "checkout", "--store", url)
    key = f"{prefix}/snapshots/checkout.json"
    entry = json.loads(s3.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    entry["snapshot"]["sha256"] = "0" * 64
    s3.client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(entry).encode())
    told = second.complaint("pull", "checkout", "--store", url, code=3)
    assert "is not the recording that its entry names" in told
    assert second.left() == []


def test_foreign_objects_and_names_with_paths_are_passed_over(first: Machine, s3: S3, url: str, prefix: str) -> None:
    for key in ("snapshots/.hidden.json", "snapshots/readme.txt", "snapshots/a b.json", "other/x.json"):
        s3.client.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=b"{}")
    ran = first.run("snapshots", "--remote", "--store", url)
    assert (ran.stdout.startswith("no snapshots in"), ran.stderr) == (True, "")
    assert "cannot name a snapshot" in first.complaint("pull", "../../etc", "--store", url, code=2)


def test_a_damaged_snapshot_and_one_that_is_being_recorded_are_not_pushed(
    first: Machine, s3: S3, url: str, prefix: str
) -> None:
    tape = first.snapshot("torn")
    data = tape.read_bytes()
    tape.write_bytes(data[: len(data) // 2])
    first.run("push", "torn", "--store", url, code=3)

    busy = first.snapshot("busy")
    writer = sqlite3.connect(busy)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE snapshot SET name = name")
    assert "is being recorded or read" in first.complaint("push", "busy", "--store", url, code=3)
    writer.close()
    assert s3.keys(prefix) == []


def test_an_interrupted_push_leaves_nothing_that_others_see(
    first: Machine, second: Machine, s3: S3, url: str, free_port: Callable[[], int]
) -> None:
    """Killed while the file is on its way: no entry, no snapshot; pushing again is all there is to do."""
    first.snapshot("large", orders("tea", count=3, padding=PIECE // 2))
    slow = _Slow(s3, free_port())
    with slow:
        process = subprocess.Popen([BIN / "wiretape", "push", "large", "--store", url], cwd=first.root,
                                   env={**os.environ, **first.environment, "AWS_ENDPOINT_URL": slow.url},
                                   stderr=subprocess.PIPE)  # fmt: skip
        wait_until(lambda: slow.seen > 1 << 20, "an upload under way")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert second.json("snapshots", "--remote", "--store", url) == []
    assert "there is no snapshot 'large'" in second.complaint("pull", "large", "--store", url, code=2)
    first.run("push", "large", "--store", url)
    second.run("pull", "large", "--store", url)


class _Slow:
    """A way to the server that lets through two megabytes and then nothing more."""

    def __init__(self, s3: S3, port: int) -> None:
        self._to = int(s3.url.rpartition(":")[2])
        self._door = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{port}"
        self.seen = 0
        self._open: list[socket.socket] = []

    def __enter__(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        for each in (self._door, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._door.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._to))
            self._open += [here, there]
            threading.Thread(target=self._pass, args=(here, there, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(there, here, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, count: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self.seen += len(data) if count else 0
                if self.seen < 2 << 20:
                    sink.sendall(data)


CASES = {
    "wrong bucket": ("s3://no-such-bucket/x", {}, 2, "there is no bucket no-such-bucket"),
    "no network": ("s3://tapes/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, 3, "cannot be reached at 127.0.0.1:1"),
    "no name server": ("s3://tapes/x", {"AWS_ENDPOINT_URL": "http://s3.invalid"}, 3, "cannot be reached at s3.invalid"),
    "no credentials": ("s3://tapes/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 3, "no AWS credentials"),
    "no such profile": ("s3://tapes/x", {"AWS_PROFILE": "nobody"}, 3, "cannot be used (ProfileNotFound)"),
    "unknown scheme": ("ftp://tapes/x", {}, 2, '"ftp://" is no store'),
    "no scheme": ("tapes/x", {}, 2, "is no store"),
    "no bucket": ("s3://", {}, 2, "cannot be a bucket"),
    "password": (f"s3://AKIA:{SECRET}@tapes/x", {}, 2, "holds more than a bucket"),
    "query": (f"s3://tapes/x?secret={SECRET}", {}, 2, "has a ? or a #"),
    "dots": ("s3://tapes/../x", {}, 2, "cannot be the prefix"),
    "relative folder": ("file://shared/x", {}, 2, "three slashes"),
    "no such folder": ("file:///no/such/folder", {}, 2, "there is no folder /no/such/folder"),
}  # fmt: skip


def test_a_mistyped_folder_is_not_made(first: Machine, tmp_path: Path) -> None:
    first.snapshot("checkout")
    store = tmp_path / "shraed disk" / "tapes"
    told = first.complaint("push", "checkout", "--store", f"file://{store}", code=2)
    assert told == (f"wiretape: there is no folder {store.parent} to make tapes in; "
                    f"correct the store's URL, or make it with: mkdir -p '{store}'")  # fmt: skip
    assert not store.parent.exists()
    store.parent.write_text("a file")
    told = first.complaint("push", "checkout", "--store", f"file://{store.parent}", code=2)
    assert told == (f"wiretape: the folder {store.parent} cannot be made: file exists; "
                    "correct the store's URL, or make it yourself")  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_a_store_is_one_sentence(first: Machine, case: str) -> None:
    url, variables, code, sentence = CASES[case]
    told = first.complaint("snapshots", "--remote", "--store", url, code=code, **variables)
    assert told.startswith("wiretape: ")
    assert sentence in told
    assert "; " in told  # what to do


def test_a_password_in_the_file_is_not_repeated(first: Machine) -> None:
    (first.root / "wiretape.toml").write_text(f'store = "s3://AKIA:{SECRET}@tapes/x"\n')
    told = first.complaint("snapshots", code=2)
    assert "wiretape.toml line 1: store: the store's URL holds more than a bucket" in told


def test_no_store_and_no_name_say_what_to_give(first: Machine, url: str) -> None:
    assert "no store is named; give --store" in first.complaint("pull", "x", code=2)
    assert "no snapshot is named" in first.complaint("pull", "--store", url, code=2)
    assert f"there are no snapshots here and none in {url}" in first.complaint("--store", url, "show", code=2)


def test_a_near_name_is_proposed(first: Machine, second: Machine, url: str) -> None:
    first.snapshot("checkout")
    first.run("push", "checkout", "--store", url)
    told = second.complaint("--store", url, "show", "chekout", code=2)
    assert told == f"wiretape: there is no snapshot 'chekout' in {url}; did you mean 'checkout'?"


def test_refused_credentials_are_told_without_them(tmp_path: Path, free_port: Callable[[], int]) -> None:
    with moto(tmp_path, free_port(), INITIAL_NO_AUTH_ACTION_COUNT="0") as strict:
        machine = Machine(tmp_path / "m", strict.environment)
        told = machine.complaint("snapshots", "--remote", "--store", "s3://tapes/x", code=3)
    assert "s3://tapes/x refused the credentials (InvalidAccessKeyId)" in told
    assert "AKIATEST" not in told


def test_credentials_are_missed_before_the_work_begins(first: Machine, url: str) -> None:
    told = first.complaint("verify", "--push", "--store", url, code=3, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert "there are no AWS credentials" in told


def test_without_the_extra_one_sentence_says_how_to_install_it(first: Machine, url: str) -> None:
    (first.root / "obstore.py").write_text("raise ImportError\n")
    first.snapshot("checkout")
    ran = first.apart("push", "--store", url, code=2, PYTHONPATH=str(first.root))
    assert ran.stderr == ("wiretape: a store needs libraries that are not installed; "
                          "install them with: pip install 'wiretape[s3]'\n")  # fmt: skip
