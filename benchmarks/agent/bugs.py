"""Twenty planted bugs: real edits of the apps' source, and where each of them shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agent.policy import Claim
from benchmarks.agent.projects import EXAMPLE


@dataclass(frozen=True, slots=True)
class Place:
    """A route and a field of it; several where one line of code feeds several answers."""

    routes: tuple[str, ...]
    part: str
    field: str
    """A regular expression for the whole pointer, header name or call."""

    def holds(self, claim: Claim) -> bool:
        """Whether a claim names this place, and names it in the text too, which is all that some clients show."""
        names = [name for name in claim.field.removeprefix("header:").split("/") if name not in ("", "*")]
        word = names[-1] if names else claim.part
        return (any(_same_route(route, claim.route) for route in self.routes) and claim.part == self.part
                and re.fullmatch(self.field, claim.field, re.IGNORECASE) is not None
                and claim.route in claim.texts and word in claim.texts)  # fmt: skip


def _same_route(wanted: str, claimed: str) -> bool:
    """`GET /products/{}` is also told by its one recorded path, `GET /products/lamp`."""
    ours, theirs = wanted.split("/"), claimed.split("/")
    return len(ours) == len(theirs) and all(a in (b, "{}") for a, b in zip(ours, theirs, strict=True))


@dataclass(frozen=True, slots=True)
class Bug:
    """One edit."""

    kind: str
    app: str
    edits: Mapping[str, str]
    places: tuple[Place, ...]

    def plant(self, source: Path) -> str:
        """Edit the file; answers what it held before."""
        before = after = source.read_text(encoding="utf-8")
        for old, new in self.edits.items():
            assert old in after, (self.kind, old)
            after = after.replace(old, new)
        source.write_text(after, encoding="utf-8")
        return before


CART = ("GET /cart", "POST /cart/items")
PRODUCTS = ("GET /products", "GET /products/{}")
ORDER = ("POST /orders", "GET /orders/{}")

BUGS = (
    Bug("renamed field", EXAMPLE, {'"total": round(sum': '"amount": round(sum', 'cart["total"]': 'cart["amount"]'},
        (Place(CART, "body", "/(total|amount)"),)),
    Bug("type", EXAMPLE, {'"price": product["price_cents"] / 100': '"price": f"{product[\'price_cents\'] / 100:.2f}"'},
        (Place(PRODUCTS, "body", r"(/products/[^/]+)?/price"),)),
    Bug("dropped item", EXAMPLE, {"for p in answer.json()]": "for p in answer.json()[1:]]"},
        (Place(("GET /products",), "body", r"/products(/[^/]+)?"),)),
    Bug("wrong status", EXAMPLE, {"status_code=401": "status_code=403"},
        (Place(("POST /login",), "status", ""),)),
    Bug("lost header", EXAMPLE, {', headers={"location": f"/orders/{order_id}"}': ""},
        (Place(("POST /orders",), "header", "(header:)?location"),)),
    Bug("wrong dependency call", EXAMPLE, {"{CATALOG}/stock/{sku}": "{CATALOG}/stocks/{sku}"},
        (Place(("GET /products/{}",), "outbound", ".*/stocks?/.*"), Place(("GET /products/{}",), "status", ""))),
    Bug("double call", EXAMPLE, {
        "    if charge.status_code == 402:": "    charge = await request.app.state.http.post(\n"
        '        f"{PAYMENTS}/charges", json={"order_id": order_id, "amount_cents": round(cart["total"] * 100)}\n'
        "    )\n    if charge.status_code == 402:"},
        (Place(("POST /orders",), "outbound", ".*/charges.*"),)),
    Bug("null", EXAMPLE, {'"tags": product["tags"]': '"tags": product.get("tag")'},
        (Place(PRODUCTS, "body", r"(/products/[^/]+)?/tags"),)),
    Bug("rounding", EXAMPLE, {"round(price * quantity, 2)": "round(price * quantity)"},
        (Place((*CART, *ORDER), "body", r"/items/[^/]+/subtotal|/total"),
         Place(("POST /orders",), "outbound", ".*/charges.*"))),
    Bug("authentication", EXAMPLE, {'removeprefix("Bearer ")': 'removeprefix("Token ")'},
        (Place(ORDER, "body", "/customer"),)),
    Bug("missing call", EXAMPLE, {
        '    stock = await request.app.state.http.get(f"{CATALOG}/stock/{sku}")\n': "",
        '{"in_stock": stock.json()["available"] > 0}': '{"in_stock": True}'},
        (Place(("GET /products/{}",), "body", "/in_stock"), Place(("GET /products/{}",), "outbound", ".*/stock/.*"))),
    Bug("N+1 calls", EXAMPLE, {
        '    return JSONResponse({"products": [shown(p) for p in answer.json()], "served_at": now()})':
        '    http = request.app.state.http\n'
        '    full = [(await http.get(f"{CATALOG}/products/{p[\'sku\']}")).json() for p in answer.json()]\n'
        '    return JSONResponse({"products": [shown(p) for p in full], "served_at": now()})'},
        (Place(("GET /products",), "outbound", ".*/products/.*"),)),
    Bug("page one short", "shop", {"items=found[start : start + limit]": "items=found[start : start + limit - 1]"},
        (Place(("GET /products",), "body", r"/items(/[^/]+)?"),)),
    Bug("payload of a call", "shop", {'"amount": cart["total"],': '"amount": cart["total"] * 100,'},
        (Place(("POST /orders",), "outbound", ".*/charges.*"), Place(("POST /orders",), "status", ""))),
    Bug("time unit", "shop", {'"eta_days": 3': '"eta_days": 3 * 24'},
        (Place((*ORDER, "PATCH /orders/{}", "POST /orders/{}/cancel"), "body", "/eta_days"),)),
    Bug("order", "shop", {"for one in reversed(mine)": "for one in mine",
                          'key=lambda one: (one[order], one["sku"])': 'key=lambda one: one["sku"]'},
        (Place(("GET /products",), "body", r"/items(/.*)?"), Place(("GET /orders",), "body", "/orders"))),
    Bug("off by one", "depot", {'"no": index + 1': '"no": index'},
        (Place(("POST /shipments", "GET /shipments/{}"), "body", r"/parcels/[^/]+/no"),)),
    Bug("encoding", "depot", {"json.dumps(value, ensure_ascii=False).encode()":
                              'json.dumps(value, ensure_ascii=False).encode("latin-1")'},
        (Place(("POST /shipments", "GET /shipments/{}"), "body", r"|/to/(name|city)"),)),
    Bug("enum", "depot", {'"state": "created"': '"state": "CREATED"'},
        (Place(("POST /shipments", "GET /shipments/{}"), "body", "/state"),
         Place(("GET /shipments",), "body", "/shipments/.*"))),
    Bug("flag", "shop", {'"captured": True': '"captured": False'},
        (Place((*ORDER, "PATCH /orders/{}", "POST /orders/{}/cancel"), "body", "/payment/captured"),)),
)  # fmt: skip
