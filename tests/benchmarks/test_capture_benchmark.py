"""The capture benchmark's figures, from measurements that are given."""

from __future__ import annotations

from pathlib import Path

from benchmarks.capture.load import script
from benchmarks.capture.measure import QUICK, Results, Row
from benchmarks.capture.report import LABELS, as_json, table
from benchmarks.mock.wrk import Load


def measured(per_second: float, p50_us: float, cpu_us: float) -> Row:
    """A subject that did the same in three rounds."""
    return Row([Load(100, per_second, p50_us, p50_us * 3, 0)] * 3, [cpu_us] * 3, 50_000_000)


def results(recorded: int) -> Results:
    """A run in which the tee has 0.9 of nginx's throughput."""
    rows = {
        "origin": measured(30_000, 700, 10), "nginx": measured(10_000, 900, 40), "tee": measured(9_000, 950, 50),
        "tee_proxy": measured(8_000, 950, 50), "mitmproxy": measured(450, 9_000, 2_000),
        "origin_one": measured(20_000, 30, 20), "nginx_one": measured(3_000, 130, 90),
        "tee_one": measured(3_000, 150, 110), "origin_tls": measured(20_000, 900, 20),
        "nginx_tls": measured(8_000, 1_500, 60), "tee_tls": measured(6_000, 2_000, 80),
    }  # fmt: skip
    return Results(QUICK, "a machine", rows, answered=6_000, recorded=recorded, rate=1_990.0, recorded_p50_us=200)


def test_figures() -> None:
    figures = as_json(results(recorded=5_998))
    assert (figures["tee_vs_nginx"], figures["tee_vs_nginx_cpu"], figures["tee_vs_mitmproxy"]) == (0.9, 0.8, 20.0)
    assert (figures["tee_p50_vs_nginx"], figures["lost"], figures["failed"]) == (1.2, 2, 0)
    assert (figures["tee_tls_vs_nginx"], figures["tee_tls_vs_nginx_cpu"]) == (0.75, 0.75)
    assert set(figures["rows"]) == set(LABELS)


def test_the_table_says_what_was_reached() -> None:
    assert "| tee, of nginx as reverse proxy | 0.9 | ≥ 0.8 | yes |" in table(results(recorded=6_000))
    assert any(line.startswith("| lost of 6,000") and line.endswith("| 2 | 0 | no |") for line in table(results(5_998)))


def test_a_forward_proxy_is_given_the_whole_target(tmp_path: Path) -> None:
    assert (
        'wrk.format("GET", "http://127.0.0.1:1/a")' in script(tmp_path, "absolute", "http://127.0.0.1:1/a").read_text()
    )
    assert "wrk.format" not in script(tmp_path, "direct").read_text()
