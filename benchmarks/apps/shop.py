"""A web shop in Flask: bearer tokens, cursor pages, carts, UUID orders, charges.

Run: `python -m benchmarks.apps.shop PORT`.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from typing import Any

from flask import Flask, Response, jsonify, request

from benchmarks.apps import life

app = Flask(__name__)
app.json.sort_keys = False  # type: ignore[attr-defined]
logging.getLogger("werkzeug").setLevel(logging.ERROR)


class Shop:
    """All that the shop remembers."""

    def __init__(self) -> None:
        source = life.domain("shop")
        self.tenant = source.choice(("acme", "globex", "initech"))
        self.products = [
            {
                "sku": f"{thing[:3].upper()}-{source.randint(100, 999)}",
                "name": f"{thing} from {source.choice(life.CITIES)}",
                "price": source.randint(250, 48000),
                "currency": "EUR",
                "rating": round(source.uniform(1, 5), 1),
                "dimensions": {"w": source.randint(5, 80), "h": source.randint(5, 80), "unit": "cm"},
                "discontinued": source.random() < 0.2,
                "tags": source.sample(life.TAGS, 3),
            }
            for thing in source.sample(life.THINGS, source.randint(7, 10))
        ]
        self.tokens: dict[str, str] = {}
        self.carts: dict[str, dict[str, int]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.number = life.counter()
        self.served = life.counter()


shop = Shop()


def product(sku: str) -> dict[str, Any] | None:
    """One product."""
    return next((one for one in shop.products if one["sku"] == sku), None)


@app.after_request
def stamp(response: Response) -> Response:
    """Headers of every answer."""
    shop.served += 1
    response.headers["X-Request-Id"] = life.uuid4()
    response.headers["X-Response-Time"] = f"{life.measured(0.2, 9):.3f}ms"
    if request.path.startswith("/products"):
        response.headers["Cache-Control"] = "public, max-age=60"
        response.headers["ETag"] = f'W/"{hashlib.md5(response.get_data() + life.token(4).encode()).hexdigest()}"'
    return response


@app.post("/__reset")
def reset() -> Any:
    """Start anew."""
    global shop
    shop = Shop()
    return "", 204


@app.get("/health")
def health() -> Any:
    """Up."""
    return jsonify(status="ok", requests_served=shop.served, uptime_s=life.measured(1, 500), region="eu-west-1")


@app.post("/login")
def login() -> Any:
    """Give a token."""
    wanted = request.get_json()
    if wanted["password"] != "correct horse":
        return jsonify(error="bad credentials", code="AUTH_FAILED"), 401
    token = life.token(24)
    shop.tokens[token] = wanted["email"]
    name = wanted["email"].partition("@")[0]
    return jsonify(
        access_token=token,
        token_type="Bearer",
        expires_at=life.iso(3600),
        user={"email": wanted["email"], "display_name": name.title(), "roles": ["buyer", "reviewer"]},
    )


@app.get("/products")
def products() -> Any:
    """A page of products."""
    start, limit = life.position(request.args.get("cursor", "")), int(request.args.get("limit", 4))
    order = request.args.get("sort", "price")
    found = sorted(shop.products, key=lambda one: (one[order], one["sku"]))
    more = start + limit < len(found)
    return jsonify(
        items=found[start : start + limit],
        total=len(found),
        next_cursor=life.cursor(start + limit) if more else None,
        generated_at=life.iso(),
    )


@app.get("/products/<sku>")
def one_product(sku: str) -> Any:
    """A product with its stock."""
    found = product(sku)
    if found is None:
        return jsonify(error=f"no product {sku}", code="NOT_FOUND"), 404
    _, stock = life.call("GET", f"/t/{shop.tenant}/stock/{sku}?warehouse=main")
    return jsonify({**found, "tags": life.shuffled(found["tags"]), "stock": stock})


def caller() -> str:
    """Who asks."""
    return shop.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "), "")


def cart_of(email: str) -> dict[str, Any]:
    """Lines and total."""
    prices: dict[Any, Any] = {one["sku"]: one["price"] for one in shop.products}
    lines = [
        {"sku": sku, "quantity": count, "subtotal": count * prices[sku]}
        for sku, count in shop.carts.get(email, {}).items()
    ]
    return {
        "lines": lines,
        "total": sum(line["subtotal"] for line in lines),
        "currency": "EUR",
        "updated_at": life.iso(style="milli"),
    }


@app.route("/cart", methods=["GET", "POST", "DELETE"])
def cart() -> Any:
    """The caller's cart."""
    email = caller()
    if not email:
        return jsonify(error="sign in", code="UNAUTHENTICATED"), 401, {"WWW-Authenticate": 'Bearer realm="shop"'}
    if request.method == "DELETE":
        shop.carts.pop(email, None)
        return "", 204
    if request.method == "POST":
        wanted = request.get_json()
        mine = shop.carts.setdefault(email, {})
        mine[wanted["sku"]] = mine.get(wanted["sku"], 0) + wanted["quantity"]
        return jsonify(cart_of(email)), 201
    return jsonify(cart_of(email))


@app.post("/orders")
def order() -> Any:
    """Charge the cart."""
    email, wanted = caller(), request.get_json()
    cart = cart_of(email)
    order_id = life.uuid4()
    status, charge = life.call(
        "POST",
        f"/t/{shop.tenant}/charges",
        {"reference": order_id, "amount": cart["total"], "currency": "EUR", "customer": email},
    )
    if status != 201:
        return jsonify(error="payment declined", code="DECLINED"), 402
    shop.number += 1
    shop.orders[order_id] = {
        "id": order_id,
        "order_number": shop.number,
        "customer": email,
        "lines": cart["lines"],
        "total": cart["total"],
        "status": "paid",
        "payment": {"charge_id": charge["id"], "status": charge["status"], "captured": True},
        "ship_to": wanted["ship_to"],
        "placed_at": life.iso(),
        "eta_days": 3,
        "note": wanted.get("note"),
    }
    shop.carts.pop(email, None)
    life.call(
        "POST", f"/t/{shop.tenant}/messages", {"to": email, "template": "order-paid", "order_total": cart["total"]}
    )
    return jsonify(shop.orders[order_id]), 201, {"Location": f"/orders/{order_id}"}


@app.get("/orders")
def orders() -> Any:
    """The caller's orders, newest first."""
    mine = [one for one in shop.orders.values() if one["customer"] == caller()]
    return jsonify(
        orders=[{key: one[key] for key in ("id", "order_number", "status", "total")} for one in reversed(mine)],
        count=len(mine),
    )


@app.route("/orders/<order_id>", methods=["GET", "PATCH"])
def one_order(order_id: str) -> Any:
    """One order."""
    found = shop.orders.get(order_id)
    if found is None or found["customer"] != caller():
        return jsonify(error="no such order", code="NOT_FOUND"), 404
    if request.method == "PATCH":
        found = shop.orders[order_id] = {**found, "note": request.get_json()["note"], "updated_at": life.iso()}
    return jsonify(found)


@app.post("/orders/<order_id>/cancel")
def cancel(order_id: str) -> Any:
    """Refund an order."""
    found = shop.orders[order_id]
    _, refund = life.call(
        "POST",
        f"/t/{shop.tenant}/refunds",
        {"reference": order_id, "amount": found["total"], "currency": "EUR", "customer": found["customer"]},
    )
    found |= {"status": "cancelled", "refund_id": refund["id"], "cancelled_at": life.iso(style="second")}
    return jsonify(found)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
