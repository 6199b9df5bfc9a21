"""What two customers do in the shop: browse, sign in, fill a cart, order, look at the order.

Run: python traffic.py http://127.0.0.1:9100
"""

from __future__ import annotations

import sys

import httpx

CUSTOMERS = {
    "ada@example.com": ("lovelace", [("kettle", 1), ("mug", 4)]),
    "grace@example.com": ("hopper", [("teapot", 2), ("mug", 1), ("kettle", 1)]),
}


def shop(base: str, email: str, password: str, basket: list[tuple[str, int]]) -> int:
    """One customer's visit; returns the number of requests sent."""
    with httpx.Client(base_url=base) as client:
        sent = [
            client.get("/products"),
            client.get("/products", params={"tag": "kitchen"}),
            client.get("/products/lamp"),
            client.get("/products/hammock"),
            client.post("/login", json={"email": email, "password": "wrong"}),
        ]
        signed_in = client.post("/login", json={"email": email, "password": password})
        client.headers["authorization"] = f"Bearer {signed_in.json()['token']}"
        sent.append(signed_in)
        sent += [client.post("/cart/items", json={"sku": sku, "quantity": n}) for sku, n in basket]
        sent.append(client.get("/cart"))
        order = client.post("/orders")
        sent += [order, client.get(order.headers["location"]), client.get("/cart")]
        return len(sent)


def main(base: str) -> None:
    """Send both customers' traffic to the shop at `base`."""
    sent = sum(shop(base, email, password, basket) for email, (password, basket) in CUSTOMERS.items())
    print(f"{sent} requests sent")  # noqa: T201 - an example that runs in a terminal


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9100")
