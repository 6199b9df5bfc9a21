"""Requests filled in from templates are byte for byte those that the binding engine builds."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from recorded import exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import BindingPlan, find_bindings
from wiretape_replay.load.lesson import lesson_of
from wiretape_replay.load.template import Sources, Template, values_of
from wiretape_replay.load.wire import wire_bytes

OLD = "6f1d2c3b-4a59-4876-9b8c-7d6e5f4a3b2c"
NEW = "0b9e8d7c-1f2e-4d3c-8b4a-5c6d7e8f9a0b"
KEY = "5e0c1a2b-9d8e-4f70-8a6b-3c2d1e0f4a5b"


def made(identity: str, **more: Any) -> Response:
    return response({"id": identity, "number": 17, **more}, 201)


def consumers() -> dict[str, Exchange]:
    given: dict[str, Any] = {
        "path": request("GET", f"/orders/{OLD}"),
        "query": request("GET", f"/orders?after={OLD}&limit=5"),
        "header": request("GET", "/orders", X_Order_Id=OLD),
        "cookie": request("GET", "/orders", Cookie=f"seen=1; order={OLD}"),
        "json": request("PATCH", f"/orders/{OLD}", {"order": {"id": OLD}, "note": "x"}),
        "number": request("POST", "/payments", {"order_number": 17, "amount": 17}),
        "form": request("POST", "/pay", f"order_id={OLD}&x=%20y", content_type="application/x-www-form-urlencoded"),
        "base64": request("GET", "/orders?cursor=" + b64encode(json.dumps({"after": OLD}).encode()).decode()),
        "nothing": request("GET", "/health"),
        "idempotency": request("POST", "/payments", {"order_id": OLD}, Idempotency_Key=KEY),
    }
    return {name: exchange(number, sent, response({})) for number, (name, sent) in enumerate(given.items(), 2)}


def plan_of(consumer: Exchange) -> tuple[Exchange, BindingPlan]:
    producer = exchange(1, request("POST", "/orders", {"sku": "tea"}), made(OLD))
    return producer, find_bindings([producer, consumer])


def filled(template: Template, session: LiveSession, consumer: Exchange) -> bytes | None:
    session.make_anew(consumer)
    values = values_of(template, session)
    return None if values is None else template.filled(values)


@pytest.mark.parametrize("name", consumers())
@pytest.mark.parametrize("live", [NEW, OLD, "short", "much-longer-than-the-recorded-one-" * 3])
def test_a_template_gives_the_bytes_of_the_binding_engine(name: str, live: str) -> None:
    consumer = consumers()[name]
    producer, plan = plan_of(consumer)
    template = Sources.of(plan, fresh=True, signed=False).template(consumer, "/base", "live:1")
    if name == "base64":
        assert template is None  # inside of a coding nothing can be filled in
        return
    assert template is not None
    ours, theirs = LiveSession(plan, seed="s"), LiveSession(plan, seed="s")
    for session in (ours, theirs):
        session.assume(("", OLD), live)
        session.assume(("order", "17"), "41")
        session.assume(("number", "17"), "41")
    expected = wire_bytes(theirs.prepare(consumer), "/base", "live:1")
    assert filled(template, ours, consumer) == expected
    assert producer.sequence == 1


@pytest.mark.parametrize("live", ["has space", "ümlaut", 'quo"te', "a/b", "100%"])
def test_a_value_that_needs_spelling_is_left_to_the_engine(live: str) -> None:
    consumer = consumers()["path"]
    _, plan = plan_of(consumer)
    template = Sources.of(plan, fresh=True, signed=False).template(consumer, "", "live:1")
    assert template is not None
    session = LiveSession(plan)
    session.assume(("", OLD), live)
    assert values_of(template, session) is None


def test_a_signed_request_has_no_template() -> None:
    consumer = consumers()["path"]
    _, plan = plan_of(consumer)
    assert Sources.of(plan, fresh=True, signed=True).template(consumer, "", "live:1") is None


def test_a_request_without_values_is_bytes_once_for_all() -> None:
    consumer = consumers()["nothing"]
    _, plan = plan_of(consumer)
    template = Sources.of(plan, fresh=True, signed=False).template(consumer, "", "live:1")
    assert template is not None
    assert template.whole == b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"


def test_each_clone_makes_its_own_keys() -> None:
    consumer = consumers()["idempotency"]
    _, plan = plan_of(consumer)
    template = Sources.of(plan, fresh=True, signed=False).template(consumer, "", "live:1")
    assert template is not None
    sent = {filled(template, LiveSession(plan, seed=f"clone {number}"), consumer) for number in range(20)}
    assert len(sent) == 20
    assert not any(KEY.encode() in (each or b"") for each in sent)


def test_a_lesson_teaches_what_the_engine_would_learn() -> None:
    consumer = consumers()["json"]
    producer, plan = plan_of(consumer)
    lesson = lesson_of(producer, plan.edges, plan)
    assert lesson is not None
    answer = made(NEW)
    ours, theirs = LiveSession(plan), LiveSession(plan)
    assert lesson.learn(ours, b"HTTP/1.1 201 Created\r\nContent-Type: application/json", answer.body.data or b"")
    theirs.observe(producer, answer)
    assert ours.current(("", OLD)) == theirs.current(("", OLD)) == NEW
    assert ours.prepare(consumer) == theirs.prepare(consumer)


@pytest.mark.parametrize("body", [
    b"not json", b"{}", b'{"id": null}', b'{"id": true}', b'{"id": {"a": 1}}', b"[]",
    json.dumps({"id": "tea"}).encode(),  # of another make
    json.dumps({"id": NEW, "was": OLD}).encode(),  # the recorded one is still there
])  # fmt: skip
def test_what_is_not_simple_is_left_to_the_engine(body: bytes) -> None:
    producer, plan = plan_of(consumers()["path"])
    lesson = lesson_of(producer, plan.edges, plan)
    assert lesson is not None
    session = LiveSession(plan)
    assert not lesson.learn(session, b"HTTP/1.1 201 Created\r\nContent-Type: application/json", body)
    assert session.current(("", OLD)) is None


def test_a_cookie_is_learnt_from_its_header() -> None:
    login = exchange(1, request("POST", "/login", {"user": "ada"}),
                     response({}, Set_Cookie=f"session={OLD}; Path=/"))  # fmt: skip
    page = exchange(2, request("GET", "/me", Cookie=f"session={OLD}"), response({}))
    plan = find_bindings([login, page])
    lesson = lesson_of(login, plan.edges, plan)
    assert lesson is not None
    session = LiveSession(plan)
    assert lesson.learn(session, f"HTTP/1.1 200 OK\r\nSet-Cookie: session={NEW}; Path=/".encode(), b"{}")
    assert dict(session.prepare(page).headers)["Cookie"] == f"session={NEW}"


def test_values_in_lists_are_left_to_the_engine() -> None:
    listed = exchange(1, request("GET", "/orders"), response({"orders": [{"id": OLD}, {"id": KEY}]}))
    one = exchange(2, request("GET", f"/orders/{OLD}"), response({}))
    plan = find_bindings([listed, one])
    assert plan.edges
    assert lesson_of(listed, plan.edges, plan) is None
