"""What the users of each app do: seeded choices, and values taken from earlier answers as a real client takes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from benchmarks.verdict.client import Journey, Reply, User

WORDS = [
    "quiet",
    "river",
    "stone",
    "under",
    "morning",
    "light",
    "while",
    "seven",
    "birds",
    "crossed",
    "the",
    "old",
    "harbour",
    "twice",
    "without",
    "a",
    "sound",
]


def sentence(journey: Journey, least: int = 4) -> str:
    """A few words."""
    return " ".join(journey.random.sample(WORDS, journey.random.randint(least, least + 5)))


def twice(user: User, template: str, *values: object) -> Reply:
    """Read the same thing again, as clients that poll do."""
    user.get(template, *values)
    return user.get(template, *values)


def shop(journey: Journey) -> None:
    """Two buyers, one of whom cancels."""
    for index, email in enumerate(("ada@example.com", "grace@example.com")):
        user = journey.user()
        twice(user, "/health")
        if index:
            user.post("/login", body={"email": email, "password": "wrong"})
        login = user.post("/login", body={"email": email, "password": "correct horse"})
        page = twice(user, "/products?limit=4&sort=price")
        skus = [page.take(f"/items/{number}/sku") for number in range(4)]
        if page.json["next_cursor"]:
            user.get("/products?limit=4&sort=price&cursor={}", page.take("/next_cursor"))
        twice(user, "/products/{}", skus[journey.random.randrange(4)])
        user.get("/cart")
        user.headers["Authorization"] = ("Bearer ", login.take("/access_token"))
        for sku in journey.random.sample(skus, 2):
            user.post("/cart", body={"sku": sku, "quantity": journey.random.randint(1, 3)})
        twice(user, "/cart")
        ordered = user.post(
            "/orders", body={"ship_to": {"city": "Porto", "street": f"Rua {journey.random.randint(1, 99)}"}}
        )
        number = ordered.take("/id")
        twice(user, "/orders/{}", number)
        user.send("PATCH", "/orders/{}", number, body={"note": sentence(journey)})
        user.get("/orders")
        if index:
            user.post("/orders/{}/cancel", number, body={"reason": "late"})
            user.get("/orders/{}", number)
        user.send("DELETE", "/cart")
    user.get("/products/{}", "NONE-404")


def tickets(journey: Journey) -> None:
    """Two agents open, comment, solve and list tickets."""
    for name in ("ines", "otto"):
        user = journey.user()
        signed = user.post("/auth/token", body={"user": name, "secret": "s3same"})
        user.headers["Authorization"] = ("Bearer ", signed.take("/token"))
        twice(user, "/agents")
        numbers = []
        for _ in range(journey.random.randint(2, 3)):
            opened = user.post(
                "/tickets",
                body={
                    "subject": sentence(journey),
                    "priority": journey.random.choice(["low", "normal", "high"]),
                    "labels": journey.random.sample(["vpn", "printer", "mail", "billing"], 2),
                    "contact": f"{name}@customer.test",
                    "custom": {"floor": journey.random.randint(1, 9), "vip": journey.random.random() < 0.5},
                },
            )
            numbers.append(opened.take("/id"))
        twice(user, "/tickets/{}", numbers[0])
        comments = [
            user.post("/tickets/{}/comments", number, body={"text": sentence(journey), "internal": index == 0})
            for index, number in enumerate([*numbers, numbers[0]])
        ]
        user.send("PATCH", "/tickets/{}", numbers[0], body={"status": "pending", "assignee": 2})
        user.send("PATCH", "/tickets/{}", numbers[1], body={"status": "solved"})
        twice(user, "/tickets?status=open&offset=0&limit=3")
        user.get("/tickets?offset=0&limit=2")
        user.send("DELETE", "/tickets/{}/comments/{}", numbers[0], comments[0].take("/comment_id"))
        user.get("/tickets/{}", numbers[0])
        twice(user, "/stats")
    user.get("/tickets/{}", 99_999_999)
    user.post("/tickets", body={"subject": "no contact"})


def blog(journey: Journey) -> None:
    """A visitor, and two authors who write, edit and react."""
    journey.user().get("/me")
    for author in ("u0", "u2"):
        user = journey.user()
        page = user.get("/login")
        user.send("POST", "/login", form={"csrf": page.between('name="csrf" value="', '"'), "user": author})
        me = twice(user, "/me")
        written = []
        for index in range(2):
            title = f"{author} {sentence(journey, 3)} {index}"
            post = user.post(
                "/posts",
                body={
                    "title": title,
                    "body": sentence(journey, 8),
                    "tags": journey.random.sample(["sea", "art", "food", "code", "bike"], 3),
                },
                X_CSRF_Token=me.take("/csrf"),
            )
            written.append(post.take("/id"))
        twice(user, "/posts/{}", written[0])
        twice(user, "/posts?dir=asc")
        user.get("/posts?dir=desc")
        user.send("PUT", "/posts/{}", written[1], body={"body": sentence(journey, 6)})
        for kind in ("like", "clap", "like"):
            user.post("/posts/{}/reactions", written[0], body={"kind": kind})
        twice(user, "/archive.txt")
        user.send("DELETE", "/posts/{}", written[1])
        user.get("/posts/{}", written[1])
    user.post("/posts", body={"title": "t", "body": "b", "tags": []}, X_CSRF_Token="wrong")


def depot(journey: Journey) -> None:
    """A warehouse system ships, scans and exports."""
    journey.user().get("/status")
    user = journey.user(X_Api_Key="depot-key-1")
    twice(user, "/status")
    carriers = list(twice(user, "/carriers").json)
    made = []
    for _ in range(3):
        items = [
            {"sku": f"BX-{journey.random.randint(100, 999)}", "quantity": journey.random.randint(1, 6)}
            for _ in range(journey.random.randint(1, 3))
        ]
        shipment = user.post(
            "/shipments",
            body={
                "carrier": journey.random.choice(carriers),
                "warehouse": journey.random.choice(["main", "annex"]),
                "items": items,
                "to": {
                    "name": "Chloé Roux",
                    "city": journey.random.choice(["Kraków", "Lyon", "Malmö"]),
                    "zip": f"{journey.random.randint(10000, 99999)}",
                },
            },
        )
        made.append(shipment.take("/shipment_id"))
    for number, state in ((0, "packed"), (1, "packed"), (0, "in_transit"), (0, "delivered")):
        user.post(
            "/shipments/{}/scans", made[number], body={"state": state, "scanner": f"gun-{journey.random.randint(1, 4)}"}
        )
    twice(user, "/shipments/{}", made[0])
    twice(user, "/shipments")
    user.get("/shipments?state=created")
    twice(user, "/shipments.csv")
    twice(user, "/events")
    user.get("/shipments/{}", "0ujsswThIGTUYm2K8FjOOfXtY1K")


def bookings(journey: Journey) -> None:
    """Two guests book rooms; one withdraws."""
    for guest in ("mira", "noel"):
        user = journey.user()
        first = twice(user, "/rooms?page=1")
        rooms = [first.take(f"/rooms/{index}/room") for index in range(3)]
        user.get("/rooms?page=2")
        user.post("/bookings", body={"room": rooms[0], "nights": 1})
        key = user.post("/keys", body={"guest": guest})
        user.headers["X-Api-Key"] = key.take("/api_key")
        twice(user, "/rooms/{}", journey.random.choice(rooms))
        user.post(
            "/quotes",
            body={"room": journey.random.choice(rooms), "nights": 2, "currency": journey.random.choice(["USD", "SEK"])},
        )
        booked = []
        for room in journey.random.sample(rooms, 2):
            arrival = datetime.now(UTC) + timedelta(days=journey.random.randint(3, 60))
            booking = user.post(
                "/bookings",
                body={
                    "room": room,
                    "nights": journey.random.randint(1, 6),
                    "from": arrival.date().isoformat(),
                    "extras": journey.random.sample(["breakfast", "parking", "dog"], 2),
                },
            )
            booked.append(booking.take("/_id"))
        twice(user, "/bookings/{}", booked[0])
        user.send("PUT", "/bookings/{}/extras", booked[0], body={"extras": ["crib"]})
        twice(user, "/bookings")
        if guest == "noel":
            user.send("DELETE", "/bookings/{}", booked[1])
            user.get("/bookings/{}", booked[1])
    user.get("/rooms/{}", 9)


def ledger(journey: Journey) -> None:
    """A bank's back office opens accounts and moves money."""
    user = journey.user()
    twice(user, "/currencies")
    accounts = []
    for owner, currency in (
        ("Ada Núñez", "EUR"),
        ("Hugo Lima", journey.random.choice(["USD", "CHF"])),
        ("Eda Çelik", "EUR"),
    ):
        opened = user.post("/accounts", body={"owner": owner, "currency": currency})
        accounts.append(opened.take("/account_id"))
    for account in accounts[:2]:
        user.post(
            "/accounts/{}/deposits",
            account,
            body={
                "amount": f"{journey.random.randint(100, 900)}.{journey.random.randint(10, 99)}",
                "memo": sentence(journey),
            },
        )
    moved = []
    for source, goal in ((0, 1), (0, 2), (1, 0)):
        transfer = user.post(
            "/transfers",
            body={
                "from_account": accounts[source],
                "to_account": accounts[goal],
                "amount": f"{journey.random.randint(5, 40)}.50",
            },
        )
        moved.append(transfer.take("/transfer_id"))
    user.post("/transfers", body={"from_account": accounts[2], "to_account": accounts[0], "amount": "99999.00"})
    for account in accounts:
        twice(user, "/accounts/{}", account)
    twice(user, "/transfers/{}", moved[0])
    user.get("/accounts/{}/entries", accounts[0])
    twice(user, "/accounts/{}/statement.xml", accounts[1])
    twice(user, "/accounts")
    user.get("/accounts/{}", "1")


JOURNEYS: dict[str, Callable[[Journey], None]] = {
    "shop": shop,
    "tickets": tickets,
    "blog": blog,
    "depot": depot,
    "bookings": bookings,
    "ledger": ledger,
}
