"""One finding in full: the request, both bodies around the place, a unified diff, the RFC 6902 patch, how to repeat it.

Reads exchanges that are already loaded; knows no file.
"""

from __future__ import annotations

import difflib

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue

from wiretape_capture.protocols.http import charset, decode_content, is_text, json_body, media_type
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_replay.leaves import get, split
from wiretape_replay.report.printable import cut
from wiretape_replay.verdict.model import Finding, Part, Run

EXCERPT = 2000
"""Characters of a body shown."""

DIFF_LINES = 200
DIFFED_LINES = 2000
"""Lines of each side that enter a diff; difflib's time grows with their product."""

PATCH_STEPS = 50
PATCHED_BYTES = 256 * 1024
"""Both bodies together; jsonpatch's time grows with the square of an array's length."""


class FindingDetail(BaseModel):
    """What `wiretape diff RUN FINDING` and `get_diff` show."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    run: str
    finding: Finding
    sequence: int
    """The recorded exchange shown."""
    request_line: str
    expected: str
    """Recorded status, header value or body around the place; cut when long."""
    actual: str
    diff: tuple[str, ...]
    """Unified diff of the two bodies, JSON laid out with sorted keys, without the differences that are noise; empty
    where both are equal or binary."""
    patch: tuple[dict[str, JsonValue], ...]
    """RFC 6902 operations that turn the recorded JSON body into the live one, without the noise."""
    notes: tuple[str, ...] = ()
    """What was left out."""


def finding_detail(run: Run, finding: Finding, expected: Exchange, live: Response | None) -> FindingDetail:
    """Everything about one finding in its first exchange."""
    if finding.part is Part.OUTBOUND:
        line = f"{expected.request.method} {expected.request.target}"
        return call_detail(run, finding, request_line=line, sequence=expected.sequence)
    was = expected.response
    quiet = _without_noise(was, live, run, finding)
    diff, cut_diff = _unified(_text(was), _text(quiet))
    patch, cut_patch = _patch(was, quiet)
    return FindingDetail(
        run=run.id, finding=finding, sequence=expected.sequence, diff=diff, patch=patch,
        request_line=f"{expected.request.method} {expected.request.target}",
        expected=_excerpt(was, finding), actual=_excerpt(live, finding),
        notes=tuple(note for note in (*_missing(was, live), cut_diff, cut_patch) if note),
    )  # fmt: skip


def bare_detail(run: Run, finding: Finding) -> FindingDetail:
    """A finding whose exchange came out equal or is none of the run's: it is slower, or a call was not made."""
    return FindingDetail(
        run=run.id, finding=finding, sequence=finding.sequences[0] if finding.sequences else 0,
        request_line=finding.route, expected=str(finding.expected), actual=str(finding.actual), diff=(), patch=(),
    )  # fmt: skip


def call_detail(run: Run, finding: Finding, *, request_line: str = "", sequence: int = 0) -> FindingDetail:
    """Everything about a finding that lies in no answer: a call to a service, made by an exchange or by none."""
    was, now = (_laid_out(value) for value in (finding.expected, finding.actual))
    diff, note = _unified(was, now)
    return FindingDetail(
        run=run.id, finding=finding, sequence=sequence, request_line=request_line or finding.route, expected=was,
        actual=now, diff=diff, patch=(), notes=(note,) if note else (),
    )  # fmt: skip


def _excerpt(response: Response | None, finding: Finding) -> str:
    if response is None:
        return "no response"
    if finding.part is Part.STATUS:
        return f"{response.status} {response.reason}".rstrip()
    if finding.part is Part.HEADER:
        name = finding.pointer.removeprefix("header:").lower()
        return "\n".join(f"{key}: {value}" for key, value in response.headers if key.lower() == name)
    return cut(_around(response, finding.example_pointer or finding.pointer), EXCERPT)


def _around(response: Response, pointer: str) -> str:
    """The container that holds the place, so that a renamed neighbour is in sight."""
    body = _json(response)
    if body is None:
        return _text(response) or f"{response.body.size} bytes, sha256 {response.body.sha256}"
    place = pointer.rpartition("/")[0]
    while place:
        try:
            return _laid_out(get(body, place))
        except LookupError:
            place = place.rpartition("/")[0]
    return _laid_out(body)


def _unified(expected: str, actual: str) -> tuple[tuple[str, ...], str]:
    old, new = expected.splitlines(), actual.splitlines()
    if max(len(old), len(new)) > DIFFED_LINES:
        old, new = old[:DIFFED_LINES], new[:DIFFED_LINES]
    lines = [line.rstrip("\n") for line in difflib.unified_diff(old, new, "recorded", "live", lineterm="")]
    note = f"{len(lines) - DIFF_LINES} more lines of the diff are not shown" if len(lines) > DIFF_LINES else ""
    return tuple(cut(line, EXCERPT) for line in lines[:DIFF_LINES]), note


def _patch(was: Response | None, live: Response | None) -> tuple[tuple[dict[str, JsonValue], ...], str]:
    old, new = _json(was), _json(live)
    if was is None or live is None or old is None or new is None:
        return (), ""
    if was.body.size + live.body.size > PATCHED_BYTES:
        return (), f"no patch: the bodies are larger than {PATCHED_BYTES // 1024} KiB together"
    import jsonpatch

    steps = jsonpatch.make_patch(old, new).patch
    note = f"{len(steps) - PATCH_STEPS} more patch operations are not shown" if len(steps) > PATCH_STEPS else ""
    return tuple(steps[:PATCH_STEPS]), note


def _missing(was: Response | None, live: Response | None) -> list[str]:
    sides = (("recorded", was), ("live", live))
    return [f"the {side} body of {response.body.size} bytes is kept as its hash only"
            for side, response in sides if response is not None and response.body.data is None]  # fmt: skip


def _without_noise(was: Response | None, live: Response | None, run: Run, finding: Finding) -> Response | None:
    """The live response with recorded values where the run took a difference as noise and nothing else is known."""
    expected, actual = _json(was), _json(live)
    if live is None or expected is None or actual is None:
        return live
    told = {(one.route, one.pointer) for one in run.verdict.findings}
    places = {(one.route, one.pointer) for one in run.suppressed if one.part is Part.BODY} - told
    noisy = [split(pointer) for route, pointer in places if route == finding.route]
    quiet = _replaced(actual, expected, noisy)
    return live.model_copy(update={"body": body_of(orjson.dumps(quiet)), "headers": _PLAIN_JSON})


_PLAIN_JSON = (("Content-Type", "application/json"),)


def _replaced(actual: JsonValue, expected: JsonValue, noisy: list[list[str]]) -> JsonValue:
    """`actual` with the scalars of `expected` at the noisy places; `*` stands for any key or position."""
    if [] in noisy and not isinstance(actual, dict | list) and not isinstance(expected, dict | list):
        return expected
    if isinstance(actual, dict) and isinstance(expected, dict):
        return {key: _replaced(value, expected[key], _below(noisy, key)) if key in expected else value
                for key, value in actual.items()}  # fmt: skip
    # In arrays of different lengths it is not known which element stands for which.
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        pairs = zip(actual, expected, strict=True)
        return [_replaced(value, recorded, _below(noisy, "*")) for value, recorded in pairs]
    return actual


def _below(noisy: list[list[str]], key: str) -> list[list[str]]:
    return [pointer[1:] for pointer in noisy if pointer and pointer[0] in ("*", key)]


def _json(response: Response | None) -> JsonValue:
    if response is None or not response.body.data:
        return None
    try:
        return json_body(response.headers, response.body.data)
    except ValueError:
        return None


def _text(response: Response | None) -> str:
    """The body as text to diff; empty for what is none."""
    if response is None or not response.body.data:
        return ""
    body = _json(response)
    if body is not None:
        return _laid_out(body)
    if not is_text(media_type(response.headers)):
        return ""
    try:
        return decode_content(response.headers, response.body.data).decode(
            charset(response.headers) or "utf-8", "replace"
        )
    except (ValueError, LookupError):
        return ""


def _laid_out(value: JsonValue) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
