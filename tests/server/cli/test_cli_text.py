"""Tables and exchanges as text: they fit, they line up, and recorded bytes never reach the terminal as commands."""

from __future__ import annotations

from pathlib import Path

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Request, Response, StreamMessage
from wiretape_replay.mock.spec import MockResult, MockTally
from wiretape_server.cli.demo import next_steps
from wiretape_server.cli.exchange_text import body_lines, exchange_lines, raw_bytes
from wiretape_server.cli.mock import result_lines
from wiretape_server.cli.table import columns, cut, table, visible

JSON = (("Content-Type", "application/json"),)


def test_a_table_is_cut_to_the_width_where_it_may_be() -> None:
    rows = [("1", "/a/very/long/path/to/somewhere", "payments.internal.example:443"), ("22", "/b", "x")]
    headers = ("seq", "path", "service")
    assert table(headers, rows, right=("seq",)) == [
        "seq  path                            service",
        "  1  /a/very/long/path/to/somewhere  payments.internal.example:443",
        " 22  /b                              x",
    ]
    assert table(headers, rows, width=30, flexible=("path", "service"), right=("seq",)) == [
        "seq  path      service",
        "  1  /a/very…  payments.inter…",
        " 22  /b        x",
    ]


def test_wide_characters_line_up() -> None:
    lines = table(("name", "n"), [("日本", "1"), ("e\u0301", "2")])
    assert [columns(line) for line in lines] == [7, 7, 7]
    assert cut("日本語", 5) == "日本…"


def test_control_characters_are_shown_not_obeyed() -> None:
    assert visible("a\x1b[2J\u202eb\x9b\n") == r"a\x1b[2J\u202eb\x9b\n"


def test_a_body_is_shown_by_what_it_is() -> None:
    def shown(headers: tuple[tuple[str, str], ...], body: Body, media: str) -> list[str]:
        return list(body_lines(headers, body, media))

    assert shown(JSON, body_of(b'{"a":[1.0,{}],"a":"\\u00e9"}'), "application/json") == [
        "", "{", '  "a": [', "    1.0,", "    {}", "  ],", '  "a": "\\u00e9"', "}",
    ]  # fmt: skip
    assert shown(JSON, body_of(b"{broken"), "application/json") == ["", "{broken"]
    assert shown((), body_of(b"\x89PNG"), "image/png") == [
        "", f"# 4 bytes of image/png, sha256 {body_of(b'\x89PNG').sha256[:16]} (--raw writes them)",
    ]  # fmt: skip
    assert shown((), body_of(b"x" * 70_000), "text/plain")[-1] == "# 4464 more characters (--raw writes all)"
    assert shown((), body_of(b"half", complete=False), "text/plain")[-1] == (
        "# the peer went away before the body ended"
    )
    assert shown((), Body(), "") == []


def test_an_exchange_without_response_and_a_stream_are_told() -> None:
    exchange = Exchange(
        sequence=4, direction=Direction.OUTBOUND, service="pay:443", command="GET", location="/ws", started_ns=0,
        duration_us=2500, error="peer reset", request=Request(method="GET", target="/ws"),
        stream=(StreamMessage(from_client=True, offset_us=1500, kind="text", body=body_of(b"hi")),),
    )  # fmt: skip
    assert list(exchange_lines(exchange)) == [
        "# exchange 4: outbound http, pay:443, 2.5 ms", "# incomplete: peer reset", "", "GET /ws HTTP/1.1", "",
        "# no response", "", "# -> text after 1.5 ms", "", "hi",
    ]  # fmt: skip


def test_raw_is_what_crossed_the_wire() -> None:
    exchange = Exchange(
        sequence=1, direction=Direction.INBOUND, service="a:1", command="POST", location="/", started_ns=0,
        duration_us=1, request=Request(method="POST", target="/", headers=(("x-NAME", "\xff"),), body=body_of(b"\0")),
        response=Response(status=204, version="HTTP/1.0", trailers=(("t", "1"),)),
    )  # fmt: skip
    assert raw_bytes(exchange) == (b"POST / HTTP/1.1\r\nx-NAME: \xff\r\n\r\n\0\r\n\r\nHTTP/1.0 204\r\n\r\n\r\nt: 1\r\n")


def test_a_mock_tells_what_was_never_asked_for_up_to_a_bound() -> None:
    result = MockResult(snapshot="s", tally=MockTally(exact=1), unused=tuple(f"GET a /{n}" for n in range(12)))
    lines = result_lines(result)
    assert (lines[0], lines[1], lines[-1]) == (
        "mock s: 1 call, 1 exact", "never asked for: 12 recorded calls", "  and 2 more",
    )  # fmt: skip


def test_the_demo_ends_with_commands_that_the_shell_finds() -> None:
    ran = Path("/checkout/.venv/bin/wiretape")
    plain = next_steps(Path("/tmp/demo"), str(ran), ran).splitlines()
    assert plain[1:4] == ["  cd /tmp/demo", "  wiretape snapshots", "  wiretape show shop --direction outbound"]
    by_path = next_steps(Path("/tmp/demo"), None, ran)
    assert "  /checkout/.venv/bin/wiretape snapshots" in by_path
    assert "  wiretape " not in by_path
