"""One finding in full within an answer's budget: both sides, the diff, the patch, how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from wiretape_replay.report.diff import FindingDetail, bare_detail, finding_detail
from wiretape_replay.verdict.model import Finding, Part, Run
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.quoting import fence
from wiretape_server.mcp.results import cut
from wiretape_server.mcp.runs import finding_line, shortened

if TYPE_CHECKING:
    from wiretape_replay.run_file import RunReader

STEP_LIMIT = 200
"""Bytes of each part of a patch operation."""


async def detail_of(reader: RunReader, run: Run, finding: Finding) -> FindingDetail:
    """Everything about one finding, as it was recorded and came."""
    sequence = finding.sequences[0] if finding.sequences else 0
    recorded = await reader.recorded(sequence)
    if recorded is None:
        return bare_detail(run, finding)
    return finding_detail(run, finding, recorded, await reader.live_response(sequence))


def capped(detail: FindingDetail, mask: Mask, limit: int) -> FindingDetail:
    """The detail with each of its texts within `limit` characters and credentials masked."""
    finding = detail.finding
    expected, actual = detail.expected, detail.actual
    if finding.part in (Part.HEADER, Part.TRAILER):
        detail = detail.model_copy(update={"diff": (), "patch": ()})  # of the bodies, which are another matter
        expected, actual = _masked(expected, mask), _masked(actual, mask)
    curl = mask.curl(finding.curl)
    diff, diff_left = _within(detail.diff, limit)
    steps = [_short_step(step) for step in detail.patch]
    patch, patch_left = _within([json.dumps(step, ensure_ascii=False) for step in steps], limit)
    side = limit // 3 if diff else limit  # a diff shows both sides
    left = [f"{count} more {what}: raise max_chars" for count, what in
            ((diff_left, "lines of the diff"), (patch_left, "patch operations")) if count]  # fmt: skip
    if curl != finding.curl:
        left.append(
            "credentials in the request are masked, so it cannot be sent as it is: "
            f"`wiretape show SNAPSHOT {detail.sequence}` prints them on a person's terminal"
        )
    return detail.model_copy(update={
        "finding": shortened(finding, mask).model_copy(update={
            "curl": cut(curl, limit // 2), "reproduce": cut(finding.reproduce, 300)}),
        "request_line": cut(mask.queries(detail.request_line), 300),
        "expected": cut(expected, side), "actual": cut(actual, side),
        "diff": diff, "patch": tuple(steps[: len(patch)]), "notes": (*detail.notes, *left),
    })  # fmt: skip


def detail_lines(detail: FindingDetail) -> Iterator[str]:
    """The same facts as text."""
    yield from fence(finding_line(detail.finding))
    if detail.sequence:
        yield f"request of exchange {detail.sequence}:"
        yield from fence(detail.request_line)
    if detail.diff:
        yield "recorded (-) against live (+):"
        yield from fence("\n".join(detail.diff))
    else:
        yield "recorded:"
        yield from fence(detail.expected)
        yield "live:"
        yield from fence(detail.actual)
    if detail.patch:
        yield "RFC 6902 patch from recorded to live:"
        yield from fence("\n".join(json.dumps(step, ensure_ascii=False) for step in detail.patch))
    if detail.finding.curl:
        yield "the request again:"
        yield from fence(detail.finding.curl)
    if detail.finding.reproduce:
        yield f"reproduce: {detail.finding.reproduce}"
    yield from (f"note: {note}" for note in detail.notes)


def _masked(header_lines: str, mask: Mask) -> str:
    pairs = (line.partition(": ") for line in header_lines.splitlines())
    return "\n".join(f"{name}: {mask.header(name, value)}" if separator else name for name, separator, value in pairs)


def _short_step(step: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A patch operation with a long place or value cut, which says so in itself."""
    told: dict[str, JsonValue] = {}
    for key, value in step.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        told[key] = value if len(text.encode("utf-8", "replace")) <= STEP_LIMIT else cut(text, STEP_LIMIT)
    return told


def _within(lines: Sequence[str], limit: int) -> tuple[tuple[str, ...], int]:
    """As many lines as fit, each cut, and how many did not."""
    kept: list[str] = []
    room = limit
    for line in lines:
        if room <= 0:
            break
        kept.append(cut(line, 300))
        room -= len(kept[-1].encode("utf-8", "replace")) + 1
    return tuple(kept), len(lines) - len(kept)
