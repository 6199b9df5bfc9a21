"""Which differences are set aside, why, and what noise must still keep."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from recorded import (
    LIVE_NS,
    NO_PLAN,
    QUIET,
    RECORDED_NS,
    App,
    compare_bodies,
    exchange,
    record,
    replay,
    request,
    response,
)

from wiretape_capture.snapshot.exchange import Request, Response
from wiretape_replay.align import align
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.engine.spec import NoiseRule
from wiretape_replay.leaves import walk

REC_S, LIVE_S = RECORDED_NS // 10**9, LIVE_NS // 10**9
UUID, OTHER = "8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a", "0b9d2c47-1f5e-4a3b-8c6d-7e8f9a0b1c2d"


def jwt(**claims: JsonValue) -> str:
    parts = [{"alg": "HS256"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, f"c2ln{claims.get('iat', 0)}"])


def verdict(comparison: Comparison) -> list[str]:
    return [f"{each.kind}" for each in comparison.differences] + [each.reason for each in comparison.suppressed]


@pytest.mark.parametrize(
    ("expected", "actual", "result"),
    [
        (UUID, OTHER, ["uuid"]),
        (UUID, UUID[:-1] + "b", ["value"]),
        (UUID, "none", ["format"]),
        (UUID, "", ["format"]),
        ("2026-09-21T14:13:20Z", "2026-09-24T14:13:25.123Z", ["datetime"]),
        ("2026-09-21T14:13:20Z", "2026-09-24T14:13:25+00:00", ["format"]),
        ("2026-09-21T14:13:20Z", "1970-01-01T00:00:00Z", ["value"]),
        ("1990-05-01T00:00:00Z", "2026-09-24T14:13:25Z", ["value"]),
        ("1990-05-01", "1990-05-02", ["value"]),
        ("2026-09-21", "2026-09-24", ["date"]),
        ("2026-09-24", "2026-09-27", ["date"]),
        ("2026-09-24", "2026-09-26", ["value"]),
        ("2026-09-24", "2026-09-29", ["value"]),
        ("2026-09-21T14:13:20Z", "2026-09-24T09:13:20Z", ["value"]),
        ("2026-09-21T11:00:00Z", "2026-09-24T10:13:20Z", ["datetime"]),
        (REC_S * 1000 + 5, (LIVE_S - 7200) * 1000, ["value"]),
        ("2026-10-21T14:13:20Z", "2026-10-24T14:13:25Z", ["datetime"]),
        ("2026-10-21T14:13:20Z", "2026-09-25T14:13:25Z", ["value"]),
        ("09:00:00", "10:00:00", ["value"]),
        (REC_S + 5, LIVE_S + 5, ["epoch-s"]),
        (REC_S * 1000 + 5, LIVE_S * 1000 + 5, ["epoch-ms"]),
        (REC_S * 1000, LIVE_S, ["format"]),
        (REC_S + 3600, LIVE_S + 3600, ["epoch-s"]),
        (REC_S + 3600, LIVE_S + 60, ["value"]),
        (17, 18, ["value"]),
        (REC_S, str(LIVE_S), ["type"]),
        (jwt(sub="alice", iat=REC_S, exp=REC_S + 60), jwt(sub="alice", iat=LIVE_S, exp=LIVE_S + 60), ["jwt"]),
        (jwt(sub="alice", iat=REC_S), jwt(sub="bob", iat=LIVE_S), ["value"]),
        (jwt(sub="alice", iat=REC_S), jwt(sub="alice", admin=True, iat=LIVE_S), ["value"]),
        (f"order-{UUID}", f"order-{OTHER}", ["holds uuid"]),
        (f"order-{UUID}", f"item-{OTHER}", ["value"]),
        (f"Order {UUID} at 2026-09-21T14:13:20Z", f"Order {OTHER} at 2026-09-24T14:13:21Z",
         ["holds uuid and datetime"]),
        ("sess_9sXb2kQz7Lw0TtYp4RfVhN", "sess_h3Gk8PqW1zXc5VbN0mLa7S", ["token"]),
        ("sess_9sXb2kQz7Lw0TtYp4RfVhN", "user_h3Gk8PqW1zXc5VbN0mLa7S", ["value"]),
        (f"Order {UUID} is new", f"Order {OTHER} is old", ["value"]),
        ("http://127.0.0.1:8000/a", "http://localhost:8000/a", ["address of the app"]),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/b", ["value"]),
        ("hello world", "hello there", ["value"]),
        ("Queries took 2.964ms", "Queries took 12.3ms", ["holds duration"]),
        ("done in 2.9 s", "done in 3.1 s", ["holds duration"]),
        ("Ships in 2 s", "Ships in 3 s", ["value"]),
        ({"query_ms": 2.93774}, {"query_ms": 3.28652}, ["duration"]),
        ({"elapsed": 12}, {"elapsed": 15}, ["duration"]),
        ({"elapsed": 12}, {"elapsed": -15}, ["value"]),
        ({"timeout_ms": 5000}, {"timeout_ms": 3000}, ["value"]),
        ({"price": 2.93774}, {"price": 3.28652}, ["value"]),
        ({"sha256": "d41d8cd98f00b204e9800998ecf8427e"}, {"sha256": "0cc175b9c0f1b6a831c399e269772661"}, ["value"]),
        ({"sha256": "d41d8cd98f00b204e9800998ecf8427e", "id": UUID},
         {"sha256": "0cc175b9c0f1b6a831c399e269772661", "id": OTHER}, ["hex", "uuid"]),
        ({UUID: 1, "x": 2}, {OTHER: 1, "x": 2}, ["uuid"]),
        ({UUID: 1}, {OTHER: 2}, ["value", "uuid"]),
    ],
)  # fmt: skip
def test_a_difference_is_noise_only_with_a_reason(expected: Any, actual: Any, result: list[str]) -> None:
    if not isinstance(expected, dict):
        expected, actual = {"field": expected}, {"field": actual}
    assert verdict(compare_bodies(expected, actual)) == result


def snowflake(at_s: int, serial: int) -> str:
    return str(((at_s * 1000 - 1_288_834_974_657) << 22) | serial)


def test_a_snowflake_written_as_text_is_noise_while_its_time_is_of_its_run() -> None:
    recorded = {"entry": snowflake(REC_S, 7)}
    assert verdict(compare_bodies(recorded, {"entry": snowflake(LIVE_S, 9)})) == ["snowflake"]
    for wrong in (snowflake(LIVE_S - 30 * 86_400, 9), snowflake(LIVE_S, 9)[:-3], ""):
        assert verdict(compare_bodies(recorded, {"entry": wrong})) != ["snowflake"]
    exchanges = [exchange(1, request("GET", "/things"), response([recorded, {"entry": snowflake(REC_S, 8)}]))]
    noise = NoiseModel.learn(exchanges, find_bindings(exchanges))
    assert verdict(compare_bodies(recorded, {"entry": snowflake(REC_S, 8)}, noise)) == ["value"]


@pytest.mark.parametrize(
    ("expected", "actual", "result"),
    [
        ("jOcKsFUSjBpklDsf", "oKrHZ6mCXkA1CUgL", ["token"]),
        ("oKrHZ6mCXkA1CUgL", "jOcKsFUSjBpklDsf", ["token"]),
        ("https://labels.test/jOcKsFUSjBpklDsf.pdf", "https://labels.test/oKrHZ6mCXkA1CUgL.pdf", ["holds token"]),
        ("https://labels.test/oKrHZ6mCXkA1CUgL.pdf", "https://labels.test/jOcKsFUSjBpklDsf.pdf", ["holds token"]),
        ("https://labels.test/oKrHZ6mCXkA1CUgL.pdf", "https://labels.test/report-not-found.pdf", ["value"]),
        ("https://labels.test/oKrHZ6mCXkA1CUgL.pdf", "https://labels.test/ReportNotFoundAt.pdf", ["value"]),
        ("https://labels.test/oKrHZ6mCXkA1CUgL.pdf", "https://labels.test/jOcKsFUSjBpkl.pdf", ["value"]),
        ("https://labels.test/oKrHZ6mCXkA1CUgL.pdf", "https://labels.test/jOcKsFUSjBpklDsf.png", ["value"]),
        ("oKrHZ6mCXkA1CUgL", "NullPointerExcep", ["format"]),
    ],
)  # fmt: skip
def test_one_of_two_tokens_may_lack_the_digits_of_the_other(expected: str, actual: str, result: list[str]) -> None:
    assert verdict(compare_bodies({"label": expected}, {"label": actual})) == result


def test_a_value_that_the_client_sent_or_the_recording_knows_is_not_new() -> None:
    exchanges = [exchange(1, request("GET", "/things"), response({"a": UUID, "b": OTHER}))]
    noise = NoiseModel.learn(exchanges, find_bindings(exchanges))
    assert verdict(compare_bodies({"a": UUID}, {"a": OTHER}, noise)) == ["value"]


def learned(*answers: Any, between: str = "GET", rules: tuple[NoiseRule, ...] = ()) -> NoiseModel:
    exchanges = []
    for number, answer in enumerate(answers):
        exchanges.append(exchange(2 * number + 1, request("GET", "/things"), response(answer)))
        exchanges.append(exchange(2 * number + 2, request(between, "/other"), response({})))
    return NoiseModel.learn(exchanges, NO_PLAN, rules)


CODES = [
    ("host", "shop-1", "shop-2"), ("plan", "plan-1", "plan-2"), ("sku", "SKU-001", "SKU-002"), ("n_id", 17, 18),
    ("coupon", "SAVE10", "SAVE20"), ("status", "step_1", "step_9"), ("release", "rel_2024a", "rel_2024b"),
    ("iban", "DE89370400440532013000", "DE89370400440532013001"), ("slug", "lamp-2", "mug-77"),
    ("ref", "a1b2c3d4", "b2c3d4e5"), ("orderId", "1001", "1002"),
    ("sha256", "d41d8cd98f00b204e9800998ecf8427e", "0cc175b9c0f1b6a831c399e269772661"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "recorded", "live"), CODES)
def test_a_code_that_a_read_shows_and_nobody_uses_is_data(name: str, recorded: Any, live: Any) -> None:
    def app(value: Any) -> Any:
        return lambda _request, _now: response({name: value, "region": "eu"})

    played = replay(record(app(recorded), [request("GET", "/info")] * 3), app(live))
    kinds = {str(each.kind) for compared in played.comparisons.values() for each in compared.differences}
    assert kinds == {"value"}


def test_a_code_that_a_later_request_carries_may_become_another() -> None:
    def app(value: str) -> Any:
        return lambda _request, _now: response({"order": {"id": value, "state": "new"}})

    played = replay(record(app("ORD-001"), [request("GET", "/next"), request("GET", "/orders/ORD-001")]), app("ORD-7"))
    assert all(not compared.differences for compared in played.comparisons.values())


def test_what_differs_between_identical_requests_is_noise_but_keeps_its_shape() -> None:
    noise = learned({"load": 1.5, "n": 1}, {"load": 2.5, "n": 1}, {"load": 2.5, "n": 1})
    same = compare_bodies({"load": 1.5, "n": 1}, {"load": 7.25, "n": 1}, noise)
    assert verdict(same) == ["differed in 1 of 2 repetitions in the recording"]
    for wrong in (None, "7", -1.5, 1e9):
        assert compare_bodies({"load": 1.5}, {"load": wrong}, noise).outcome == "different"
    assert verdict(compare_bodies({"n": 1}, {"n": 2}, noise)) == ["value"]


def test_a_varying_time_keeps_its_unit() -> None:
    noise = learned(*({"at": REC_S * 1000 - n * 10**10} for n in (1, 2)))
    kept = compare_bodies({"at": REC_S * 1000 - 10**10}, {"at": LIVE_S * 1000 - 3 * 10**10}, noise)
    lost = compare_bodies({"at": REC_S * 1000 - 10**10}, {"at": LIVE_S - 3 * 10**7}, noise)
    assert (len(kept.differences), len(kept.suppressed)) == (0, 1)
    assert len(lost.differences) == 1


def test_a_change_after_a_write_is_no_noise() -> None:
    noise = learned({"total": 1}, {"total": 2}, between="POST")
    assert verdict(compare_bodies({"total": 1}, {"total": 3}, noise)) == ["value"]


def test_an_order_that_varies_in_the_recording_is_noise() -> None:
    rows = [{"id": 1}, {"id": 2}, {"id": 3}]
    noise = learned({"rows": rows}, {"rows": rows[::-1]})
    swapped = {"rows": [rows[1], rows[0], rows[2]]}
    assert verdict(compare_bodies({"rows": rows}, swapped, noise)) == [
        "order differed in 1 of 1 repetitions in the recording"
    ]
    assert verdict(compare_bodies({"rows": rows}, swapped)) == ["order"]
    assert verdict(compare_bodies({"rows": rows}, {"rows": rows[:2]}, noise)) == ["removed"]


def test_structure_is_never_learned() -> None:
    noise = learned({"a": 1, "b": 1}, {"a": "1"}, {"b": None})
    assert verdict(compare_bodies({"a": 1, "b": 1}, {"a": "1", "b": None}, noise)) == ["type", "null"]
    assert verdict(compare_bodies({"a": 1, "b": 1}, {"a": 1}, noise)) == ["removed"]


def test_a_rule_of_the_user_covers_its_place_only() -> None:
    rule = NoiseRule(route="GET /things", pointer="/rows/*/score", reason="random")
    noise = learned({}, rules=(rule, NoiseRule(pointer="header:X-Mood")))
    expected, actual = ({"rows": [{"score": a, "rank": b}]} for a, b in ((1.5, 1), (2.5, 2)))
    assert verdict(compare_bodies(expected, actual, noise)) == ["value", "rule /rows/*/score: random"]
    assert verdict(compare_bodies({"rows": [{"score": 1.5}]}, {"rows": [{"score": None}]}, noise)) == ["null"]


@given(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1), st.data())
def test_one_dropped_element_is_one_difference(names: list[str], data: st.DataObject) -> None:
    rows: list[JsonValue] = [{"id": name, "n": index} for index, name in enumerate(names)]
    gone = data.draw(st.integers(0, len(rows) - 1))
    found = align(rows, rows[:gone] + rows[gone + 1 :], lambda _, value: value)
    assert (found.removed, found.added, found.moved) == ((gone,), (), False)


def test_serial_ids_that_started_elsewhere_are_aligned_by_their_content() -> None:
    recorded: list[JsonValue] = [{"id": n, "name": f"n{n}"} for n in (17, 18, 19, 20)]
    live: list[JsonValue] = [{"id": n + 2, "name": f"n{n}"} for n in (17, 18, 19, 20)]
    found = align(recorded, live, lambda _, value: value)
    assert (found.pairs, found.removed, found.added) == (((0, 0), (1, 1), (2, 2), (3, 3)), (), ())


SCALARS: st.SearchStrategy[JsonValue] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12),
    st.uuids().map(str), st.datetimes().map(lambda each: each.isoformat()),
)  # fmt: skip
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)


@given(JSON)
def test_a_document_equals_itself(value: JsonValue) -> None:
    same = compare_bodies([value], [value])
    assert (same.outcome, same.differences, same.suppressed) == ("bytes-equal", (), ())
    respelt = compare_bodies(json.dumps([value]), json.dumps([value], indent=1, sort_keys=True))
    assert (respelt.differences, respelt.suppressed) == ((), ())


PLAIN = st.recursive(
    st.one_of(st.integers(-99, 99), st.booleans(), st.text("abc xyz", min_size=1, max_size=6)),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "c", "d/e", "f~g"]), inner, min_size=1, max_size=4),
    max_leaves=8,
)


def replaced(value: Any, pointer: str, leaf: JsonValue) -> Any:
    if not pointer:
        return leaf
    key, _, rest = pointer[1:].partition("/")
    name = key.replace("~1", "/").replace("~0", "~")
    return value | {name: replaced(value[name], f"/{rest}" if rest else "", leaf)}


@given(st.dictionaries(st.sampled_from(["a", "b", "d/e"]), PLAIN, min_size=1), st.data())
def test_any_single_mutation_is_found_at_its_place(document: JsonValue, data: st.DataObject) -> None:
    pointer, leaf = data.draw(st.sampled_from(list(walk(document))))
    other = data.draw(st.one_of(st.none(), st.integers(-99, 99), st.booleans(), st.text("abc xyz", max_size=6)))
    if type(other) is type(leaf) and other == leaf:
        return
    comparison = compare_bodies(document, replaced(document, pointer, other))
    assert [each.at for each in comparison.differences] == [pointer]
    assert comparison.outcome == "different"


@given(SCALARS, SCALARS)
def test_noise_never_hides_another_type(expected: JsonValue, actual: JsonValue) -> None:
    rule = NoiseRule(pointer="/x")
    noise = NoiseModel(QUIET.window, NO_PLAN, (rule,))
    kinds = [type(each) if not isinstance(each, float) else int for each in (expected, actual)]
    if kinds[0] is not kinds[1]:
        assert compare_bodies({"x": expected}, {"x": actual}, noise).outcome == "different"


def test_keys_that_are_only_said_to_be_ids_are_known_by_whatever_they_name() -> None:
    def app(first: int) -> App:
        def answer(sent: Request, _now: int) -> Response:
            if sent.method == "POST":
                return response({"id": first, "lines": 2}, 201)
            return response({"by_id": {str(first): {"lines": 2}}})

        return answer

    exchanges = record(app(1001), [request("POST", "/orders", {"n": 1}), request("GET", "/summary")])
    assert replay(exchanges, app(50_003)).found == []


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("wrong", ["WRONG", "POT", "tea"])
def test_a_word_that_is_only_read_is_data_though_later_requests_carry_it(listed: bool, wrong: str) -> None:
    def shop(instead: str) -> App:
        def answer(sent: Request, _now: int) -> Response:
            name = sent.target.rpartition("/")[2]
            if sent.target == "/items":
                return response({"items": [{"sku": instead or each} for each in ("tea", "pot")]})
            known = sent.target.startswith("/items/")
            return response({"sku": instead or name} if known else {"error": "no"}, 200 if known else 404)

        return answer

    script = [request("GET", target) for target in ("/items/tea", "/items/pot", "/nope?sku=tea", "/nope?sku=pot")]
    exchanges = record(shop(""), [request("GET", "/items"), *script] if listed else script)
    assert replay(exchanges, shop("")).found == []
    at = len(exchanges) - 2
    assert (at, "value", "/sku") in replay(exchanges, shop(wrong)).found


class _Orders:
    """Numbers orders in the order given, and says in two ways which one a request was about."""

    def __init__(self, numbers: list[int], wrong: int = 0, spare: int = 5) -> None:
        self.numbers, self.wrong, self.spare = iter(numbers), wrong, spare

    def __call__(self, asked: Request, _now: int) -> Response:
        parts = asked.target.strip("/").split("/")
        if len(parts) == 1:
            return response({"id": next(self.numbers), "state": "new"}, 201)
        number = int(parts[1])
        said = {"cancelled": self.wrong or number} if parts[2] == "cancel" else {"about": self.wrong or number}
        return response({**said, "spare": self.spare})


def _on(number: int, what: str) -> Any:
    return lambda answers: request("POST", f"/orders/{json.loads(answers[number].body.data)['id']}/{what}")


@pytest.mark.parametrize("what", ["cancel", "audit"])
def test_a_field_of_any_name_that_repeats_the_requests_id_follows_it(what: str) -> None:
    tape = record(_Orders([1, 2]), [request("POST", "/orders"), request("POST", "/orders"), _on(1, what), _on(2, what)])
    swapped = replay(tape, _Orders([2, 1]))
    assert swapped.found == []
    reasons = {each.reason for each in swapped.comparisons[3].suppressed}
    assert reasons == {"bound to POST /orders"}
    name = "/cancelled" if what == "cancel" else "/about"
    assert (3, "value", name) in replay(tape, _Orders([2, 1], wrong=7)).found
    assert (4, "value", name) in replay(tape, _Orders([1, 2], wrong=1)).found


def test_a_number_that_is_the_requests_id_by_chance_stays_data() -> None:
    once = [request("POST", "/orders"), request("POST", "/orders"), _on(2, "audit")]
    tape = record(_Orders([1, 2], spare=2), once)
    assert (3, "value", "/spare") in replay(tape, _Orders([2, 1], spare=1)).found
    tape = record(_Orders([1, 2], spare=2), [*once, _on(1, "audit")])
    assert (3, "value", "/spare") in replay(tape, _Orders([2, 1], spare=1)).found
