"""Whether workers of a cluster may take part: their clocks, their wiretape, their machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wiretape_capture.errors import WiretapeError
from wiretape_replay.load.cluster_clock import Offset, checked, offset_of
from wiretape_replay.load.cluster_look import Look, looker, refuse_others

MINE = Look("1.0", "abc", "3.13", "here")
MS = 1_000_000


def test_the_quickest_round_tells_the_offset() -> None:
    slow, quick = (0, 90 * MS, 40 * MS), (100 * MS, 152 * MS, 104 * MS)
    assert offset_of([slow, quick]) == Offset(50 * MS, 2 * MS)


def test_offsets_are_told_and_large_ones_are_said_to_be_corrected() -> None:
    assert checked([("a", Offset(-3 * MS, MS)), ("b", Offset(2 * MS, 4 * MS))]) == (
        "clocks of the cluster are within 3.0 ms of this machine's, known to 4.0 ms")  # fmt: skip
    assert checked([("a", Offset(400 * MS, MS))]).endswith("which the start was corrected by; set them with NTP")


@pytest.mark.parametrize(("offset", "said"), [
    (Offset(-7200_000 * MS, MS), "the clock of worker a is -7200.0 s from this machine's"),
    (Offset(0, 120 * MS), "worker a answers too slowly to start with the others: its clock is known to 120 ms only"),
])  # fmt: skip
def test_a_clock_that_allows_no_common_start_is_refused(offset: Offset, said: str) -> None:
    with pytest.raises(WiretapeError) as refused:
        checked([("b", Offset(0, 0)), ("a", offset)])
    assert refused.value.problem == said


@pytest.mark.parametrize(("look", "said"), [
    (Look("", "", "3.13", "here"), "worker tcp://b of the cluster has no wiretape"),
    (Look("1.1", "abc", "3.13", "here"), "worker tcp://b of the cluster has wiretape 1.1, this is 1.0"),
    (Look("1.0", "abc", "3.14", "here"), "worker tcp://b of the cluster runs Python 3.14, this is 3.13"),
    (Look("1.0", "xyz", "3.13", "here"), "worker tcp://b of the cluster has another build of wiretape 1.0"),
    (Look("1.0", "abc", "3.13", "there"), "the target is on loopback, and worker tcp://b of the cluster is on another"),
])  # fmt: skip
def test_a_worker_that_cannot_do_the_same_is_refused(look: Look, said: str) -> None:
    with pytest.raises(WiretapeError) as refused:
        refuse_others({"tcp://a": MINE, "tcp://b": look}, MINE, loopback=True)
    assert refused.value.problem.startswith(said)


def test_another_machine_may_reach_a_target_that_is_not_on_loopback() -> None:
    refuse_others({"tcp://b": Look("1.0", "abc", "3.13", "there")}, MINE, loopback=False)


def test_the_question_travels_to_where_wiretape_is_missing() -> None:
    """As on a bare worker: nothing of ours can be imported there, so the function has to bring its code."""
    import cloudpickle

    code = ("import pickle, sys; sys.modules['wiretape_replay'] = None; "
            "print(pickle.loads(sys.stdin.buffer.read())()['python'])")  # fmt: skip
    ran = subprocess.run([sys.executable, "-c", code], input=cloudpickle.dumps(looker()), capture_output=True,
                         timeout=60, check=False)  # fmt: skip
    assert ran.stdout.decode().strip() == f"{sys.version_info.major}.{sys.version_info.minor}", ran.stderr.decode()
