"""The figures as one JSON object and as tables."""

from __future__ import annotations

import os
from statistics import median
from typing import Any

from benchmarks.capture.load import SUSTAINED
from benchmarks.capture.measure import MANY, Results, Row

LABELS = {
    "origin": "the service itself",
    "nginx": "nginx as reverse proxy",
    "tee": "recording, tee",
    "tee_proxy": "recording, tee as forward proxy",
    "mitmproxy": "recording, mitmproxy",
    "origin_one": "the service itself, 1 connection",
    "nginx_one": "nginx, 1 connection",
    "tee_one": "recording, tee, 1 connection",
    "origin_tls": "the service itself, TLS",
    "nginx_tls": "nginx, TLS on both sides",
    "tee_tls": "recording, tee (CONNECT), TLS on both sides",
}


def as_json(results: Results) -> dict[str, Any]:
    """Ratios by name. `_cpu` is requests by the carrying process's own processor time, which other load moves less."""
    return {
        "tee_vs_nginx": round(results.ratio("tee", "nginx"), 2),
        "tee_vs_nginx_cpu": round(results.cpu_ratio("tee", "nginx"), 2),
        "tee_p50_vs_nginx": round(results.added_p50("tee_one", "nginx_one", "origin_one"), 2),
        "tee_proxy_vs_nginx": round(results.ratio("tee_proxy", "nginx"), 2),
        "tee_vs_mitmproxy": round(results.ratio("tee", "mitmproxy"), 1),
        "tee_tls_vs_nginx": round(results.ratio("tee_tls", "nginx_tls"), 2),
        "tee_tls_vs_nginx_cpu": round(results.cpu_ratio("tee_tls", "nginx_tls"), 2),
        "lost": results.answered - results.recorded,
        "sustained_per_second": round(results.rate),
        "sustained_requests": results.answered,
        "recorded_p50_us": round(results.recorded_p50_us),
        "failed": sum(load.failed for row in results.rows.values() for load in row.loads),
        "rss_mb": round(results.rows["tee"].resident / 1e6, 1),
        "rows": {name: _row(row) for name, row in results.rows.items()},
        "machine": results.machine,
        "load_average": round(os.getloadavg()[1], 1),
    }


def _row(row: Row) -> dict[str, float]:
    return {
        "per_second": round(median(load.per_second for load in row.loads)),
        "p50_us": round(median(load.p50_us for load in row.loads)),
        "p99_us": round(median(load.p99_us for load in row.loads)),
        "cpu_us": round(median(row.cpu_us), 1),
    }


def table(results: Results) -> list[str]:
    """Two Markdown tables: the subjects, and the figures with their goals."""
    figures = as_json(results)
    lines = ["| | req/s | p50 µs | p99 µs | CPU µs/req |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {LABELS[name]} | {row['per_second']:,} | {row['p50_us']:,} | {row['p99_us']:,} | {row['cpu_us']} |"
        for name, row in figures["rows"].items()
    ]
    lines += ["", "| goal | figure | goal | reached |", "|---|---:|---:|---|", *_goals(figures)]
    effort = f"{results.size.rounds} rounds of {results.size.seconds:g} s, {MANY} connections"
    lines += ["", f"{effort}; {results.machine}, load average {figures['load_average']}."]
    return [
        *lines,
        f"CPU is that of the process that carries the bytes; recorded p50: {figures['recorded_p50_us']} µs.",
    ]


def _goals(figures: dict[str, Any]) -> list[str]:
    rows = [
        ("tee, of nginx as reverse proxy", figures["tee_vs_nginx"], "≥ 0.8", figures["tee_vs_nginx"] >= 0.8),
        ("the same by CPU time", figures["tee_vs_nginx_cpu"], "", None),
        ("p50 added by the tee, of what nginx adds", figures["tee_p50_vs_nginx"], "≤ 1.5",
         figures["tee_p50_vs_nginx"] <= 1.5),
        (f"lost of {figures['sustained_requests']:,} at {figures['sustained_per_second']:,} req/s "
         f"(asked for: {SUSTAINED:,})", figures["lost"], "0", figures["lost"] == 0),
        ("tee as forward proxy, of nginx as reverse proxy", figures["tee_proxy_vs_nginx"], "", None),
        ("tee with TLS on both sides, of nginx with the same", figures["tee_tls_vs_nginx"], "", None),
        ("the same by CPU time", figures["tee_tls_vs_nginx_cpu"], "", None),
        ("tee, of mitmproxy", figures["tee_vs_mitmproxy"], "", None),
    ]  # fmt: skip
    reached = {True: "yes", False: "no", None: ""}
    return [f"| {name} | {figure} | {goal} | {reached[met]} |" for name, figure, goal, met in rows]
