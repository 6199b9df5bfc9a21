"""One route's traffic as an agent sees it: credentials masked, a line each, no recorded text outside of a fence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wiretape_replay.traffic.view import CallRow, Field, RouteRow, Sample, Times
from wiretape_server.mcp.masking import Mask, carries_credential
from wiretape_server.mcp.results import cut

LINE_LIMIT = 140
VALUE_LIMIT = 60
REASON_LIMIT = 120


def masked_sample(sample: Sample, mask: Mask) -> Sample:
    """A request with what carries credentials in its URL masked."""
    return sample.model_copy(update={"line": cut(mask.queries(sample.line), LINE_LIMIT),
                                     "why": tuple(cut(why, REASON_LIMIT) for why in sample.why)})  # fmt: skip


def masked_field(field: Field) -> Field:
    """A place without values where its name tells of a credential."""
    name = field.place.rpartition(" ")[2].rpartition("/")[2]
    secret = carries_credential(name)
    values = {} if secret else {cut(text, VALUE_LIMIT): count for text, count in field.values.items()}
    return field.model_copy(update={"place": cut(field.place, LINE_LIMIT), "values": values,
                                    "numbers": () if secret else field.numbers})  # fmt: skip


def shortened_call(call: CallRow, mask: Mask) -> CallRow:
    """A call whose name fits a line."""
    return call.model_copy(update={"call": cut(mask.queries(call.call), LINE_LIMIT)})


def shortened_row(row: RouteRow) -> RouteRow:
    """A route whose name fits a line."""
    return row.model_copy(update={"route": cut(row.route, LINE_LIMIT)})


def row_line(row: RouteRow) -> str:
    """`GET /orders/{id}: 40 requests (200: 38, 404: 2), p50 3.1 ms, p95 8.0 ms; e.g. exchange 4`."""
    asked = f"{row.route}: {row.requests} requests ({counts(row.statuses)})"
    return f"{asked}{_times(row.times)}; e.g. exchange {row.example}"


def sample_line(sample: Sample) -> str:
    """`17 GET /orders/99 -> 404: status 404 in 2 of 40`."""
    return f"{sample.sequence} {sample.line}: {'; '.join(sample.why)}"


def call_line(call: CallRow) -> str:
    """`GET prices.test:80/price: 40 calls by 40 requests (200: 40), p50 2.0 ms; e.g. exchange 5`."""
    maybe = f", perhaps {call.possibly} more" if call.possibly else ""
    return (f"{call.call}: {call.calls} calls by {call.requests} requests{maybe} ({counts(call.statuses)})"
            f"{_times(call.times)}; e.g. exchange {call.example}")  # fmt: skip


def field_line(field: Field) -> str:
    """`200 body /total: number 38, null 2; 40 of 40; 1.5 / 20 / 9999`."""
    parts = [counts(field.types, " "), f"{field.present} of {field.of}"]
    if field.values:
        parts.append(counts(field.values, " x"))
    if field.formats:
        parts.append(counts(field.formats, " "))
    parts += [f"{name} {said}" for name, said in
              (("min/median/max", " / ".join(field.numbers)), ("length", " to ".join(field.length)),
               ("elements", " to ".join(field.items))) if said]  # fmt: skip
    return f"{field.place}: {'; '.join(parts)}"


def traffic_lines(samples: tuple[Sample, ...], calls: tuple[CallRow, ...], fields: tuple[Field, ...]) -> Iterator[str]:
    """What is shown of a route, to be fenced."""
    yield from (f"look at {sample_line(one)}" for one in samples)
    yield from (f"calls {call_line(one)}" for one in calls)
    yield from map(field_line, fields)


def counts(of: Mapping[str, int], between: str = ": ") -> str:
    """`200: 38, 404: 2`."""
    return ", ".join(f"{name}{between}{count}" for name, count in of.items())


def _times(times: Times | None) -> str:
    return f", p50 {times.p50:.1f} ms, p95 {times.p95:.1f} ms of {times.n}" if times else ""
