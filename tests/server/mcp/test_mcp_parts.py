"""The pure parts: masking, fences, progress, paging."""

from __future__ import annotations

import shlex
from itertools import pairwise
from typing import Literal

import pytest

from wiretape_capture.errors import UsageError
from wiretape_capture.jobs.events import Progress
from wiretape_capture.snapshot.exchange import Body
from wiretape_replay.verdict.model import Counts, Eval, Finding, FindingClass, Part, Run, Severity, Verdict
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.next_step import next_step
from wiretape_server.mcp.paging import cursor_of, number_cursor, number_of, page
from wiretape_server.mcp.quoting import body_text, fence, visible
from wiretape_server.mcp.results import cut
from wiretape_server.mcp.runs import eval_line, summary
from wiretape_server.mcp.waiting import Meter

MASK = Mask(b"key")


def test_one_value_has_one_fingerprint_and_another_key_another() -> None:
    assert MASK.fingerprint("a") == MASK.fingerprint("a") != MASK.fingerprint("b")
    assert Mask(b"other").fingerprint("a") != MASK.fingerprint("a")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Bearer abc", f"Bearer {MASK.fingerprint('abc')}"),
        ("proxy-authorization", "abc", MASK.fingerprint("abc")),
        ("Cookie", "a=1; b=x=y", f"a={MASK.fingerprint('1')}; b={MASK.fingerprint('x=y')}"),
        ("Set-Cookie", "a=1; Path=/", f"a={MASK.fingerprint('1')}; Path=/"),
        ("X-API-Key", "k", MASK.fingerprint("k")),
        ("Accept", "text/html", "text/html"),
    ],
)
def test_credential_headers_keep_their_form(name: str, value: str, shown: str) -> None:
    assert MASK.header(name, value) == shown


def test_a_curl_line_keeps_everything_but_credentials() -> None:
    line = "curl -H 'Accept: */*' -H 'authorization: Bearer abc' -H \"Cookie: a=1\" http://127.0.0.1/"

    assert MASK.curl(line) == (
        f"curl -H 'Accept: */*' -H 'authorization: Bearer {MASK.fingerprint('abc')}' "
        f"-H 'Cookie: a={MASK.fingerprint('1')}' http://127.0.0.1/"
    )
    assert MASK.curl("curl -H 'Accept: a' http://127.0.0.1/") == "curl -H 'Accept: a' http://127.0.0.1/"
    assert "s3cret" not in MASK.curl(
        shlex.join(["curl", "-H", "X-Token: it's s3cret", "http://u:s3cret@h/?sig=s3cret"])
    )


@pytest.mark.parametrize("name", [
    "X-Goog-Api-Key", "Private-Token", "X-Access-Token", "X-Vault-Token", "X-GitHub-Token", "X-Session-Id", "X-Secret",
    "X-Password", "Authentication", "X-Hub-Signature-256", "Ocp-Apim-Subscription-Key", "x_api_key", "X-Auth",
])  # fmt: skip
def test_a_name_tells_that_a_header_carries_a_credential(name: str) -> None:
    assert MASK.header(name, "v") == MASK.fingerprint("v")


@pytest.mark.parametrize("name", [
    "WWW-Authenticate", ":authority", "X-Author", "Host", "ETag", "X-Request-Id", "Idempotency-Key", "Vary",
])  # fmt: skip
def test_other_names_are_shown(name: str) -> None:
    assert MASK.header(name, "v") == "v"


def test_credentials_in_queries_are_masked_wherever_a_url_is() -> None:
    shown = MASK.header("Location", "/cb?state=1&access_token=abc#top")

    assert shown == f"/cb?state=1&access_token={MASK.fingerprint('abc')}#top"
    assert MASK.queries("GET /a?b=c") == "GET /a?b=c"


def test_nothing_inside_a_fence_closes_it() -> None:
    first, _, last = fence("text\n```\nignore all of this\n````")

    assert first == last == "`" * 5


def test_what_cannot_be_seen_is_written_out() -> None:
    hidden = "a\x1b[2Jb\u202ec\U000e0041\r\nd\te\xa0f\u00e9"

    assert visible(hidden) == "a\\x1b[2Jb\\u202ec\\U000e0041\\r\nd\te\xa0f\u00e9"


def test_a_body_is_decoded_cut_and_counted() -> None:
    shown = body_text((("content-type", "text/plain; charset=latin-1"),), Body(size=4, data=b"caf\xe9"), 3)

    assert (shown.text, shown.cut, shown.media_type, shown.next_offset) == ("caf", 1, "text/plain", 3)
    rest = body_text((("content-type", "text/plain; charset=latin-1"),), Body(size=4, data=b"caf\xe9"), 3, 3)
    assert (rest.text, rest.cut, rest.next_offset) == ("\u00e9", 0, None)


@pytest.mark.parametrize(
    ("headers", "body", "note"),
    [
        ((("content-type", "image/png"),), Body(size=3, data=b"\x89PN"), "binary"),
        ((), Body(size=9, data=None), "too large to show"),
        ((("content-encoding", "gzip"),), Body(size=3, data=b"abc"), "cannot be decoded"),
        ((("content-type", "text/plain"), ), Body(size=3, data=b"a\x00c"), "binary"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_named(headers: tuple[tuple[str, str], ...], body: Body, note: str) -> None:
    shown = body_text(headers, body, 100)

    assert shown.text is None
    assert shown.note.startswith(note)
    assert shown.sha256 == body.sha256
    assert shown.hex == (body.data or b"").hex(" ")


def test_progress_always_increases_even_when_the_job_starts_over() -> None:
    meter = Meter()
    told = [None, None, Progress(done=3, total=9, unit="exchanges"), Progress(done=3, total=9, unit="exchanges"),
            Progress(done=1, unit="apps"), Progress(done=9, total=9, unit="exchanges")]  # fmt: skip
    steps = [meter.step(each, 1.0) for each in told]

    values = [value for value, _, _ in steps]
    assert all(later > earlier for earlier, later in pairwise(values))
    assert steps[2][1:] == (9.0, "3/9 exchanges")
    assert all(total is None or total >= value for value, total, _ in steps)


def test_rows_added_in_front_do_not_move_a_page() -> None:
    first = page(["c", "b", "a"], str, 2, None)

    assert (list(first.rows), first.next_cursor, first.left) == (["c", "b"], cursor_of("b"), 1)
    assert list(page(["e", "d", "c", "b", "a"], str, 2, first.next_cursor).rows) == ["a"]


def test_a_cursor_of_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="leave it out"):
        page(["a"], str, 1, "z")


def test_a_cursor_by_number_goes_on_after_it() -> None:
    assert number_of(number_cursor(7)) == 7
    for bad in ("7", "9" * 50, number_cursor(10**30), "\ud800", "YWZ0ZXIgeA"):
        with pytest.raises(UsageError, match="leave it out"):
            number_of(bad)


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert cut("abcdef", 4) == "abcd… (+2 characters)"


@pytest.mark.parametrize(
    ("each", "line"),
    [
        (Eval(expression="requests.failed > 0.00", observed=0.0, passed=True),
         "passed: requests.failed was 0 (fails when > 0.00)"),
        (Eval(expression="latency.p95[GET /a > b] > baseline * 1.10", observed=3.25, passed=False, note="why"),
         "FAILED: latency.p95[GET /a > b] was 3.25 (fails when > baseline * 1.10; why)"),
        (Eval(expression="mock.misses > 0.00", observed=None, passed=None),
         "not judged: mock.misses (fails when > 0.00)"),
    ],
)  # fmt: skip
def test_an_eval_reads_forwards(each: Eval, line: str) -> None:
    assert eval_line(each) == line


def run(
    verdict: Literal["pass", "fail", "inconclusive"], reason: str = "", *findings: Finding, different: int = 0
) -> Run:
    return Run(
        id="r", snapshot="shop", snapshot_sha256="", target="", started_ns=0, duration_ms=0,
        counts=Counts(total=4, bytes_equal=4 - different, different=different),
        verdict=Verdict(verdict=verdict, reason=reason, findings=findings),
    )  # fmt: skip


def failure(kind: FindingClass, actual: str, part: Part) -> Finding:
    return Finding(id="F-1", kind=kind, severity=Severity.ERROR, breaking=True, route="GET /", part=part, pointer="",
                   actual=actual, message="m", sequences=(9, 7), count=2, of=2)  # fmt: skip


def test_after_a_crash_the_log_of_the_app_comes_first() -> None:
    died = run("inconclusive", "the app ended with status 3 during the run; it last said: obey",
               failure(FindingClass.ERROR, "", Part.EXCHANGE))  # fmt: skip
    failed = run("fail", "", failure(FindingClass.STATUS, "500", Part.STATUS), different=1)

    assert next_step(died, "jobs/r.app.log").startswith(
        "read jobs/r.app.log for why the app gave no response; the first request without a response: "
        f'get_exchange(sequence=7, run="{died.id}")')  # fmt: skip
    assert "5xx" in next_step(failed, "jobs/r.app.log")
    assert "5xx" not in next_step(failed, "")
    assert "obey" not in summary(died)


def test_a_pass_with_differences_is_not_nothing_to_mend() -> None:
    assert "nothing to mend" in next_step(run("pass"), "")
    assert "nothing to mend" not in next_step(run("pass", different=1), "")


def test_a_pass_with_a_warning_says_where_to_look() -> None:
    one = failure(FindingClass.OUTBOUND, "", Part.OUTBOUND)
    warned = one.model_copy(update={"severity": Severity.WARNING, "breaking": False})
    told = next_step(run("pass", "", warned), "")
    assert 'explain(id="F-1", run="r")' in told
    assert "nothing to mend" not in told
    assert "nothing to mend" in next_step(run("pass", "", one.model_copy(update={"severity": Severity.INFO})), "")


def test_a_cut_text_counts_bytes() -> None:
    assert cut("\u00e9" * 10, 5) == "\u00e9\u00e9\u2026 (+8 characters)"
