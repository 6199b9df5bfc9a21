"""A description that nobody here wrote: FastAPI's own, against the answers of the app that it describes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, Field
from recorded import request, response

from wiretape_replay.openapi.check import SpecCheck
from wiretape_replay.openapi.document import parse_description


class State(StrEnum):
    OPEN = "open"
    PAID = "paid"


class Line(BaseModel):
    sku: Annotated[str, Field(pattern="^[A-Z]+$")]
    price: Decimal
    weight: Annotated[float, Field(multiple_of=0.1)] = 1.0


class Order(BaseModel):
    id: UUID
    at: datetime
    day: date
    state: State
    note: str | None = None
    lines: list[Line] = []
    labels: dict[str, int] = {}
    parent: Order | None = None


app = FastAPI()
ORDER = Order(
    id=UUID("8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a"), at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), day=date(2026, 1, 2),
    state=State.OPEN, lines=[Line(sku="A", price=Decimal("19.99"), weight=0.3)], labels={"x": 1},
)  # fmt: skip


@app.get("/orders/{order_id}")
async def one(order_id: int, full: bool = False, tag: Annotated[list[State] | None, Query()] = None,
              x_tenant: Annotated[str | None, Header()] = None) -> Order:  # fmt: skip
    if order_id > 9:
        raise HTTPException(404, f"no order {order_id} {full} {tag} {x_tenant}")
    return ORDER.model_copy(update={"parent": ORDER})


@app.post("/orders", status_code=201)
async def make(order: Order) -> Order:
    return order


@app.delete("/orders/{order_id}", status_code=204)
async def drop(order_id: int) -> None:
    assert order_id


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "target", "body", "expected"),
    [
        ("GET", "/orders/7", None, []),
        ("GET", "/orders/7?full=true&tag=open&tag=paid", None, []),
        ("GET", "/orders/99", None, ["undocumented-status"]),
        ("GET", "/orders/seven", None, ["type"]),  # told of the request; its answer, 422, is described
        ("POST", "/orders", ORDER.model_dump(mode="json"), []),
        ("POST", "/orders", {"id": 1}, ["required", "required", "required", "type"]),
        ("DELETE", "/orders/7", None, []),
    ],
)
async def test_the_apps_own_answers_break_nothing(
    client: httpx.AsyncClient, method: str, target: str, body: Any, expected: list[str]
) -> None:
    check = SpecCheck(parse_description(json.dumps(app.openapi()).encode(), "openapi.json"))
    check.prepare(method, target)
    sent = request(method, target, body)
    answer = await client.request(method, target, json=body)
    live = response(answer.content or None, answer.status_code)
    found = [*check.response(method, target, live), *check.request(sent)]
    assert sorted(each.rule for each in found) == expected
