"""Comparison of response headers by a published policy: docs/comparison.md prints this table."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from wiretape_capture.snapshot.exchange import Headers
from wiretape_replay.bindings.messages import set_cookies
from wiretape_replay.compare.difference import Difference, Ignored
from wiretape_replay.compare.judge import Judge, Noise
from wiretape_replay.compare.messages import said, said_pair
from wiretape_replay.compare.places import Kind
from wiretape_replay.leaves import join
from wiretape_replay.verdict.model import FindingClass, Part, Severity


class Policy(StrEnum):
    """How a header is compared."""

    IGNORED = "ignored"
    """Says how the message travels, or which machine sent it: neither presence nor value matters."""
    VOLATILE = "volatile"
    """Must stay present; its value is another in each answer."""
    LIST = "list"
    """Compared as a set of comma-separated members, in any case and order."""
    VALUE = "value"
    """Compared as it stands, with bindings and noise."""


POLICIES: dict[str, Policy] = {
    **dict.fromkeys(
        [
            "connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "content-encoding",
            "te", "trailer", "upgrade", "via", "server", "x-powered-by", "alt-svc", "age", "nel", "report-to",
            "x-cache", "x-served-by", "x-timer", "x-amz-cf-id", "x-amz-cf-pop", "date",
        ],
        Policy.IGNORED,
    ),
    **dict.fromkeys(
        [
            "server-timing", "x-response-time", "x-runtime", "x-process-time", "x-request-id", "x-correlation-id",
            "request-id", "x-trace-id", "x-b3-traceid", "x-b3-spanid", "traceparent", "tracestate", "cf-ray",
            "x-amzn-requestid", "x-amzn-trace-id", "x-amz-request-id", "x-amz-id-2", "x-cloud-trace-context",
            "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-remaining", "ratelimit-reset", "ratelimit",
        ],
        Policy.VOLATILE,
    ),
    **dict.fromkeys(
        [
            "vary", "allow", "cache-control", "access-control-allow-methods", "access-control-allow-headers",
            "access-control-expose-headers", "accept-ranges", "pragma",
        ],
        Policy.LIST,
    ),
}  # fmt: skip
"""Every header that is not here has policy `value`; `set-cookie` and `content-type` are taken apart first."""

BREAKING = frozenset({
    "content-type", "location", "set-cookie", "www-authenticate", "access-control-allow-origin", "content-disposition",
    "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers", "content-range",
})  # fmt: skip
"""Headers whose loss breaks clients."""


class HeaderComparison:
    """Collects the differences of the headers of one response."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.differences: list[Difference] = []
        self.ignored: list[Ignored] = []

    def compare(self, expected: Headers, actual: Headers, part: Part = Part.HEADER) -> None:
        """Compare all headers; names match in any case, repeated lines in order."""
        ours, theirs = _grouped(expected), _grouped(actual)
        for name, values in ours.items():
            policy = POLICIES.get(name, Policy.VALUE)
            if policy is Policy.IGNORED or name == "set-cookie":
                continue
            if name not in theirs:
                self._lost(part, name, ", ".join(values))
            elif values != theirs[name]:
                self._differs(part, name, ", ".join(values), ", ".join(theirs[name]), policy)
        for name, values in theirs.items():
            if name not in ours and POLICIES.get(name) is not Policy.IGNORED and name != "set-cookie":
                self._gained(part, name, ", ".join(values))
        self._cookies(part, expected, actual)

    def _lost(self, part: Part, name: str, value: str) -> None:
        if self._judge.noise.rule_for(self._judge.route, f"header:{name}"):
            self.ignored.append(Ignored(part, name, name, value, None, "rule"))
            return
        place = f"header:{name}"
        message = f"the header {name} is gone; it was {said(value)}"
        found = Difference(FindingClass.HEADER, part, name, name, value, None, message, breaking=name in BREAKING,
                           evidence=self._judge.lacks(place, Kind.PRESENCE))  # fmt: skip
        if noise := self._judge.varies(place, Kind.PRESENCE):
            self.ignored.append(Ignored(part, name, name, value, None, f"presence {noise.reason}", trial=noise.trial,
                                        place=place, otherwise=found))  # fmt: skip
        else:
            self.differences.append(found)

    def _gained(self, part: Part, name: str, value: str) -> None:
        message = f"the header {name} is new: {said(value)}"
        self.differences.append(Difference(FindingClass.HEADER, part, name, name, None, value, message, Severity.INFO))

    def _differs(self, part: Part, name: str, expected: str, actual: str, policy: Policy) -> None:
        if policy is Policy.LIST and _members(expected) == _members(actual):
            return
        if name == "content-type" and _same_type(expected, actual):
            return
        place = f"header:{name}"
        was, now = said_pair(expected, actual)
        message = f"the header {name} was {was} and is now {now}"
        breaking = name == "content-type" and _media(expected) != _media(actual)
        found = Difference(FindingClass.HEADER, part, name, name, expected, actual, message, breaking=breaking,
                           evidence=self._judge.told(place, expected, actual))  # fmt: skip
        if noise := self._noise(name, expected, actual, policy):
            self.ignored.append(Ignored(part, name, name, expected, actual, noise.reason, trial=noise.trial,
                                        place=place, otherwise=found))  # fmt: skip
        else:
            self.differences.append(found)

    def _noise(self, name: str, expected: str, actual: str, policy: Policy) -> Noise | None:
        if policy is Policy.VOLATILE:
            return Noise("volatile header")
        if name == "etag" and _is_etag(expected) and _is_etag(actual):
            return Noise("etag")
        return self._judge.noise_at(f"header:{name}", "", expected, actual)

    def _cookies(self, part: Part, expected: Headers, actual: Headers) -> None:
        ours, theirs = set_cookies(expected), set_cookies(actual)
        for name, (value, attributes) in ours.items():
            pointer = f"set-cookie/{name}"
            if name not in theirs:
                self._lost(part, pointer, value)
                continue
            live, live_attributes = theirs[name]
            if value != live:
                self._cookie_value(part, pointer, value, live)
            self._attributes(part, pointer, attributes, live_attributes)
        for name in theirs.keys() - ours.keys():
            self._gained(part, f"set-cookie/{name}", theirs[name][0])

    def _cookie_value(self, part: Part, pointer: str, value: str, live: str) -> None:
        reason = self._judge.reason("header:set-cookie", join("", pointer.partition("/")[2]), value, live)
        if reason is None and value and live and self._signed(value, live):
            reason = "signed cookie"
        if reason:
            self.ignored.append(Ignored(part, pointer, pointer, value, live, reason))
            return
        was, now = said_pair(value, live)
        message = f"the cookie {pointer.partition('/')[2]} was {was} and is now {now}"
        self.differences.append(Difference(FindingClass.HEADER, part, pointer, pointer, value, live, message))

    def _signed(self, value: str, live: str) -> bool:
        """Frameworks sign session cookies with the time (itsdangerous: payload.time.signature): the payload counts."""
        ours, theirs = value.rpartition(".")[0], live.rpartition(".")[0]
        ours, theirs = ours.rpartition(".")[0] or ours, theirs.rpartition(".")[0] or theirs
        same = ours == theirs or bool(self._judge.reason("", "", ours, theirs))
        return bool(ours) and value.count(".") == live.count(".") and same

    def _attributes(self, part: Part, pointer: str, ours: dict[str, str], theirs: dict[str, str]) -> None:
        for name in sorted(ours.keys() | theirs.keys()):
            before, after = ours.get(name), theirs.get(name)
            if before == after:
                continue
            if before and after and name == "expires" and self._judge.reason("", "", before, after):
                continue
            where = f"{pointer}/{name}"
            was, now = said_pair(before, after)
            message = f"the cookie attribute {name} was {was} and is now {now}"
            self.differences.append(Difference(FindingClass.HEADER, part, where, where, before, after, message))


def header_values(headers: Headers) -> dict[str, str]:
    """The headers that are compared by value, repeated lines joined."""
    parted = ("set-cookie", "content-type", "etag")
    return {name: ", ".join(values) for name, values in _grouped(headers).items()
            if POLICIES.get(name, Policy.VALUE) is Policy.VALUE and name not in parted}  # fmt: skip


def _grouped(headers: Headers) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value.strip())
    return found


def _members(value: str) -> set[str]:
    return {member for part in value.lower().split(",") if (member := part.strip())}


def _media(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _same_type(expected: str, actual: str) -> bool:
    """Equal media types whose parameters differ at most in charset, boundary, spelling or order.

    Text that lost its charset is not the same: its reader must guess now (RFC 9110 §8.3.2). JSON has none (RFC 8259
    §11). Another charset is judged by what the body says in it.
    """
    guessed = _media(expected).startswith("text/") and _has_charset(expected) and not _has_charset(actual)
    return _media(expected) == _media(actual) and _parameters(expected) == _parameters(actual) and not guessed


def _has_charset(value: str) -> bool:
    return any(part.strip().lower().startswith("charset=") for part in value.split(";")[1:])


def _parameters(value: str) -> set[str]:
    parameters: Iterable[str] = (part.strip().lower().replace('"', "") for part in value.split(";")[1:])
    return {each for each in parameters if each and not each.startswith(("charset=", "boundary="))}


def _is_etag(value: str) -> bool:
    return value.removeprefix("W/").startswith('"') and value.endswith('"')
