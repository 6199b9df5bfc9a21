"""redis-py's asyncio client: `with_redis_asyncio.py 2|3`. A pool, concurrency, a worker that waits, a subscriber."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import redis.asyncio as redis


async def main() -> None:
    client: Any = redis.Redis.from_url(os.environ["DB_URL"], protocol=int(sys.argv[1]), decode_responses=True)
    await client.flushall()
    await asyncio.gather(*(client.set(f"item:{n}", n * n) for n in range(8)))
    print("many", await asyncio.gather(*(client.get(f"item:{n}") for n in range(8))))
    async with client.pipeline(transaction=True) as pipe:
        print("multi", await pipe.hset("h", "a", 1).hincrby("h", "a", 2).hgetall("h").execute())

    done: list[Any] = []

    async def worker() -> None:
        while (got := await client.blpop("queue", timeout=5)) is not None and got[1] != "stop":
            done.append(got[1])
            await client.rpush("done", got[1])

    working = asyncio.create_task(worker())
    await asyncio.sleep(0.1)  # the worker waits before there is anything
    for job in ("one", "two", "stop"):
        await client.rpush("queue", job)
    await working
    print("worker", done, await client.lrange("done", 0, -1))

    async with client.pubsub() as listener:
        await listener.subscribe("news")
        await listener.get_message(timeout=2)
        await client.publish("news", "extra")
        print("message", await listener.get_message(timeout=2))
    await client.zadd("z", {"a": 1, "b": 2.5})
    print("scores", await client.zrange("z", 0, -1, withscores=True))
    await client.aclose()


asyncio.run(main())
