"""What replays of unchanged code prove: noise that nothing else shows, and data that only looks like noise."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

import pytest
from recorded import LIVE, LIVE_NS, exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import BindingPlan, find_bindings
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.findings import Result
from wiretape_replay.compare.judge import Judge
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.observations import Observations
from wiretape_replay.compare.observing import Watch
from wiretape_replay.compare.places import Kind
from wiretape_replay.compare.response import compare
from wiretape_replay.compare.settle import settle

type Answer = Callable[[int], Any]
"""The body of the n-th answer."""

ROUTE = "GET /things"
JSON = "application/json"


def recorded(answer: Answer, count: int, media: str = JSON) -> list[Exchange]:
    return [
        exchange(n, request("GET", f"/things?n={n}"), response(answer(n), content_type=media))
        for n in range(1, count + 1)
    ]


def played(exchanges: Sequence[Exchange], plan: BindingPlan, answer: Answer,
           media: str) -> tuple[LiveSession, dict[int, Response]]:  # fmt: skip
    live = {each.sequence: response(answer(each.sequence), content_type=media) for each in exchanges}
    session = LiveSession(plan, target="127.0.0.1:9000")
    for each in exchanges:
        session.observe(each, live[each.sequence])
    return session, live


def learned(exchanges: Sequence[Exchange], unchanged: Sequence[Answer], rules: Sequence[LearnedRule] = (),
            media: str = JSON) -> NoiseModel:  # fmt: skip
    """What a recording and replays of unchanged code say."""
    noise = NoiseModel.learn(exchanges, find_bindings(exchanges), evidence=Observations.of_rules(rules))
    shapes = noise.evidence.shapes.setdefault(ROUTE, {})
    for number, answer in enumerate(unchanged):
        session, live = played(exchanges, noise.plan, answer, media)
        for each in exchanges:
            assert each.response
            watch = Watch(Judge(each, ROUTE, noise, session, LIVE), shapes, recorded_too=number == 0)
            noise.evidence.count(ROUTE, watch.answer(each.response, live[each.sequence]))
        noise.evidence.end_pass(LIVE_NS - noise.window.end_ns)
    return noise


def judged(exchanges: Sequence[Exchange], noise: NoiseModel, candidate: Answer, media: str = JSON) -> list[Result]:
    """The comparison of a candidate."""
    session, live = played(exchanges, noise.plan, candidate, media)
    seen, results = Observations(), []
    for each in exchanges:
        assert each.response
        watch = Watch(Judge(each, ROUTE, noise, session, LIVE))
        seen.count(ROUTE, watch.answer(each.response, live[each.sequence]))
        results.append((each, ROUTE, compare(each, live[each.sequence], route=ROUTE, noise=noise, session=session,
                                             live_window=LIVE)))  # fmt: skip
    seen.end_pass()
    return settle(results, noise, seen.tallies)


def found(exchanges: Sequence[Exchange], unchanged: Sequence[Answer], candidate: Answer,
          rules: Sequence[LearnedRule] = (), media: str = JSON) -> list[Result]:  # fmt: skip
    return judged(exchanges, learned(exchanges, unchanged, rules, media), candidate, media)


def errors(results: Sequence[Result]) -> set[tuple[str, str]]:
    return {(each.kind.value, each.pointer) for _, _, comparison in results for each in comparison.differences
            if each.severity == "error"}  # fmt: skip


def evidence(results: Sequence[Result]) -> set[str]:
    return {each.evidence for _, _, comparison in results for each in comparison.differences}


def reasons(results: Sequence[Result]) -> set[str]:
    return {each.reason for _, _, comparison in results for each in comparison.suppressed}


STOCK = [{"sku": f"S{n:03}", "name": f"Tea {n}", "price": 3 + n / 4} for n in range(40)]
TAGS = ["green", "black", "white", "herbal", "rooibos", "oolong"]


def app(seed: str, change: Callable[[dict[str, Any]], object] = lambda _: None, nulls: float = 0.1) -> Answer:
    """Ordinary fields that vary, and a few that do not."""
    random = Random(seed)
    start = random.randrange(100, 9000)

    def answer(n: int) -> Any:
        body: dict[str, Any] = {
            "host": f"web-{random.randrange(1, 30)}", "hits": start + n, "score": round(random.gauss(0.87, 0.004), 5),
            "promo": None if random.random() < nulls else "spring sale", "tags": random.sample(TAGS, len(TAGS)),
            "picks": [dict(each) for each in random.sample(STOCK, 4)], "unit": "3f2b8c1e-9a4d-4c57-8a11-5d0f7be1a001",
            "trace": str(uuid.UUID(int=random.getrandbits(128), version=4)), "price": 12.5, "n": n,
            "size": random.choice(["small", "medium", "large"]), "fast": random.random() < 0.5,
        }  # fmt: skip
        change(body)
        return body

    return answer


@cache
def shop() -> tuple[list[Exchange], NoiseModel]:
    """Thirty answers of the app and three replays of it."""
    exchanges = recorded(app("recorded"), 30)
    return exchanges, learned(exchanges, [app(f"unchanged {n}") for n in range(3)])


@pytest.mark.parametrize("seed", range(8))
def test_unchanged_code_has_no_finding(seed: int) -> None:
    unchanged = [app(f"{seed} unchanged {n}") for n in range(3)]
    results = found(recorded(app(f"{seed} recorded"), 30), unchanged, app(f"{seed} candidate"))
    assert errors(results) == set()


def test_without_a_baseline_ordinary_noise_is_found() -> None:
    results = found(recorded(app("recorded"), 30), [], app("candidate"))
    assert {pointer for _, pointer in errors(results)} >= {"/host", "/score", "/promo", "/tags", "/picks/*", "/size"}


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "host null": (lambda body: body.update(host=None), "/host"),
    "host empty": (lambda body: body.update(host=""), "/host"),
    "host a number": (lambda body: body.update(host=7), "/host"),
    "host gone": (lambda body: body.pop("host"), "/host"),
    "host too long": (lambda body: body.update(host="w" * 80), "/host"),
    "host a token": (lambda body: body.update(host="3f2b8c1e-9a4d-4c57-8a11-5d0f7be1a002"), "/host"),
    "hits negative": (lambda body: body.update(hits=-body["hits"]), "/hits"),
    "hits with a fraction": (lambda body: body.update(hits=body["hits"] + 0.5), "/hits"),
    "hits as text": (lambda body: body.update(hits=str(body["hits"])), "/hits"),
    "hits in thousands": (lambda body: body.update(hits=body["hits"] * 10**6), "/hits"),
    "score in percent": (lambda body: body.update(score=body["score"] * 100), "/score"),
    "score zero": (lambda body: body.update(score=0), "/score"),
    "score null": (lambda body: body.update(score=None), "/score"),
    "promo always null": (lambda body: body.update(promo=None), "/promo"),
    "promo empty": (lambda body: body.update(promo=""), "/promo"),
    "promo gone": (lambda body: body.pop("promo"), "/promo"),
    "tag lost": (lambda body: body["tags"].remove("green"), "/tags/*"),
    "tag twice": (lambda body: body["tags"].append("green"), "/tags/*"),
    "tag null": (lambda body: body["tags"].__setitem__(0, None), "/tags/*"),
    "tags gone": (lambda body: body.pop("tags"), "/tags"),
    "no pick": (lambda body: body["picks"].clear(), "/picks"),
    "pick lost": (lambda body: body["picks"].pop(), "/picks"),
    "pick without a name": (lambda body: body["picks"][0].pop("name"), "/picks/*/name"),
    "pick's price null": (lambda body: body["picks"][0].update(price=None), "/picks/*/price"),
    "pick's price as text": (lambda body: body["picks"][0].update(price="3.5"), "/picks/*/price"),
    "pick's price in cents": (lambda body: body["picks"][0].update(price=body["picks"][0]["price"] * 1000),
                              "/picks/*/price"),
    "picks null": (lambda body: body.update(picks=None), "/picks"),
    "trace null": (lambda body: body.update(trace=None), "/trace"),
    "trace short": (lambda body: body.update(trace="abc"), "/trace"),
    "fixed uuid drawn anew": (lambda body: body.update(unit=str(uuid.uuid4())), "/unit"),
    "price by a cent": (lambda body: body.update(price=12.51), "/price"),
    "size a number": (lambda body: body.update(size=3), "/size"),
    "fast as text": (lambda body: body.update(fast="true"), "/fast"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_a_noisy_field_is_found(fault: str) -> None:
    change, pointer = FAULTS[fault]
    results = judged(*shop(), app("candidate", change))
    assert {where for _, where in errors(results)} >= {pointer}
    assert {where for _, where in errors(results)} <= {pointer, f"{pointer}/*", pointer.removesuffix("/*")}


def test_the_reason_names_what_unchanged_code_showed() -> None:
    results = judged(*shop(), app("candidate"))
    assert any(reason.startswith("differed in ") and reason.endswith(" answers of unchanged code")
               for reason in reasons(results))  # fmt: skip
    results = judged(*shop(), app("candidate", lambda body: body.update(price=1.0)))
    assert "never differed in 90 answers of unchanged code, so in less than 3 % of all" in evidence(results)


def test_a_rate_that_rose_is_found_with_its_chance() -> None:
    results = judged(*shop(), app("candidate", nulls=0.8))
    assert errors(results) == {("null", "/promo")}
    assert any("answers, on unchanged code in" in text for text in evidence(results))


def one(value: Any) -> Answer:
    return lambda _: {"value": value}


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("0b5f0e5c-8a35-4f6e-9a43-7d1f4f1e2a01", "c7c9a2de-9a2c-4c1a-8a0e-0e0f5a1b2c3d"),
        ("sk_test_9f8Xq2LmPz71Kd0aVb", "sk_test_Zx81mQnB44tRw0Lk2f"),
        ("2026-09-21T14:13:21.512Z", "2026-09-24T14:13:25.113Z"),
        ("ref 0b5f0e5c-8a35-4f6e-9a43-7d1f4f1e2a01", "ref c7c9a2de-9a2c-4c1a-8a0e-0e0f5a1b2c3d"),
    ],
)
def test_what_never_varied_is_data_however_it_looks(was: str, now: str) -> None:
    exchanges = recorded(one(was), 1)
    assert errors(found(exchanges, [], one(now))) == set()
    assert errors(found(exchanges, [one(was)] * 2, one(now))) == set()
    assert errors(found(exchanges, [one(was)] * 3, one(now))) == {("value", "/value")}


def test_a_time_is_no_data_when_it_could_not_have_moved() -> None:
    """A date is the same all day: replays on the day of the recording say nothing about the next day's."""
    exchanges = recorded(one("2026-09-21"), 1)
    noise = NoiseModel.learn(exchanges, find_bindings(exchanges))
    judge = Judge(exchanges[0], ROUTE, noise, None, LIVE)
    for _ in range(3):
        assert exchanges[0].response
        noise.evidence.count(ROUTE, Watch(judge).answer(exchanges[0].response, response({"value": "2026-09-21"})))
        noise.evidence.end_pass(gap_ns=3600 * 10**9)
    assert judge.reason("/value", "/value", "2026-09-21", "2026-09-24") == "date"


def test_status_and_type_are_never_learned() -> None:
    exchanges = recorded(one(7), 5)
    assert errors(found(exchanges, [one("7")] * 3, one("7"))) == {("type", "/value")}
    assert errors(found(exchanges, [one(None)] * 3, one(None))) == {("null", "/value")}
    assert errors(found(exchanges, [lambda _: {}] * 3, lambda _: {})) == {("removed", "/value")}


def test_a_field_that_comes_and_goes_is_noise_until_it_is_gone() -> None:
    def sometimes(seed: str, rate: float) -> Answer:
        random = Random(seed)
        return lambda _: {"ok": True} | ({"hint": "x"} if random.random() < rate else {})

    exchanges = recorded(sometimes("recorded", 0.8), 40)
    unchanged = [sometimes(f"unchanged {n}", 0.8) for n in range(3)]
    assert errors(found(exchanges, unchanged, sometimes("candidate", 0.8))) == set()
    assert errors(found(exchanges, unchanged, sometimes("candidate", 0.0))) == {("removed", "/hint")}


def test_the_order_of_one_array_says_nothing_of_another() -> None:
    def lists(seed: str) -> Answer:
        random = Random(seed)
        return lambda _: {"set": random.sample(TAGS, 6), "list": TAGS}

    exchanges, unchanged = recorded(lists("recorded"), 5), [lists(f"unchanged {n}") for n in range(3)]
    assert errors(found(exchanges, unchanged, lists("candidate"))) == set()
    turned = lists("candidate")
    assert errors(found(exchanges, unchanged, lambda n: turned(n) | {"list": TAGS[::-1]})) == {("order", "/list")}


def test_items_with_other_keys_in_every_run_are_the_same_items() -> None:
    def entries(run: int, kind: str = "deposit", **more: Any) -> Answer:
        def entry(n: int, k: int) -> dict[str, Any]:
            at = (1_790_000_000 if run == 0 else LIVE_NS // 10**9) + n
            number = str(((at * 1000 - 1_288_834_974_657) << 22) | (100 * run + k))
            return {
                "entry_id": number,
                "kind": "fee" if k else kind,
                "amount": 7 * n + k,
                "memo": None,
                "at": at,
            } | more

        return lambda n: [entry(n, k) for k in range(3)]

    exchanges, unchanged = recorded(entries(0), 5), [entries(run) for run in (1, 2, 3)]
    assert errors(found(exchanges, unchanged, entries(4))) == set()
    assert errors(found(exchanges, unchanged, entries(4, "dep"))) == {("value", "/*/kind")}
    assert errors(found(exchanges, unchanged, entries(4, at=None))) == {("null", "/*/at")}


def test_a_line_of_text_says_nothing_of_other_lines() -> None:
    def page(seed: str, third: str = "Total: 12.50") -> Answer:
        random = Random(seed)
        return lambda _: f"<h1>Order</h1>\n<i>served by web-{random.randrange(100)}</i>\n<p>{third}</p>"

    kind = "text/html"
    exchanges, unchanged = recorded(page("recorded"), 5, kind), [page(f"unchanged {n}") for n in range(3)]
    assert errors(found(exchanges, unchanged, page("candidate"), media=kind)) == set()
    wrong = found(exchanges, unchanged, page("candidate", "Total: 13.50"), media=kind)
    assert errors(wrong) == {("value", "/*")}


def test_a_column_of_a_tuple_says_nothing_of_other_columns() -> None:
    def rows(seed: str, price: float = 2.5) -> Answer:
        random = Random(seed)
        return lambda _: [[f"web-{random.randrange(100)}", price, k] for k in range(3)]

    exchanges, unchanged = recorded(rows("recorded"), 5), [rows(f"unchanged {n}") for n in range(3)]
    assert errors(found(exchanges, unchanged, rows("candidate"))) == set()
    assert errors(found(exchanges, unchanged, rows("candidate", 2.6))) == {("value", "/*/*")}


def test_headers_vary_like_fields() -> None:
    plan = find_bindings([])
    exchanges = [exchange(n, request("GET", "/things"), response({}, x_served_by_host="web-1")) for n in range(1, 6)]
    noise = NoiseModel.learn(exchanges, plan)
    for name in ("web-2", "web-3", "web-1"):
        for each in exchanges:
            assert each.response
            watch = Watch(Judge(each, ROUTE, noise, None, LIVE), noise.evidence.shapes.setdefault(ROUTE, {}))
            noise.evidence.count(ROUTE, watch.answer(each.response, response({}, x_served_by_host=name)))
        noise.evidence.end_pass()

    def answered(**headers: str) -> Comparison:
        return compare(exchanges[0], response({}, 200, **headers), route=ROUTE, noise=noise, session=None,
                       live_window=LIVE)  # fmt: skip

    assert answered(x_served_by_host="web-9").differences == ()
    assert [each.pointer for each in answered(x_served_by_host="").differences] == ["x-served-by-host"]
    assert [each.pointer for each in answered().differences] == ["x-served-by-host"]


def rule(pointer: str, kind: Kind, **more: Any) -> LearnedRule:
    return LearnedRule(route=ROUTE, pointer=pointer, kind=kind, **more)


def test_learned_rules_do_what_the_replays_did() -> None:
    exchanges, noise = shop()
    rules = noise.evidence.learned(snapshot="shop", commit="4f2a9c1")
    assert {(each.pointer, each.kind.value) for each in rules} >= {
        ("/host", "value"), ("/promo", "null"), ("/tags", "order"), ("/picks", "items"), ("/score", "value"),
    }  # fmt: skip
    assert errors(found(exchanges, [], app("candidate"), rules)) == set()
    assert errors(found(exchanges, [], app("candidate", FAULTS["score in percent"][0]), rules)) == {("value", "/score")}
    assert errors(found(exchanges, [], app("candidate", FAULTS["pick lost"][0]), rules)) == {("value", "/picks")}
    assert errors(found(exchanges, [], app("candidate", nulls=0.9), rules)) == {("null", "/promo")}


def test_an_accepted_rule_keeps_the_recorded_shape() -> None:
    rules = [rule("/value", Kind.VALUE, accepted_by="ada", cause="drawn by lot")]
    assert errors(found(recorded(one("tea"), 3), [], one("milk"), rules)) == set()
    assert errors(found(recorded(one("tea"), 3), [], one(""), rules)) == {("value", "/value")}
    assert errors(found(recorded(one(5), 3), [], one(5_000_000), rules)) == {("value", "/value")}


def counting(start: int, step: int = 1) -> Answer:
    return lambda n: {"seq": start + step * n, "n": n}


def test_a_counter_that_began_elsewhere_is_noise_while_it_grows_alike() -> None:
    exchanges = recorded(counting(4711), 8)
    assert errors(found(exchanges, [], counting(0))) == set()
    assert {reason.partition(":")[0] for reason in reasons(found(exchanges, [], counting(0)))} == {"counter"}
    assert errors(found(exchanges, [], counting(0, step=2))) == {("value", "/seq")}
    assert errors(found(exchanges, [], one_wrong(counting(0)))) == {("value", "/seq")}
    assert errors(found(exchanges, [], counting(4712))) == {("value", "/seq")}, "one more may be one too many"


def one_wrong(answer: Answer) -> Answer:
    return lambda n: answer(n) | ({"seq": 2} if n == 6 else {})


def test_an_amount_that_happens_to_grow_is_no_counter() -> None:
    def cart(extra: int) -> Answer:
        return lambda n: {"total": 250 * n + extra}

    assert errors(found(recorded(cart(0), 8), [], cart(500))) == {("value", "/total")}


def test_a_rule_is_for_what_can_vary() -> None:
    with pytest.raises(ValueError, match="kinds"):
        rule("/value", Kind.RAW)
    with pytest.raises(ValueError, match="cannot have differed"):
        rule("/value", Kind.VALUE, differed=3, of=2)
    with pytest.raises(ValueError, match="JSON Pointer"):
        rule("value", Kind.VALUE)
    with pytest.raises(ValueError, match="its id is"):
        rule("/value", Kind.VALUE, id="N-00000000")


@pytest.mark.parametrize("value", [10**400, -(10**4000), 1e308, float("1e-320"), "\ud800", [[]] * 3, {"": {}}, True])
def test_no_value_is_too_odd_to_be_observed(value: Any) -> None:
    exchanges = recorded(one(3), 2)
    assert exchanges[0].response
    noise = NoiseModel.learn(exchanges, find_bindings(exchanges))
    shapes = noise.evidence.shapes.setdefault(ROUTE, {})
    for live in (value, 7, value):
        watch = Watch(Judge(exchanges[0], ROUTE, noise, None, LIVE), shapes, recorded_too=True)
        noise.evidence.count(ROUTE, watch.answer(exchanges[0].response, response({"value": live})))
        noise.evidence.end_pass()
    assert noise.evidence.learned(snapshot="", commit="")
    for candidate in (value, 10**400, 5):
        judged(exchanges, noise, one(candidate))
