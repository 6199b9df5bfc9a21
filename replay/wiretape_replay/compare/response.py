"""Comparison of one live response with the recorded one (design §7): bytes equal, semantically equal, or different."""

from __future__ import annotations

from dataclasses import replace

from wiretape_capture.protocols.http import codings
from wiretape_capture.snapshot.exchange import Body, Exchange, Response
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.compare.difference import Comparison, Difference, Ignored
from wiretape_replay.compare.headers import HeaderComparison
from wiretape_replay.compare.judge import Judge
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.tree import TreeComparison
from wiretape_replay.content import Content, read_content
from wiretape_replay.formats import Window
from wiretape_replay.verdict.model import FindingClass, Outcome, Part, Severity


def compare(
    exchange: Exchange,
    live: Response,
    *,
    route: str,
    noise: NoiseModel,
    session: LiveSession | None,
    live_window: Window,
) -> Comparison:
    """Compare a live response with the exchange's recorded one.

    `live_window` reaches from the start of the live app (or the run) to the moment when this response had come.
    """
    recorded = exchange.response
    if recorded is None:
        return _unrecorded(exchange, live)
    judge = Judge(exchange, route, noise, session, live_window)
    status = _status(recorded, live)
    if status and recorded.status // 100 != live.status // 100:
        return Comparison(Outcome.DIFFERENT, (status,))
    headers = HeaderComparison(judge)
    headers.compare(recorded.headers, live.headers)
    headers.compare(recorded.trailers, live.trailers, Part.TRAILER)
    same_bytes = recorded.body.sha256 == live.body.sha256 and codings(recorded.headers) == codings(live.headers)
    body, read_as = TreeComparison(judge), ""
    if not same_bytes and not (exchange.command == "HEAD" or _type_changed(headers)):
        read_as = _bodies(body, recorded, live)
    differences = [*([status] if status else []), *headers.differences, *body.differences]
    ignored = [*headers.ignored, *body.ignored]
    return replace(_conclude(differences, ignored, body, same_bytes=same_bytes), read_as=read_as)


def no_response(error: str) -> Comparison:
    """When the live app gave no response at all."""
    message = f"no response came: {error}"
    found = Difference(FindingClass.ERROR, Part.EXCHANGE, "", "", None, error, message, breaking=True)
    return Comparison(Outcome.ERROR, (found,))


def _unrecorded(exchange: Exchange, live: Response) -> Comparison:
    """The recording has no response: nothing can be compared, and an answer is no worse than none."""
    message = f"the recording holds no response ({exchange.error or 'it was cut off'}); {live.status} came"
    found = Difference(FindingClass.STATUS, Part.STATUS, "", "", None, live.status, message, Severity.WARNING)
    return Comparison(Outcome.SEMANTICALLY_EQUAL, (found,))


def _status(recorded: Response, live: Response) -> Difference | None:
    if recorded.status == live.status:
        return None
    message = f"the status was {recorded.status} and is now {live.status}"
    breaking = recorded.status < 400 <= live.status
    return Difference(
        FindingClass.STATUS, Part.STATUS, "", "", recorded.status, live.status, message, breaking=breaking
    )


def _type_changed(headers: HeaderComparison) -> bool:
    """The body is of another media type: the header's finding says it all."""
    return any(each.pointer == "content-type" and each.breaking for each in headers.differences)


def _bodies(tree: TreeComparison, recorded: Response, live: Response) -> str:
    """Compares two bodies and says how, where one is not what it claims to be."""
    ours, theirs = read_content(recorded.headers, recorded.body), read_content(live.headers, live.body)
    if not live.body.complete and recorded.body.complete:
        message = f"the body ended early, after {live.body.size} bytes"
        tree.differences.append(_whole(FindingClass.BODY, recorded.body, live.body, message, breaking=True))
    elif ours.kind != theirs.kind:
        tree.differences.append(_kinds(ours, theirs, recorded.body, live.body))
    elif ours.kind == "binary":
        if ours.tree != theirs.tree:
            message = f"the bytes differ: {recorded.body.size} were recorded, {live.body.size} came"
            tree.differences.append(_whole(FindingClass.BODY, recorded.body, live.body, message))
    else:
        tree.lines = ours.kind == "text"
        tree.compare(ours.tree, theirs.tree)
    why = theirs.why or ours.why
    if not why:
        return ""
    read_as = f"compared as {'bytes' if theirs.kind == 'binary' else 'text'}, for {why}"
    tree.differences = [replace(each, evidence="; ".join(filter(None, (each.evidence, read_as))))
                        for each in tree.differences]  # fmt: skip
    return read_as


def _kinds(ours: Content, theirs: Content, recorded: Body, live: Body) -> Difference:
    if theirs.kind == "empty":
        message = f"the body is gone; it was {recorded.size} bytes of {ours.kind}"
        return _whole(FindingClass.REMOVED, recorded, live, message, breaking=True)
    if ours.kind == "empty":
        return _whole(FindingClass.ADDED, recorded, live, f"a body is new: {live.size} bytes of {theirs.kind}")
    message = f"the body was {ours.kind} and is now {theirs.kind}"
    return _whole(FindingClass.TYPE, recorded, live, message, breaking=True)


def _whole(kind: FindingClass, recorded: Body, live: Body, message: str, *, breaking: bool = False) -> Difference:
    expected, actual = (f"{body.size} bytes, sha256 {body.sha256[:12]}" for body in (recorded, live))
    return Difference(kind, Part.BODY, "", "", expected, actual, message, breaking=breaking)


def _conclude(
    differences: list[Difference], ignored: list[Ignored], body: TreeComparison, *, same_bytes: bool
) -> Comparison:
    """A digest that changed alone says that its content did."""
    if not any(each.part is Part.BODY and not each.digest for each in ignored):
        alone = [each for each in ignored if each.digest]
        differences += [body.difference(each.expected, each.actual, each.at, each.pointer) for each in alone]
        ignored = [each for each in ignored if not each.digest]
    if any(each.severity is Severity.ERROR for each in differences):
        outcome = Outcome.DIFFERENT
    else:
        quiet = same_bytes and not differences
        outcome = Outcome.BYTES_EQUAL if quiet else Outcome.SEMANTICALLY_EQUAL
    return Comparison(outcome, tuple(differences), tuple(ignored))
