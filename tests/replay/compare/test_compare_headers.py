"""Headers compared by the published policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import LIVE, NO_PLAN, QUIET, exchange, request

from wiretape_capture.snapshot.exchange import Headers, Response
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.headers import BREAKING, POLICIES
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.response import compare
from wiretape_replay.engine.spec import NoiseRule

TOKEN, OTHER = "9sXb2kQz7Lw0TtYp4RfVhN", "h3Gk8PqW1zXc5VbN0mLa7S"


def compared(expected: Headers, actual: Headers, noise: NoiseModel = QUIET) -> Comparison:
    recorded = exchange(1, request("GET", "/x"), Response(status=200, headers=expected))
    return compare(recorded, Response(status=200, headers=actual), route="GET /x", noise=noise, session=None,
                   live_window=LIVE)  # fmt: skip


def found(expected: dict[str, str], actual: dict[str, str]) -> list[tuple[str, str, bool]]:
    comparison = compared(tuple(expected.items()), tuple(actual.items()))
    return [(each.at, each.severity.value, each.breaking) for each in comparison.differences]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"Content-Type": "application/json"}, {"content-type": "application/json; charset=utf-8"}),
        ({"Content-Type": 'text/html; charset="UTF-8"'}, {"Content-Type": "text/html;charset=utf-8"}),
        ({"Content-Type": "text/html"}, {"Content-Type": "text/html; charset=utf-8"}),
        ({"Content-Type": "text/html; charset=utf-8"}, {"Content-Type": "text/html; charset=iso-8859-1"}),
        ({"Content-Type": "application/json; charset=utf-8"}, {"Content-Type": "application/json"}),
        ({"Date": "Mon, 21 Sep 2026 14:13:20 GMT", "Server": "a/1"}, {"Server": "b/2"}),
        ({"Transfer-Encoding": "chunked"}, {"Content-Length": "0", "Connection": "close"}),
        ({"Vary": "Accept, Origin"}, {"Vary": "origin,accept"}),
        ({"X-Request-Id": "1"}, {"X-Request-Id": "2"}),
        ({"ETag": '"abc"'}, {"ETag": 'W/"def"'}),
        ({"Last-Modified": "Mon, 21 Sep 2026 14:13:20 GMT"}, {"Last-Modified": "Thu, 24 Sep 2026 14:13:20 GMT"}),
        ({"Location": "http://127.0.0.1:8000/a"}, {"Location": "http://localhost:8000/a"}),
        ({"Set-Cookie": f"sid={TOKEN}; Path=/; HttpOnly"}, {"Set-Cookie": f"sid={OTHER}; httponly; path=/"}),
        ({"Set-Cookie": f"sid={TOKEN}; Expires=Mon, 21 Sep 2026 15:13:20 GMT"},
         {"Set-Cookie": f"sid={OTHER}; Expires=Thu, 24 Sep 2026 15:13:21 GMT"}),
        ({"Set-Cookie": "session=eyJ1c2VyIjoxfQ.aM_x1A.Zm9vYmFyYmF6cXV4Zm9v"},
         {"Set-Cookie": "session=eyJ1c2VyIjoxfQ.aNAB2w.cXV4Zm9vYmFyYmF6Zm9v"}),
    ],
)  # fmt: skip
def test_equal_but_for_what_no_client_relies_on(expected: dict[str, str], actual: dict[str, str]) -> None:
    assert found(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual", "result"),
    [
        ({"Content-Type": "application/json"}, {"Content-Type": "text/html"}, [("content-type", "error", True)]),
        ({"Content-Type": "application/json"}, {}, [("content-type", "error", True)]),
        (
            {"Content-Type": "text/plain; format=flowed"},
            {"Content-Type": "text/plain"},
            [("content-type", "error", False)],
        ),
        ({"Content-Type": "text/html; charset=utf-8"}, {"Content-Type": "text/html"},
         [("content-type", "error", False)]),
        ({"Location": "/a"}, {"Location": "/b"}, [("location", "error", False)]),
        ({"Location": "/a"}, {}, [("location", "error", True)]),
        ({"Cache-Control": "no-store"}, {"Cache-Control": "public"}, [("cache-control", "error", False)]),
        ({"X-Total": "5"}, {"X-Total": "6"}, [("x-total", "error", False)]),
        ({"X-Request-Id": "1"}, {}, [("x-request-id", "error", False)]),
        ({}, {"X-New": "1"}, [("x-new", "info", False)]),
        ({"ETag": '"abc"'}, {"ETag": "broken"}, [("etag", "error", False)]),
        ({"WWW-Authenticate": "Basic"}, {"WWW-Authenticate": "Bearer"}, [("www-authenticate", "error", False)]),
        ({"Set-Cookie": "sid=1; HttpOnly"}, {"Set-Cookie": "sid=1"}, [("set-cookie/sid/httponly", "error", False)]),
        ({"Set-Cookie": "sid=1"}, {}, [("set-cookie/sid", "error", False)]),
        ({"Set-Cookie": "theme=dark"}, {"Set-Cookie": "theme=light"}, [("set-cookie/theme", "error", False)]),
        ({"Set-Cookie": f"sid={TOKEN}"}, {"Set-Cookie": "sid="}, [("set-cookie/sid", "error", False)]),
    ],
)  # fmt: skip
def test_what_a_client_relies_on(
    expected: dict[str, str], actual: dict[str, str], result: list[tuple[str, str, bool]]
) -> None:
    assert found(expected, actual) == result


def test_a_rule_of_the_user_covers_a_header() -> None:
    noise = NoiseModel(QUIET.window, NO_PLAN, (NoiseRule(pointer="header:X-Mood"),))
    assert compared((("x-mood", "fine"),), (("X-Mood", "grim"),), noise).differences == ()


def test_repeated_lines_are_compared_in_order() -> None:
    lines = (("Link", "<a>"), ("Link", "<b>"))
    assert compared(lines, lines[::-1]).outcome == "different"
    assert compared(lines, lines).outcome == "bytes-equal"


def test_the_policy_is_published() -> None:
    page = (Path(__file__).parents[3] / "docs" / "comparison.md").read_text()
    assert [name for name in (*POLICIES, *BREAKING) if f"`{name}`" not in page] == []
