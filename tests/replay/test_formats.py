"""What values look like: each format recognised, ordinary values left ordinary."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from wiretape_replay.formats import VOLATILE, format_of, jwt_claims
from wiretape_replay.instants import Window, instant_of

NOW_S = 1_790_000_000
WINDOW = Window(NOW_S * 10**9, (NOW_S + 60) * 10**9)


def jwt(**claims: JsonValue) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a", "uuid"),
        ("0190b6d2-7b3e-7c3a-8f0e-1a2b3c4d5e6f", "uuid"),
        ("2026-09-21T10:11:12Z", "datetime"),
        ("2026-09-21T10:11:12.123456+02:00", "datetime"),
        ("2026-09-21 10:11:12", "datetime"),
        ("20260921T101112Z", "datetime"),
        ("2026-09-21", "date"),
        ("10:11:12.5", "time"),
        ("Mon, 21 Sep 2026 10:11:12 GMT", "http-date"),
        (jwt(sub="alice"), "jwt"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "ulid"),
        ("507f1f77bcf86cd799439011", "objectid"),
        ("0ujtsYcgvSTl8PAuAdqWYSMnLOv", "ksuid"),
        ("9m4e2mr0ui3e8a215n4g", "xid"),
        ("d41d8cd98f00b204e9800998ecf8427e", "hex"),
        ("9sXb2kQz7Lw0TtYp4RfVhN", "token"),
        ("k3j9x0a8q2z7m5n1p4", "token"),
        ('W/"5f-abc"', "etag"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "traceparent"),
        ("hello world", None),
        ("internationalization", None),
        ("ThisIsAnOrdinaryClassName", None),
        ("order-2024-report-final-v2", None),
        ("2026-13-45", None),
        ("99:99:99", None),
        ("12345678", None),
        ("alice@example.com", None),
        ("https://example.com/a/b", None),
        ("", None),
        (True, None),
        (None, None),
        (1_790_000_001, None),
    ],
)
def test_format_without_window(value: JsonValue, expected: str | None) -> None:
    assert format_of(value) == expected
    assert expected is None or expected in VOLATILE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOW_S + 1, "epoch-s"),
        (NOW_S + 1.5, "epoch-s"),
        ((NOW_S + 1) * 1000, "epoch-ms"),
        ((NOW_S + 1) * 10**6, "epoch-us"),
        ((NOW_S + 1) * 10**9, "epoch-ns"),
        (str(NOW_S + 1), "epoch-s"),
        ((NOW_S * 1000 - 1_288_834_974_657) << 22, "snowflake"),
        (NOW_S - 10 * 86400, None),
        (17, None),
        ("1990-05-01T00:00:00Z", None),
        ("1990-05-01", None),
    ],
)
def test_a_window_decides_what_reads_a_clock(value: JsonValue, expected: str | None) -> None:
    assert format_of(value, window=WINDOW) == expected


def test_spellings_of_time_are_told_apart_but_not_their_precision() -> None:
    def style(text: str) -> str:
        instant = instant_of(text)
        assert instant
        return instant.style

    assert style("2026-09-21T10:11:12Z") == style("2026-09-21T10:11:12.123Z")
    styles = {style(text) for text in ("2026-09-21T10:11:12Z", "2026-09-21 10:11:12Z", "2026-09-21T10:11:12+00:00",
                                       "2026-09-21T10:11:12")}  # fmt: skip
    assert len(styles) == 4


def test_claims_of_a_token() -> None:
    claims = jwt_claims(jwt(sub="alice", iat=1))
    assert claims is not None
    assert claims[1] == {"sub": "alice", "iat": 1}
    assert jwt_claims("eyJhbGciOi.xxxx.yyyy") is None


@given(st.one_of(st.text(max_size=60), st.integers(), st.floats(allow_nan=True), st.from_regex(r"[0-9:TZ. +-]{8,30}")))
def test_any_scalar_has_a_format_or_none(value: JsonValue) -> None:
    assert format_of(value) in VOLATILE | {None}
    assert format_of(value, window=WINDOW) in VOLATILE | {None}
