"""Tiers, state and bindings of the match core, as traces: what is asked, and which recorded answer is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mock_kit import CLOCK, answer, call

from wiretape_capture.snapshot.exchange import Direction, Exchange, Headers
from wiretape_replay.match.closest import closest
from wiretape_replay.match.index import build_index
from wiretape_replay.match.lanes import trace_of
from wiretape_replay.match.matcher import Hit, Matcher, Miss
from wiretape_replay.match.parts import parts_of

LIVE = CLOCK + 40 * 86_400 * 1_000_000_000
"""The live run is forty days after the recording."""
A = "5f0c8f3e-5b1e-4c59-9f6e-0a1b2c3d4e5f"
B = "0d9a1d52-7c3b-4b7e-8a53-3c2f1e0d9b8a"
C = "c2b8f7d4-1e6a-4f0b-9c3d-7a5e4b2f1d0c"
D = "e7d6c5b4-a392-4817-b6f5-04e3d2c1b0a9"
E = "1b2c3d4e-0f1a-4b2c-8d3e-4f5a6b7c8d9e"


class Trace:
    """A matcher with its recording; `ask` gives `tier sequence` or `miss`."""

    def __init__(self, *exchanges: Exchange, at_end: Any = "repeat") -> None:
        self.index = build_index(exchanges)
        self.matcher = Matcher(self.index, at_end)

    def find(self, method: str, target: str, body: Any = None, headers: Headers = (), lane: str | None = None,
             now_ns: int = LIVE) -> Hit | Miss:  # fmt: skip
        request = call(1, method, target, None, body=body, headers=headers or None).request
        parts = parts_of("api.example.com:80", method, target, request.headers, request.body)
        lane = self.index.lanes.lane(headers) if lane is None else lane
        return self.matcher.match(parts, lane, trace_of(headers), now_ns)

    def ask(self, method: str, target: str, body: Any = None, **more: Any) -> str:
        found = self.find(method, target, body, **more)
        return f"{found.tier} {found.recorded.sequence}" if isinstance(found, Hit) else "miss"

    def asks(self, *requests: str) -> list[str]:
        return [self.ask(*request.split(" ")) for request in requests]


def ladder(*requests: str) -> Sequence[Exchange]:
    """Exchanges from `METHOD PATH [STATUS]`, numbered from 1."""
    words = [request.split(" ") for request in requests]
    return [
        call(number, word[0], word[1], answer(int(word[2]) if len(word) > 2 else 200, {"n": number}))
        for number, word in enumerate(words, 1)
    ]


# exact


def test_spelling_of_a_request_does_not_matter() -> None:
    trace = Trace(call(1, "POST", "/a%20b?x=1&y=2", answer(), body={"p": 1, "q": [1.0, None]}))
    assert trace.ask("POST", "/a b?y=2&x=1", b'{ "q":[1, null],"p":1 }') == "exact 1"


def test_values_of_one_query_name_keep_their_order() -> None:
    trace = Trace(*ladder("GET /a?x=1&x=2"))
    assert trace.asks("GET /a?x=1&x=2", "GET /a?x=2&x=1") == ["exact 1", "miss"]


def test_an_ordinary_difference_is_a_miss() -> None:
    trace = Trace(
        call(1, "POST", "/pay?currency=EUR", answer(), body={"amount": 100, "to": "alice"}),
        call(2, "GET", "/orders/17", answer()),
    )
    assert [
        trace.ask("POST", "/pay?currency=EUR", {"amount": 101, "to": "alice"}),
        trace.ask("POST", "/pay?currency=EUR", {"amount": 100, "to": "bob"}),
        trace.ask("POST", "/pay?currency=EUR", {"amount": "100", "to": "alice"}),
        trace.ask("POST", "/pay?currency=EUR", {"amount": 100, "to": "alice", "note": None}),
        trace.ask("POST", "/pay?currency=USD", {"amount": 100, "to": "alice"}),
        trace.ask("PUT", "/pay?currency=EUR", {"amount": 100, "to": "alice"}),
        trace.ask("GET", "/orders/18"),
        trace.ask("GET", "/orders/17/"),
    ] == ["miss"] * 8


def test_forms_and_multipart_match_by_meaning() -> None:
    form = (("Content-Type", "application/x-www-form-urlencoded"),)

    def parts(boundary: str) -> tuple[Headers, bytes]:
        text = f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--{boundary}--\r\n'
        return (("Content-Type", f"multipart/form-data; boundary={boundary}"),), text.encode()

    headers, data = parts("first")
    trace = Trace(
        call(1, "POST", "/form", answer(), body=b"a=1&b=%20", headers=form),
        call(2, "POST", "/upload", answer(), body=data, headers=headers),
    )
    live_headers, live = parts("second")
    assert trace.ask("POST", "/form", b"b=+&a=1", headers=form) == "exact 1"
    assert trace.ask("POST", "/upload", live, headers=live_headers) == "exact 2"
    assert trace.ask("POST", "/upload", live.replace(b"1\r\n--", b"2\r\n--"), headers=live_headers) == "miss"


def test_an_operation_named_by_a_header_is_part_of_the_request() -> None:
    def get(name: str) -> Headers:
        return (("X-Amz-Target", f"DynamoDB_20120810.{name}"),)

    trace = Trace(
        call(1, "POST", "/", answer(), body={"k": 1}, headers=get("GetItem")),
        call(2, "POST", "/", answer(), body={"k": 1}, headers=get("DeleteItem")),
        call(3, "POST", "/", answer(400), body={"k": 1}, headers=get("GetItem")),
    )
    asked = [trace.ask("POST", "/", {"k": 1}, headers=get(name)) for name in ("GetItem", "GetItem", "DeleteItem")]
    assert [*asked, trace.ask("POST", "/", {"k": 1}, headers=get("GetItem"))] == [
        "exact 1", "exact 1", "exact 2", "exact 3",
    ]  # fmt: skip


# normalized


def test_a_tenant_named_by_a_header_is_part_of_the_request() -> None:
    trace = Trace(
        call(1, "GET", "/balance", answer(), headers=(("Stripe-Account", "acct_a"),)),
        call(2, "GET", "/balance", answer(), headers=(("Stripe-Account", "acct_b"),)),
    )
    assert trace.ask("GET", "/balance", headers=(("stripe-account", "acct_b"),)) == "exact 2"
    assert trace.ask("GET", "/balance", headers=(("stripe-account", "acct_c"),)) == "miss"
    assert trace.ask("GET", "/balance") == "miss"


def test_a_tenant_made_afresh_is_told() -> None:
    trace = Trace(call(1, "GET", "/balance", answer(), headers=(("X-Tenant-Id", A),)))
    found = trace.find("GET", "/balance", headers=(("X-Tenant-Id", B),))
    assert isinstance(found, Hit)
    assert (found.tier, [one.where for one in found.differences]) == ("normalized", ["header/x-tenant-id"])


def test_volatile_leaves_are_taken_away_and_told() -> None:
    trace = Trace(call(
        1, "POST", f"/jobs/{A}?at=1714557601", answer(),
        body={"id": B, "at": "2024-05-01T10:00:01Z", "n": 3},
    ))  # fmt: skip
    found = trace.find("POST", f"/jobs/{C}?at={LIVE // 10**9}", {"n": 3, "id": D, "at": "2024-06-10T10:00:00Z"})
    assert isinstance(found, Hit)
    assert found.tier == "normalized"
    assert [(each.where, each.recorded, each.live) for each in found.differences] == [
        ("body/at", "2024-05-01T10:00:01Z", "2024-06-10T10:00:00Z"),
        ("body/id", B, D),
        ("path", A, C),
        ("query/at", "1714557601", str(LIVE // 10**9)),
    ]


def test_a_time_that_is_not_the_runs_own_is_an_ordinary_value() -> None:
    trace = Trace(
        call(1, "GET", "/report?day=2023-12-24", answer()),
        call(2, "GET", "/today?day=2024-05-01", answer()),
        call(3, "GET", "/hour?h=2024-05-01T10:00:00Z", answer()),
    )
    assert trace.asks(
        "GET /report?day=2023-12-25", "GET /today?day=2024-06-10", "GET /today?day=2024-06-11",
        "GET /hour?h=2024-06-10T10:00:00Z", "GET /hour?h=2024-06-10T05:00:00Z",
    ) == ["miss", "normalized 2", "miss", "normalized 3", "miss"]  # fmt: skip


def test_a_time_reckoned_from_the_runs_own_is_volatile() -> None:
    def body(start: str, until: int) -> dict[str, Any]:
        return {"id": A if until < 1_719_000_000 else B, "start": start, "until": until}

    recorded = body("2024-04-24T10:00:01Z", 1_714_557_601 + 30 * 86_400)
    trace = Trace(call(1, "POST", "/window", answer(), body=recorded))
    later = 40 * 86_400
    assert [
        trace.ask("POST", "/window", body("2024-06-03T10:00:00Z", recorded["until"] + later)),
        trace.ask("POST", "/window", body("2024-06-03T10:00:00Z", recorded["until"] + later + 60)),
        trace.ask("POST", "/window", body("2024-04-24T10:00:01Z", recorded["until"] + later)),
        trace.ask("POST", "/window", body("2024-05-24T10:00:01Z", recorded["until"] + later)),
    ] == ["normalized 1", "miss", "normalized 1", "miss"]


def test_a_constant_stays_itself_while_its_neighbour_changes() -> None:
    trace = Trace(call(1, "POST", "/x", answer(), body={"id": A, "from": "2024-05-01T10:00:00Z", "n": 2_000_000_000}))
    assert trace.ask("POST", "/x", {"id": B, "from": "2024-05-01T10:00:00Z", "n": 2_000_000_000}) == "normalized 1"
    assert trace.ask("POST", "/x", {"id": C, "from": "2024-05-01T10:00:00Z", "n": 2_000_000_001}) == "miss"


def test_volatile_text_inside_of_a_sentence() -> None:
    trace = Trace(call(1, "POST", "/log", answer(), body={"m": f"order {A} placed"}))
    assert trace.ask("POST", "/log", {"m": f"order {B} placed"}) == "normalized 1"
    assert trace.ask("POST", "/log", {"m": f"order {B} lost"}) == "miss"


def test_an_id_that_the_service_gave_out_is_not_volatile() -> None:
    trace = Trace(call(1, "POST", "/orders", answer(201, {"id": A})), call(2, "GET", f"/orders/{A}", answer()))
    assert trace.asks("POST /orders", f"GET /orders/{B}", f"GET /orders/{A}") == ["exact 1", "miss", "exact 2"]


def test_an_id_that_the_caller_named_is_not_volatile() -> None:
    inbound = call(1, "GET", f"/stock/{A}", answer(), direction=Direction.INBOUND)
    trace = Trace(inbound, call(2, "GET", f"/items/{A}", answer()))
    assert trace.asks(f"GET /items/{B}", f"GET /items/{A}") == ["miss", "exact 2"]


def test_an_id_that_never_changed_is_not_volatile() -> None:
    trace = Trace(*(
        call(number, "POST", "/move", answer(), body={"warehouse": A, "key": key})
        for number, key in enumerate((B, C, D), 1)
    ))  # fmt: skip
    fresh = "11111111-2222-4333-8444-555555555555"
    assert trace.ask("POST", "/move", {"warehouse": fresh, "key": fresh}) == "miss"
    assert trace.ask("POST", "/move", {"warehouse": A, "key": fresh}) == "normalized 1"


def test_another_recorded_id_is_another_thing() -> None:
    trace = Trace(*ladder(f"GET /a/{A}", f"GET /b/{B}"))
    assert trace.asks(f"GET /a/{B}", f"GET /b/{A}", f"GET /a/{C}") == ["miss", "miss", "normalized 1"]


def test_a_bound_id_finds_its_own_recording_later() -> None:
    trace = Trace(
        call(1, "POST", "/pay", answer(201, {"ref": A}), body={"id": A}),
        call(2, "POST", "/pay", answer(201, {"ref": B}), body={"id": B}),
        *[call(n, "GET", f"/pay/{i}", answer(200, {"id": i})) for n, i in ((3, B), (4, A))],
    )
    asked = [trace.ask("POST", "/pay", {"id": new}) for new in (C, D)]
    found = trace.find("GET", f"/pay/{C}")
    assert asked == ["normalized 1", "normalized 2"]
    assert isinstance(found, Hit)
    assert (found.recorded.sequence, found.echoes) == (4, ((A, C),))
    assert trace.ask("GET", f"/pay/{D}") == "normalized 3"


def test_an_answer_gets_the_live_id_even_when_the_request_does_not_name_it() -> None:
    trace = Trace(call(1, "PUT", f"/x/{A}", answer()), call(2, "GET", "/list", answer(200, [{"id": A}])))
    trace.ask("PUT", f"/x/{B}")
    found = trace.find("GET", "/list")
    assert isinstance(found, Hit)
    assert (found.tier, found.echoes) == ("exact", ((A, B),))


def orders(*, took_ms: int = 1) -> Trace:
    """Two orders with an id of the app's own, each told to a second place."""
    return Trace(*(
        call(n, "POST", path, answer(201, {"id": made}), body={"order": made}, duration_us=took_ms * 1000)
        for n, (path, made) in enumerate([("/rows", A), ("/events", A), ("/rows", B), ("/events", B)], 1)
    ), call(5, "GET", "/last", answer(200, {"first": A, "last": B})))  # fmt: skip


def echoes(trace: Trace) -> dict[str, str]:
    found = trace.find("GET", "/last")
    assert isinstance(found, Hit)
    return dict(found.echoes)


def test_an_id_stays_what_the_first_request_made_it() -> None:
    trace = orders()
    assert trace.ask("POST", "/rows", {"order": C}) == "normalized 1"
    wrong = trace.find("POST", "/events", {"order": D})
    assert isinstance(wrong, Hit)
    assert (wrong.recorded.sequence, wrong.echoes) == (2, ((A, D),))  # the call that is due, not that of another order
    assert echoes(trace) == {A: C}
    assert trace.ask("POST", "/rows", {"order": E}) == "normalized 3"
    assert trace.ask("POST", "/events", {"order": E}) == "normalized 4"
    assert echoes(trace) == {A: C, B: E}


def test_another_round_makes_it_anew() -> None:
    trace = orders()
    for made in (C, D, E):
        for path in ("/rows", "/events"):
            trace.ask("POST", path, {"order": made})
    assert echoes(trace)[A] in (C, E)
    assert set(echoes(trace).values()) >= {E}


def test_requests_at_the_same_time_may_come_in_another_order() -> None:
    trace = orders(took_ms=1500)
    asked = [trace.ask("POST", path, {"order": made})
             for path, made in (("/rows", C), ("/events", D), ("/rows", D), ("/events", C))]  # fmt: skip
    assert asked == ["normalized 1", "normalized 4", "normalized 3", "normalized 2"]
    assert echoes(trace) == {A: C, B: D}


def test_two_places_of_one_request_are_bound_by_the_first() -> None:
    trace = Trace(call(1, "POST", "/rows", answer(201, {"id": A}), body={"a": A, "b": A}),
                  call(2, "GET", "/last", answer(200, {"id": A})))  # fmt: skip
    assert trace.ask("POST", "/rows", {"a": B, "b": C}) == "normalized 1"
    assert echoes(trace) == {A: B}


def test_many_recordings_of_one_shape_are_given_out_once_each() -> None:
    def key(number: int) -> str:
        return f"{number:08x}-5b1e-4c59-9f6e-0a1b2c3d4e5f"

    trace = Trace(*(call(n, "POST", "/pay", answer(), body={"id": key(n)}) for n in range(1, 301)))
    asked = [trace.ask("POST", "/pay", {"id": key(n + 9000)}) for n in range(1, 301)]
    assert asked == [f"normalized {n}" for n in range(1, 301)]
    assert trace.ask("POST", "/pay", {"id": key(9150)}) == "normalized 150"
    assert trace.ask("POST", "/pay", {"id": key(77)}) == "exact 77"


# state


def test_a_poll_advances_in_order_and_then_repeats() -> None:
    trace = Trace(*ladder("GET /job", "GET /job", "GET /job"))
    assert trace.asks(*["GET /job"] * 5) == ["exact 1", "exact 2", "exact 3", "exact 3", "exact 3"]


def test_the_end_of_a_ladder_can_cycle_or_fail() -> None:
    polls = ladder("GET /job", "GET /job")
    assert Trace(*polls, at_end="cycle").asks(*["GET /job"] * 5) == [
        "exact 1", "exact 2", "exact 1", "exact 2", "exact 1",
    ]  # fmt: skip
    assert Trace(*polls, at_end="fail").asks(*["GET /job"] * 3) == ["exact 1", "exact 2", "miss"]


LIFE = ("POST /o 201", "GET /o/1", "PUT /o/1", "GET /o/1", "DELETE /o/1 204", "GET /o/1 404")


def test_the_life_of_a_resource() -> None:
    plain = [" ".join(step.split(" ")[:2]) for step in LIFE]
    trace = Trace(*ladder(*LIFE))
    assert trace.asks(*plain) == [f"exact {number}" for number in range(1, 7)]


def test_extra_reads_never_see_a_write_that_has_not_arrived() -> None:
    trace = Trace(*ladder(*LIFE))
    asked = trace.asks("POST /o", "GET /o/1", "GET /o/1", "GET /o/1", "PUT /o/1", "GET /o/1", "GET /o/1")
    assert asked == [f"exact {number}" for number in (1, 2, 2, 2, 3, 4, 4)]


def test_a_write_that_comes_early_moves_the_state_on() -> None:
    trace = Trace(*ladder("GET /o", "GET /o", "GET /o", "POST /o 201", "GET /o"))
    assert trace.asks("GET /o", "POST /o", "GET /o", "GET /o") == ["exact 1", "exact 4", "exact 5", "exact 5"]


def test_a_write_elsewhere_does_not_move_the_state() -> None:
    trace = Trace(*ladder("GET /o/1", "PUT /o/2", "GET /o/1", "PUT /o/1", "GET /o/1"))
    assert trace.asks(*["GET /o/1"] * 3, "PUT /o/1", "GET /o/1") == [f"exact {n}" for n in (1, 3, 3, 4, 5)]


def test_a_write_below_moves_the_collection_on() -> None:
    trace = Trace(*ladder("GET /o", "POST /o/1/pay", "GET /o", "GET /o/1/pay"))
    assert trace.asks("GET /o", "GET /o", "POST /o/1/pay", "GET /o") == [f"exact {n}" for n in (1, 1, 2, 3)]


def test_retries_get_the_recorded_failure_first() -> None:
    trace = Trace(*ladder("POST /pay 503", "POST /pay 503", "POST /pay 200"))
    assert trace.asks(*["POST /pay"] * 4) == ["exact 1", "exact 2", "exact 3", "exact 3"]


def test_a_lock_stays_taken_until_it_is_given_back() -> None:
    trace = Trace(*ladder("PUT /lock 423", "DELETE /lock 204", "PUT /lock 200"))
    asked = trace.asks("PUT /lock", "PUT /lock", "DELETE /lock", "PUT /lock")
    assert asked == ["exact 1", "exact 1", "exact 2", "exact 3"]


def test_changed_order_of_unrelated_requests_changes_nothing() -> None:
    trace = Trace(*ladder("GET /a", "GET /b", "GET /c"))
    assert trace.asks("GET /c", "GET /a", "GET /b") == ["exact 3", "exact 1", "exact 2"]


def test_a_second_round_when_answers_cycle() -> None:
    plain = [" ".join(step.split(" ")[:2]) for step in LIFE]
    trace = Trace(*ladder(*LIFE), at_end="cycle")
    assert trace.asks(*plain, *plain) == [f"exact {number}" for number in (1, 2, 3, 4, 5, 6)] * 2


def test_graphql_queries_read_and_mutations_write() -> None:
    def graph(number: int, query: str) -> Exchange:
        return call(number, "POST", "/graphql", answer(), body={"query": query})

    trace = Trace(graph(1, "{ cart }"), graph(2, "mutation { add }"), graph(3, "{ cart }"))
    asked = [
        trace.ask("POST", "/graphql", {"query": q}) for q in ("{ cart }", "{ cart }", "mutation { add }", "{ cart }")
    ]
    assert asked == ["exact 1", "exact 1", "exact 2", "exact 3"]


# sessions


def user(name: str) -> Headers:
    return (("Authorization", f"Bearer {name}"),)


def test_two_sessions_interleaved_each_get_their_own_answers() -> None:
    steps = [("alice", "GET"), ("bob", "GET"), ("alice", "POST"), ("bob", "POST"), ("alice", "GET"), ("bob", "GET")]
    trace = Trace(*(call(n, m, "/cart", answer(), headers=user(who)) for n, (who, m) in enumerate(steps, 1)))

    def ask(who: str, method: str) -> str:
        return trace.ask(method, "/cart", headers=user(who))

    assert [ask("bob", "GET"), ask("alice", "GET"), ask("bob", "POST"), ask("alice", "GET"), ask("bob", "GET"),
            ask("alice", "POST"), ask("alice", "GET")] == [
        "exact 2", "exact 1", "exact 4", "exact 1", "exact 6", "exact 3", "exact 5",
    ]  # fmt: skip


def test_a_session_with_a_new_token_plays_one_recorded_session() -> None:
    steps = [("alice", "/me"), ("alice", "/cart"), ("bob", "/me"), ("bob", "/cart")]
    trace = Trace(*(call(n, "GET", path, answer(), headers=user(who)) for n, (who, path) in enumerate(steps, 1)))
    first = [trace.ask("GET", path, headers=user("new-one")) for path in ("/me", "/cart")]
    second = [trace.ask("GET", path, headers=user("new-two")) for path in ("/me", "/cart")]
    assert (first, second) == (["exact 1", "exact 2"], ["exact 3", "exact 4"])


def test_one_api_key_for_all_is_no_session() -> None:
    trace = Trace(*(call(n, "GET", "/x", answer(), headers=user("key")) for n in (1, 2)))
    assert [trace.ask("GET", "/x", headers=user(key)) for key in ("key", "other")] == ["exact 1", "exact 2"]


def test_a_trace_id_that_came_along_finds_its_own_call() -> None:
    def traced(digit: str) -> Headers:
        return (("traceparent", f"00-{digit * 32}-{digit * 16}-01"),)

    trace = Trace(*(call(n, "GET", "/rate", answer(), headers=traced(str(n))) for n in (1, 2, 3)))
    assert [trace.ask("GET", "/rate", headers=traced(d)) for d in "312"] == ["exact 3", "exact 1", "exact 2"]


# closest


def test_a_miss_names_the_nearest_recordings_leaf_by_leaf() -> None:
    index = build_index([
        call(1, "GET", "/orders", answer()),
        call(2, "POST", "/orders", answer(201), body={"item": "tea", "qty": 2}),
        call(3, "POST", "/orders", answer(201), body={"item": "rum", "qty": 9, "gift": True}),
        call(4, "GET", "/other", answer()),
    ])  # fmt: skip
    request = call(1, "POST", "/orders?dry=1", None, body={"item": "tea", "qty": 3}).request
    near = closest(index, parts_of("api.example.com:80", "POST", request.target, request.headers, request.body))
    assert [candidate.sequence for candidate in near] == [2, 3, 1]
    assert [(d.where, d.recorded, d.live) for d in near[0].differences] == [
        ("body/qty", "2", "3"), ("query/dry", None, "1"),
    ]  # fmt: skip


def test_a_miss_names_what_every_run_makes_afresh_last() -> None:
    def body(key: str, at: str) -> dict[str, Any]:
        return {"key": key, "at": at, "note": f"order {key} placed"}

    was = body("5f590c3a-6ab1-4d3d-896c-40b6b501cfa5", "2026-11-28T14:19:31Z")
    now = body("2ee197b3-ec84-4c47-ac32-a2e97ef5aa2d", "2026-11-28T14:33:33Z")
    index = build_index([call(1, "POST", "/checks", answer(), body=was)])
    request = call(1, "POST", "/checks", None, body={**now, "vip": True}).request
    (near,) = closest(index, parts_of("api.example.com:80", "POST", request.target, request.headers, request.body))
    assert [d.where for d in near.differences] == ["body/vip", "body/key", "body/at", "body/note"]


def test_the_search_for_the_nearest_is_bounded() -> None:
    index = build_index(ladder(*(f"GET /p/{number}?q={number}" for number in range(3000))))
    near = closest(
        index, parts_of("api.example.com:80", "GET", "/p/2999?q=x", (), call(1, "GET", "/", None).request.body)
    )
    assert near[0].sequence == 3000


def test_another_attempt_comes_after_the_failed_one_whoever_writes_alike_in_between() -> None:
    def charge(sequence: int, order: str, status: int) -> Exchange:
        return call(sequence, "POST", "/charges", answer(status), body={"order": order})

    trace = Trace(charge(1, "b", 503), charge(2, "c", 201), charge(3, "b", 201), charge(4, "d", 201))
    assert trace.ask("POST", "/charges", {"order": "d"}) == "exact 4"
    assert [trace.ask("POST", "/charges", {"order": "b"}) for _ in range(3)] == ["exact 1", "exact 3", "exact 3"]


def test_another_attempt_waits_for_what_was_mended_in_between() -> None:
    trace = Trace(*ladder("POST /charges 503", "PUT /charges/limit", "POST /charges 201"))
    assert trace.asks("POST /charges", "POST /charges") == ["exact 1", "exact 1"]
    assert trace.asks("PUT /charges/limit", "POST /charges") == ["exact 2", "exact 3"]
