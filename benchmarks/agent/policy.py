"""The fixed policy: replay, then make the one call that the answer names. It reads tool outputs and nothing else."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from benchmarks.agent.session import Answer, Session

MOST_CALLS = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """Where the policy says the cause is."""

    route: str
    part: str
    field: str
    """JSON Pointer, header name, or the call that is wrong."""
    message: str
    texts: str
    """All that a client which shows only text would have shown."""


@dataclass(frozen=True, slots=True)
class Localised:
    """How a verdict on an edit came about."""

    status: str
    claim: Claim | None
    calls: int
    tokens: int


async def localise(session: Session) -> Localised:
    """From an edit to a claim."""
    first = len(session.answers)
    answer = await session.call("run_replay")
    status = answer.fields["status"]
    while _shown(answer) is None and len(session.answers) - first < MOST_CALLS:
        call = named_call(answer)
        if call is None:
            break
        answer = await session.call(*call)
        status = answer.fields.get("status", status)
    made = session.answers[first:]
    return Localised(status, _claim(made), len(made), sum(one.tokens for one in made))


def named_call(answer: Answer) -> tuple[str, dict[str, Any]] | None:
    """The first call that `next` spells out for a finding or a run, as `explain(id="F-…", run="…")`."""
    found = re.search(r"\b(explain|get_diff|get_run)\(([^()]*)\)", answer.fields["next"])
    if found is None:
        return None
    call = ast.parse(found[0], mode="eval").body
    assert isinstance(call, ast.Call)
    return found[1], {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}


def _claim(made: list[Answer]) -> Claim | None:
    """The finding that was shown in full, or the first of the verdict."""
    detail = next(filter(None, map(_shown, reversed(made))), None)
    finding = detail or next((found for one in made for found in one.fields.get("findings", [])), None)
    if finding is None:
        return None
    return Claim(finding["route"], finding["part"], finding.get("pointer", ""), finding.get("message", ""),
                 "\n".join(one.text for one in made))  # fmt: skip


def _shown(answer: Answer) -> dict[str, Any] | None:
    """The one finding that an answer is about."""
    found: dict[str, Any] | None = answer.fields.get("finding") or answer.fields.get("detail", {}).get("finding")
    return found
