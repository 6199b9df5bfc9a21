"""What differs from start to start in production: clocks, ids, tokens, measured times. Real randomness, never seeded.

Domain data comes from `domain()`, which is the same for the same BENCH_SEED.
"""

from __future__ import annotations

import base64
import json
import os
import random
import secrets
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

_OFFSET = float(os.environ.get("BENCH_CLOCK", "0"))
"""Seconds that this process's clock is off: recordings are made in the past."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

CITIES = ("Genève", "Kraków", "Malmö", "Bristol", "São Paulo", "Tartu", "Graz", "Zürich", "Porto", "Brno")
NAMES = ("Ada Núñez", "Björn Lind", "Chloé Roux", "Dmitri Orlov", "Eda Çelik", "Farid Aziz", "Grete Weiß", "Hugo Lima")
THINGS = ("lamp", "chair", "kettle", "shelf", "mug", "rug", "clock", "vase", "stool", "bowl", "tray", "frame")
TAGS = ("new", "sale", "eco", "import", "fragile", "bulk", "gift", "loud")


def domain(name: str) -> random.Random:
    """The seeded source of an app's domain data."""
    return random.Random(f"{name}:{os.environ.get('BENCH_SEED', '1')}")


def now() -> float:
    """Seconds since the epoch by this process's clock."""
    return time.time() + _OFFSET


def iso(ahead: float = 0, style: str = "micro") -> str:
    """The time in ISO 8601: microseconds with offset, milliseconds with Z, or whole seconds with Z."""
    moment = datetime.fromtimestamp(now(), UTC) + timedelta(seconds=ahead)
    if style == "micro":
        return moment.isoformat()
    if style == "milli":
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def http_date(ahead: float = 0) -> str:
    """The time as HTTP writes it (RFC 9110 §5.6.7)."""
    return format_datetime(datetime.fromtimestamp(now() + ahead, UTC), usegmt=True)


def uuid4() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


def ulid() -> str:
    """A ULID of now."""
    number = (int(now() * 1000) << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def ksuid() -> str:
    """A KSUID of now."""
    number = ((int(now()) - 1_400_000_000) << 128) | secrets.randbits(128)
    digits = ""
    for _ in range(27):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def token(size: int = 24) -> str:
    """A random URL-safe token."""
    return secrets.token_urlsafe(size)


def counter() -> int:
    """Where a sequence begins in this process: a database that was used before."""
    return secrets.randbelow(9000) + 1000


def measured(least: float, most: float) -> float:
    """A duration in milliseconds, as a clock would have measured it."""
    return round(random.SystemRandom().uniform(least, most), 3)


def shuffled[T](items: list[T]) -> list[T]:
    """The items as an unordered set gives them."""
    return random.SystemRandom().sample(items, len(items))


def cursor(position: int) -> str:
    """An opaque page cursor with a nonce, as a keyset pagination hands out."""
    return base64.urlsafe_b64encode(json.dumps({"o": position, "n": secrets.token_hex(4)}).encode()).decode()


def position(text: str) -> int:
    """Where a cursor points."""
    return int(json.loads(base64.urlsafe_b64decode(text))["o"]) if text else 0


def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Call the dependency; its address is in BENCH_SERVICES."""
    url = os.environ["BENCH_SERVICES"] + path
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Tenant": path.split("/")[2]}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
