"""`python -m benchmarks.database.client DRIVER URL SECONDS`: one connection that reads row by row, as an app does.

Prints one JSON object: operations, and the seconds that they took.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator

KEYS = 500
SEED = 7
"""Every client asks for the keys in the same shuffled order, over and over."""
SELECT = "select id, name, qty, price, changed from item where id = %s"


def keys() -> Iterator[int]:
    """Keys without end."""
    order = list(range(1, KEYS + 1))
    random.Random(SEED).shuffle(order)
    while True:
        yield from order


def psycopg_reader(url: str) -> Callable[[int], None]:
    """psycopg 3 as it comes: it prepares a statement after five executions."""
    import psycopg

    connection = psycopg.connect(url, autocommit=True)
    cursor = connection.cursor()

    def read(key: int) -> None:
        (row,) = cursor.execute(SELECT, (key,)).fetchall()
        assert row[0] == key

    return read


def redis_reader(url: str) -> Callable[[int], None]:
    """redis-py as it comes."""
    import redis

    client = redis.Redis.from_url(url)

    def read(key: int) -> None:
        value = client.get(f"item:{key}")
        assert isinstance(value, bytes)
        assert value.startswith(b"%d " % key)

    return read


READERS = {"psycopg": psycopg_reader, "redis": redis_reader}


def main() -> None:
    """Read for so long; the first reads warm the connection and do not count."""
    driver, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    read, each = READERS[driver](url), keys()
    for _ in range(KEYS):
        read(next(each))
    begun, done = time.perf_counter(), 0
    until = begun + seconds
    while time.perf_counter() < until:
        for _ in range(20):
            read(next(each))
        done += 20
    print(json.dumps({"operations": done, "seconds": time.perf_counter() - begun}))  # noqa: T201


if __name__ == "__main__":
    main()
