"""The order of tests for several workers: what takes longest begins first, so that no worker is left alone with it.

Seconds are those of the longest test of each file, from `pytest --durations` of a run with four workers on two cores.
They need not be exact, and a file that is not listed comes after those that are.
"""

from __future__ import annotations

from collections.abc import Mapping

SECONDS: Mapping[str, float] = {
    "tests/benchmarks/test_agent_benchmark.py": 160,
    "tests/server/cli/test_cli_noise.py": 100,
    "tests/test_readme.py": 90,
    "tests/server/cli/test_cli_findings.py": 80,
    "tests/server/store/test_store_sharing.py": 80,
    "tests/benchmarks/test_verdict_benchmark.py": 70,
    "tests/server/cli/test_cli_load.py": 70,
    "tests/server/cli/test_cli_streams.py": 60,
    "tests/server/mcp/test_mcp_loop.py": 60,
    "tests/server/cli/test_cli_looking.py": 60,
    "tests/thirdparty/test_thirdparty_apps.py": 45,
    "tests/server/mcp/test_mcp_hostile.py": 35,
    "tests/test_demo.py": 35,
    "tests/server/cli/test_cli_jobs.py": 35,
    "tests/capture/snapshot/test_text_search.py": 30,
    "tests/thirdparty/test_thirdparty_services.py": 30,
    "tests/server/mcp/test_mcp_confinement.py": 25,
    "tests/server/cli/test_cli_lock.py": 25,
    "tests/capture/proxy/test_tee_limits.py": 25,
    "tests/test_packaging.py": 25,
    "tests/server/mcp/test_mcp_presence.py": 25,
    "tests/server/mcp/test_mcp_opening.py": 20,
    "tests/capture/snapshot/test_tape_crash.py": 20,
    "tests/server/mcp/test_mcp_promises.py": 20,
    "tests/server/mcp/test_mcp_reading.py": 20,
    "tests/server/cli/test_cli_snapshots.py": 20,
    "tests/replay/test_mock_shortcut.py": 20,
}


def seconds_of(nodeid: str) -> float:
    """What the longest test of this test's file takes."""
    return SECONDS.get(nodeid.partition("::")[0], 0.0)
