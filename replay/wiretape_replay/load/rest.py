"""What the unanswered rest of a session would have taught, had the app gone on as it began. Pure.

A generated value is often explained only by a later answer: one that lists what was made, or repeats the id that a
location named. Where the end of a load cuts a session short, that answer is missing through no fault of the app. It
is made up here from the recorded one: the recorded values in it are replaced by what the session was answered so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from pydantic import JsonValue

from wiretape_capture.protocols.http import header, is_json, media_type
from wiretape_capture.snapshot.exchange import Body, Exchange, Response
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.tokens import is_id_name
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.verdict.model import Severity

_TELLING = 6
"""Characters from which on a value is looked for inside longer text."""


def observe_rest(session: LiveSession, rest: Sequence[Exchange], comparisons: Sequence[Comparison]) -> None:
    """Let a session learn from the answers that its other requests would have got."""
    became = _became(session, comparisons)
    for exchange in rest:
        if exchange.response is not None:
            session.observe(exchange, _as_now(exchange.response, became))


def fewer(before: Comparison, after: Comparison) -> bool:
    """Whether a second look has explained something, and found nothing new."""
    return _errors(after) < _errors(before)


def _errors(comparison: Comparison) -> set[tuple[str, str, str]]:
    return {(each.kind, each.part, each.at) for each in comparison.differences if each.severity is Severity.ERROR}


def _became(session: LiveSession, comparisons: Sequence[Comparison]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in (each for comparison in comparisons for each in comparison.differences):
        ours, theirs = each.expected, each.actual
        if _scalar(ours) and type(ours) is type(theirs):
            found[str(ours)] = str(theirs)
    return found | session.became


def _scalar(value: JsonValue) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _as_now(recorded: Response, became: Mapping[str, str]) -> Response:
    headers = tuple((name, _text(value, became)) for name, value in recorded.headers)
    return recorded.model_copy(update={"headers": headers, "body": _body(recorded, became)})


def _body(recorded: Response, became: Mapping[str, str]) -> Body:
    data = recorded.body.data
    if not data or not is_json(media_type(recorded.headers)) or header(recorded.headers, "content-encoding"):
        return recorded.body
    try:
        tree: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        return recorded.body
    live = orjson.dumps(_tree("", tree, became))
    return recorded.body.model_copy(update={"data": live, "size": len(live), "sha256": ""})


def _tree(name: str, node: JsonValue, became: Mapping[str, str]) -> JsonValue:
    if isinstance(node, dict):
        return {key: _tree(key, value, became) for key, value in node.items()}
    if isinstance(node, list):
        return [_tree(name, value, became) for value in node]
    if isinstance(node, str):
        return became.get(node) or _text(node, became)
    if isinstance(node, int) and not isinstance(node, bool) and is_id_name(name):
        live = became.get(str(node), "")
        return int(live) if live.isdecimal() else node
    return node


def _text(text: str, became: Mapping[str, str]) -> str:
    for recorded, live in became.items():
        if len(recorded) >= _TELLING and recorded in text:
            text = text.replace(recorded, live)
    return text
