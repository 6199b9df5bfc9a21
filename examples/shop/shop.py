"""The shop: the app under test. It keeps carts and orders, and calls a catalog (HTTP) and a payment service (HTTPS).

Run: SHOP_CATALOG=http://127.0.0.1:9101 SHOP_PAYMENTS=https://127.0.0.1:9102 python shop.py --port 9100
"""

from __future__ import annotations

import argparse
import os
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CATALOG = os.environ.get("SHOP_CATALOG", "http://127.0.0.1:9101")
PAYMENTS = os.environ.get("SHOP_PAYMENTS", "https://127.0.0.1:9102")

USERS = {"ada@example.com": "lovelace", "grace@example.com": "hopper"}
SESSIONS: dict[str, str] = {}
CARTS: dict[str, dict[str, int]] = {}
ORDERS: dict[str, dict[str, Any]] = {}


async def login(request: Request) -> Response:
    """Exchange a password for a bearer token."""
    wanted = await request.json()
    if USERS.get(wanted["email"]) != wanted["password"]:
        return JSONResponse({"error": "wrong e-mail or password"}, status_code=401)
    token = secrets.token_urlsafe(24)
    SESSIONS[token] = wanted["email"]
    return JSONResponse({"token": token, "email": wanted["email"], "issued_at": now()})


async def products(request: Request) -> Response:
    """The catalog's products, as the shop shows them."""
    answer = await request.app.state.http.get(f"{CATALOG}/products", params=request.query_params)
    return JSONResponse({"products": [shown(p) for p in answer.json()], "served_at": now()})


async def product(request: Request) -> Response:
    """One product together with its stock."""
    sku = request.path_params["sku"]
    found = await request.app.state.http.get(f"{CATALOG}/products/{sku}")
    if found.status_code == 404:
        return JSONResponse({"error": f"no product {sku}"}, status_code=404)
    stock = await request.app.state.http.get(f"{CATALOG}/stock/{sku}")
    return JSONResponse(shown(found.json()) | {"in_stock": stock.json()["available"] > 0})


async def add_to_cart(request: Request) -> Response:
    """Put a product into the caller's cart."""
    email = caller(request)
    wanted = await request.json()
    cart = CARTS.setdefault(email, {})
    cart[wanted["sku"]] = cart.get(wanted["sku"], 0) + wanted["quantity"]
    return JSONResponse(await cart_of(request, email), status_code=201)


async def show_cart(request: Request) -> Response:
    """The caller's cart."""
    return JSONResponse(await cart_of(request, caller(request)))


async def place_order(request: Request) -> Response:
    """Charge the cart and turn it into an order."""
    email = caller(request)
    cart = await cart_of(request, email)
    order_id = str(uuid.uuid4())
    charge = await request.app.state.http.post(
        f"{PAYMENTS}/charges", json={"order_id": order_id, "amount_cents": round(cart["total"] * 100)}
    )
    if charge.status_code == 402:
        return JSONResponse({"error": "payment declined"}, status_code=402)
    ORDERS[order_id] = {
        "id": order_id,
        "customer": email,
        "items": cart["items"],
        "total": cart["total"],
        "charge_id": charge.json()["charge_id"],
        "status": "paid",
        "created_at": now(),
    }
    CARTS.pop(email, None)
    return JSONResponse(ORDERS[order_id], status_code=201, headers={"location": f"/orders/{order_id}"})


async def show_order(request: Request) -> Response:
    """One of the caller's orders."""
    order = ORDERS.get(request.path_params["order_id"])
    if order is None or order["customer"] != caller(request):
        return JSONResponse({"error": "no such order"}, status_code=404)
    return JSONResponse(order)


async def health(_: Request) -> Response:
    """Whether the shop is up."""
    return JSONResponse({"status": "ok"})


def shown(product: dict[str, Any]) -> dict[str, Any]:
    """A catalog product as the shop's clients see it."""
    return {
        "sku": product["sku"],
        "name": product["name"],
        "price": product["price_cents"] / 100,
        "tags": product["tags"],
    }


async def cart_of(request: Request, email: str) -> dict[str, Any]:
    """Lines and total of one customer's cart, at the catalog's prices."""
    items = []
    for sku, quantity in CARTS.get(email, {}).items():
        answer = await request.app.state.http.get(f"{CATALOG}/products/{sku}")
        price = answer.json()["price_cents"] / 100
        items.append({"sku": sku, "quantity": quantity, "price": price, "subtotal": round(price * quantity, 2)})
    return {"items": items, "total": round(sum(i["subtotal"] for i in items), 2)}


def caller(request: Request) -> str:
    """E-mail of the signed-in customer."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return SESSIONS.get(token, "guest")


def now() -> str:
    """The current time, ISO 8601."""
    return datetime.now(UTC).isoformat()


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """One HTTP client for the life of the app."""
    async with httpx.AsyncClient() as client:
        app.state.http = client
        yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/health", health),
        Route("/login", login, methods=["POST"]),
        Route("/products", products),
        Route("/products/{sku}", product),
        Route("/cart", show_cart),
        Route("/cart/items", add_to_cart, methods=["POST"]),
        Route("/orders", place_order, methods=["POST"]),
        Route("/orders/{order_id}", show_order),
    ],
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9100)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
