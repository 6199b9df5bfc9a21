"""`wiretape.lock` as a file: what is written is read again, what is broken is refused, what git has is compared."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wiretape_capture.errors import UsageError
from wiretape_replay.verdict.basis import Basis, Lock, NoiseEntry, Recording
from wiretape_server.workspace.config import Config, known_keys
from wiretape_server.workspace.judging import APART, EXEMPT, judging_load, judging_settings, load_settings
from wiretape_server.workspace.lock_file import lock_in_use, lock_text, locked, parse_lock, write_lock

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6,
)  # fmt: skip
recordings = st.builds(Recording, name=texts, sha256=texts, inbound=st.integers(0, 99), outbound=st.integers(0, 99),
                       routes=st.dictionaries(texts, st.integers(0, 99), max_size=3))  # fmt: skip
entries = st.builds(NoiseEntry, id=texts, route=texts, pointer=texts, kind=texts, by=texts, reason=texts, date=texts,
                    sha256=texts)  # fmt: skip


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.builds(
    Lock, evals=st.lists(texts, max_size=3).map(tuple), settings=st.dictionaries(texts, values, max_size=4),
    files=st.dictionaries(texts, texts, max_size=2), noise=st.lists(entries, max_size=2).map(tuple),
    snapshot=st.lists(recordings, max_size=2).map(tuple),
))  # fmt: skip
def test_what_is_written_is_read_again(lock: Lock) -> None:
    assert parse_lock(lock_text(lock).encode()) == lock


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff", "not UTF-8"),
        (b"version = ", "not valid TOML"),
        (b"version = 9", "another version of wiretape"),
        (b"version = 1\nevals = 3\n", "line 2: evals: a list is wanted here"),
        (b"version = 1\n[[snapshot]]\nname = 'x'\n", "snapshot.0.sha256"),
        (b"version = 1\nfree = true\n", "line 2: free"),
    ],
)
def test_a_broken_lock_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_lock(data)


def test_locking_one_snapshot_keeps_the_others() -> None:
    first = Basis(recording=Recording(name="b", sha256="1"), evals=("requests.failed > 0",))
    second = Basis(recording=Recording(name="a", sha256="2"), evals=("findings.total > 0",))
    both = locked(locked(None, first, {}), second, {"load.scale": 2.0})
    assert [one.name for one in both.snapshot] == ["a", "b"]
    assert both.evals == ("findings.total > 0",)
    assert both.settings == {"load.scale": 2.0}
    assert locked(both, second, {"load.scale": 2.0}) == both


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, timeout=30)


def test_git_tells_whether_a_lock_was_reviewed(tmp_path: Path) -> None:
    def unreviewed() -> str:
        lock = lock_in_use(tmp_path)
        assert lock is not None
        return lock.unreviewed

    write_lock(tmp_path, Lock())
    assert unreviewed() == "", "no git, no review to ask about"
    git(tmp_path, "init")
    assert unreviewed() == "wiretape.lock is not committed, so nobody reviewed it"
    git(tmp_path, "add", "wiretape.lock")
    git(tmp_path, "commit", "-m", "lock")
    assert unreviewed() == ""
    git(tmp_path, "update-index", "--assume-unchanged", "wiretape.lock")
    write_lock(tmp_path, Lock(evals=("requests.failed > 9",)))
    assert unreviewed() == "wiretape.lock is not as it was committed, so nobody reviewed it"


def test_a_lock_with_a_change_of_hash_has_another_hash(tmp_path: Path) -> None:
    before = write_lock(tmp_path, Lock())
    lock = lock_in_use(tmp_path)
    assert lock is not None
    assert lock.sha256 == before != write_lock(tmp_path, Lock(evals=("requests.failed > 9",)))


def test_every_key_counts_unless_it_is_exempt_by_name() -> None:
    assert known_keys().keys() >= EXEMPT | APART
    changed = Config().with_settings({
        "routes": ["/a/{id}"], "app.command": ["x"], "app.cwd": "/work/app", "app.env": {"A": "hush"}, "app.port": 1,
        "services": {"s": "http://s.test"}, "mock.allow": ["h"], "mock.timing": "recorded", "mock.at_end": "fail",
        "replay.target": "http://127.0.0.1:8123", "replay.only": ["1"], "replay.locked": True,
        "replay.openapi": "/work/api.yaml", "replay.openapi_requests": True, "replay.timing": "recorded",
        "replay.concurrency": 1, "replay.timeout": 1.0, "replay.client_values": "keep", "replay.seed": "s",
        "replay.sign": [{"kind": "jwt"}], "replay.warmup": 1, "replay.latency_seconds": 1.0, "replay.baseline": "r",
        "replay.baseline_command": ["y"], "replay.baseline_cwd": "../main", "replay.baseline_runs": 2,
    })  # fmt: skip
    told = judging_settings(changed, Path("/work"), started=True, mocked=True)
    of_loads = {key for key in known_keys() if key.startswith("load.")}
    assert told.keys() == known_keys().keys() - EXEMPT - of_loads - {"snapshot", "noise", "replay.fail_if"}
    assert (told["app.cwd"], told["replay.openapi"], told["replay.target"]) == ("app", "api.yaml", "loopback")
    assert "hush" not in str(told)
    assert judging_settings(Config(), Path("/work"), started=False, mocked=False) == {
        "app.start": False, "replay.mock": False,
    }  # fmt: skip


def test_how_a_load_is_sent_counts_for_loads_only() -> None:
    sent = {"load.arrivals": "closed 2", "load.scale": 2.0, "load.speed": 2.0, "load.duration": "1m",
            "load.stages": "1m:2", "load.warmup": "1s", "load.connections": "session", "load.compare": "bytes",
            "load.max_lag": 99.0}  # fmt: skip
    config = Config().with_settings(sent | {"load.workers": 3, "load.allow_writes": ["h"], "replay.mock": True})

    assert sent.keys() == {key for key in known_keys() if key.startswith("load.")} - EXEMPT
    assert load_settings(config) == sent
    assert judging_load(config, Path("/work"), started=False) == sent | {"app.start": False}
    assert judging_settings(config, Path("/work"), started=False, mocked=True) == {
        "app.start": False, "replay.mock": True,
    }  # fmt: skip


@pytest.mark.parametrize("digits", [12, 20, 64])
def test_a_lock_with_another_hash_than_the_reviewed_one_counts_as_not_reviewed(tmp_path: Path, digits: int) -> None:
    sha256 = write_lock(tmp_path, Lock())
    same = lock_in_use(tmp_path, sha256[:digits])
    other = lock_in_use(tmp_path, "0" * digits)

    assert same is not None
    assert same.unreviewed == ""
    assert other is not None
    assert other.unreviewed == f"wiretape.lock is {sha256[:12]}, not 000000000000"
