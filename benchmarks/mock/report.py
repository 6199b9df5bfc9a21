"""The figures as one JSON object, as a table, and in benchmarks/README.md."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.mock.measure import FEW, Results, Row

BEGIN, END = "<!-- mock: begin -->", "<!-- mock: end -->"
BASE_RESIDENT = 60 << 20
LABELS = {
    "nginx_static": "nginx, files",
    "nginx_return": "nginx, one constant answer",
    "mock": f"mock, {FEW:,} endpoints",
    "mock_many": "mock, {many:,} endpoints",
    "mock_proxy": "mock as forward proxy",
    "mock_stateful": "mock, reads and writes",
    "mock_idle": "mock, {connections:,} idle connections",
    "wiremock": "WireMock 3.13.2, no journal",
    "nginx_tls_static": "nginx TLS, files",
    "nginx_tls_return": "nginx TLS, constant answer",
    "mock_tls": "mock TLS (CONNECT)",
}


def as_json(results: Results) -> dict[str, Any]:
    """Ratios by name; None for what could not be measured."""
    many = results.rows["mock_many"]
    growth = results.ratio("mock_many", "mock")
    return {
        "vs_nginx": _rounded(results.ratio("mock", "nginx_static")),
        "vs_nginx_return": _rounded(results.ratio("mock", "nginx_return")),
        "vs_wiremock": _rounded(results.ratio("mock", "wiremock")),
        "tls_vs_nginx": _rounded(results.ratio("mock_tls", "nginx_tls_static")),
        "tls_vs_nginx_return": _rounded(results.ratio("mock_tls", "nginx_tls_return")),
        "growth_loss_pct": None if growth is None else round(100 * (1 - growth), 1),
        "stateful_vs_stateless": _rounded(results.ratio("mock_stateful", "mock")),
        "proxy_vs_mapped": _rounded(results.ratio("mock_proxy", "mock")),
        "idle_vs_none": _rounded(results.ratio("mock_idle", "mock")),
        "connections": results.connections,
        "rss_ratio": _rounded(many.resident / (3 * results.distinct + BASE_RESIDENT)),
        "rss_mb": round(many.resident / 1e6, 1),
        "distinct_mb": round(results.distinct / 1e6, 1),
        "endpoints": [FEW, results.size.many],
        "failed": sum(load.failed for name, row in results.rows.items() if "mock" in name for load in row.loads),
        "rows": {name: _row(row) for name, row in results.rows.items()},
        "left_out": results.left_out,
        "machine": results.machine,
    }


def _row(row: Row) -> dict[str, float]:
    return {
        "per_second": round(median(row.per_second)),
        "p50_us": round(median(load.p50_us for load in row.loads)),
        "p99_us": round(median(load.p99_us for load in row.loads)),
        "cpu_us": round(median(row.cpu_us), 1),
        "rss_mb": round(row.resident / 1e6, 1),
    }


def table(results: Results) -> list[str]:
    """Rows and goals, for people."""
    figures = as_json(results)
    lines = [
        "| server | req/s | vs nginx | p50 µs | p99 µs | CPU µs/req | RSS MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, label in LABELS.items():
        if name not in results.rows:
            continue
        row = figures["rows"][name]
        ratio = results.ratio(name, "nginx_tls_static" if "tls" in name else "nginx_static")
        label = label.format(many=results.size.many, connections=results.connections)
        lines.append(f"| {label} | {row['per_second']:,} | {ratio:.2f} | {row['p50_us']:,} | {row['p99_us']:,} | "
                     f"{row['cpu_us']} | {row['rss_mb']} |")  # fmt: skip
    return [*lines, "", *_goals(figures)]


def _goals(figures: dict[str, Any]) -> list[str]:
    def line(what: str, key: str, goal: str, met: bool | None) -> str:
        value = figures[key]
        return f"| {what} | {'not measured' if value is None else value} | {goal} | {_word(met)} |"

    def least(key: str, bound: float) -> bool | None:
        return None if figures[key] is None else figures[key] >= bound

    def most(key: str, bound: float) -> bool | None:
        return None if figures[key] is None else figures[key] <= bound

    few, many = figures["endpoints"]
    return [
        "| goal (median of the rounds' ratios) | figure | goal | reached |",
        "|---|---:|---:|---|",
        line("of nginx serving files", "vs_nginx", "≥ 1.0", least("vs_nginx", 1.0)),
        line("of nginx giving one constant answer", "vs_nginx_return", "≥ 0.65", least("vs_nginx_return", 0.65)),
        line("of WireMock", "vs_wiremock", "", least("vs_wiremock", 1.0)),
        line("TLS keep-alive, of nginx serving files", "tls_vs_nginx", "≥ 0.9", least("tls_vs_nginx", 0.9)),
        line("TLS keep-alive, of nginx, constant answer", "tls_vs_nginx_return", "", None),
        line(f"throughput lost from {few:,} to {many:,} endpoints, %", "growth_loss_pct", "≤ 10",
             most("growth_loss_pct", 10)),
        line("reads and writes, of reads only", "stateful_vs_stateless", "≥ 0.5", least("stateful_vs_stateless", 0.5)),
        line("as a forward proxy, of mapped", "proxy_vs_mapped", "", None),
        line(f"with {figures['connections']:,} idle connections, of none", "idle_vs_none", "", None),
        line(f"RSS with {many:,} endpoints, of 3 x {figures['distinct_mb']} MB + 60 MiB", "rss_ratio", "≤ 1",
             most("rss_ratio", 1.0)),
    ]  # fmt: skip


def _word(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "no"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def write_into(page: Path, results: Results, command: str) -> None:
    """Put the table between its markers, or at the page's end."""
    text = page.read_text() if page.exists() else "# Benchmarks\n"
    if BEGIN not in text:
        text += f"\n## mock\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    size = results.size
    how = f"`{command}` on {results.machine}; {size.rounds} rounds of {size.seconds} s each:"
    body = "\n".join([how, "", *table(results)])
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
