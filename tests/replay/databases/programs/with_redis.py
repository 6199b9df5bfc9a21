"""redis-py: `with_redis.py 2|3` in that version of RESP. Everything that a program may do, and what it got."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import redis

RESP = int(sys.argv[1])
client: Any = redis.Redis.from_url(os.environ["DB_URL"], protocol=RESP)


def say(name: str, value: Any) -> None:
    print(name, repr(value))


def failing(name: str, call: Callable[[], Any]) -> None:
    try:
        say(name, call())
    except redis.RedisError as error:
        say(name, (type(error).__name__, str(error)))


def strings() -> None:
    client.flushall()
    say("set", client.set("user:1", "Ada"))
    say("get", client.get("user:1"))
    say("missing", client.get("user:2"))
    say("nx", [client.set("user:1", "x", nx=True), client.set("lock", "1", nx=True, ex=60)])
    say("set-get", client.set("user:1", "Ada L.", get=True))
    say("again", client.get("user:1"))
    say("incr", [client.incr("views"), client.incr("views", 5), client.incrbyfloat("rate", 0.5)])
    say("mget", client.mget("user:1", "user:2", "views"))
    say("mset", client.mset({"a": 1, "b": 2}))
    say("ttl", client.ttl("lock") in (59, 60))
    say("exists", [client.exists("a", "b", "c"), client.delete("a", "b", "c")])
    say("binary", [client.set(b"bin\xff", bytes(range(256))), client.get(b"bin\xff")])
    client.set("large", b"x" * 200_000)
    say("large", len(client.get("large") or b""))
    say("type", [client.type("views"), client.object("encoding", "views")])


def collections() -> None:
    say("hset", client.hset("user:1:profile", mapping={"name": "Ada", "age": 36}))
    say("hgetall", client.hgetall("user:1:profile"))
    say("hmget", client.hmget("user:1:profile", ["name", "none"]))
    say("hincr", [client.hincrby("user:1:profile", "age", 1), client.hincrbyfloat("user:1:profile", "size", 1.25)])
    say("push", [client.rpush("jobs", "a", "b", "c"), client.lrange("jobs", 0, -1), client.lpop("jobs")])
    say("sadd", [client.sadd("tags", "x"), client.smembers("tags"), client.sismember("tags", "x")])
    say("zadd", client.zadd("board", {"ada": 3.5, "bob": 2, "cyd": 10}))
    say("zrange", client.zrange("board", 0, -1, withscores=True))
    say("zscore", [client.zscore("board", "ada"), client.zscore("board", "nobody"), client.zrank("board", "cyd")])
    say("zpop", client.zpopmin("board"))
    say("geo", client.geoadd("places", (13.361389, 38.115556, "Palermo")))
    say("geodist", client.geopos("places", "Palermo", "Nowhere"))
    say("scan", sorted(client.scan_iter(match="user:*")))
    say("hscan", dict(client.hscan_iter("user:1:profile")))
    say("bits", [client.setbit("bits", 7, 1), client.getbit("bits", 7), client.bitcount("bits")])


def errors() -> None:
    failing("wrongtype", lambda: client.lpush("user:1", "x"))
    failing("syntax", lambda: client.execute_command("SET", "only"))
    failing("unknown", lambda: client.execute_command("NOSUCH", "x"))


def pipelines() -> None:
    with client.pipeline(transaction=False) as pipe:
        say("pipeline", pipe.set("p", 1).incr("p").get("p").hgetall("user:1:profile").execute())
    with client.pipeline() as pipe:
        say("multi", pipe.set("q", 1).incr("q").get("q").hgetall("user:1:profile").execute())
    with client.pipeline() as pipe:
        failing("multi-error", lambda: pipe.set("q", "word").incr("q").get("q").execute())
    with client.pipeline() as pipe:
        failing("aborted", lambda: pipe.set("q", "1").execute_command("SET", "only").execute())
    with client.pipeline() as pipe:
        pipe.watch("q")
        before = pipe.get("q")
        client.set("q", "changed meanwhile")
        pipe.multi()
        pipe.set("q", "never")
        failing("watch", pipe.execute)
    say("after-watch", [before, client.get("q")])

    def move(pipe: Any) -> None:
        value = pipe.get("q")
        pipe.multi()
        pipe.set("q", value + b"!")

    say("transaction", [client.transaction(move, "q"), client.get("q")])


def scripts() -> None:
    double = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1]) * 2")
    say("script", [double(keys=["scripted"], args=[4]), double(keys=["scripted"], args=[1])])
    say("eval", client.eval("return {1, 'two', false, {3}}", 0))
    failing("noscript", lambda: client.evalsha("f" * 40, 0))
    failing("script-error", lambda: client.eval("return redis.error_reply('MINE it went wrong')", 0))
    say("loaded", client.script_exists(client.script_load("return 1"), "f" * 40))


def streams() -> None:
    first = client.xadd("events", {"kind": "a"}, id="1-1")
    client.xadd("events", {"kind": "b"}, id="2-1")
    say("xlen", [first, client.xlen("events"), client.xrange("events")])
    say("xread", client.xread({"events": "1-1"}))
    say("xread-block", client.xread({"events": "2-1"}, block=50))
    say("group", client.xgroup_create("events", "workers", id="0"))
    say("xreadgroup", client.xreadgroup("workers", "w1", {"events": ">"}, count=1))
    say("xack", [client.xack("events", "workers", "1-1"), client.xpending("events", "workers")["pending"]])
    own = client.xadd("events", {"kind": "c"})
    say("xadd", (own or b"").count(b"-"))


def blocking() -> None:
    client.rpush("queue", "job")
    say("blpop", client.blpop(["queue"], timeout=1))
    say("blpop-none", client.blpop(["queue"], timeout=0.05))
    say("lmove", [client.rpush("from", "z"), client.blmove("from", "to", timeout=1)])


def databases() -> None:
    other: Any = redis.Redis.from_url(os.environ["DB_URL"].rpartition("/")[0] + "/3", protocol=RESP)
    say("other-db", [other.set("user:1", "elsewhere"), other.get("user:1"), client.get("user:1"), other.dbsize()])
    other.close()


def published() -> None:
    with client.pubsub() as listener:
        listener.subscribe("news")
        listener.psubscribe("ev.*")
        listener.ssubscribe("shard")
        got = [listener.get_message(timeout=2), listener.get_message(timeout=2), listener.get_message(timeout=2)]
        say("receivers", [client.publish("news", "hello"), client.publish("ev.a", b"\xffbinary"),
                          client.spublish("shard", "s"), client.publish("nobody", "x")])  # fmt: skip
        got += [listener.get_message(timeout=2) for _ in range(3)]
        listener.unsubscribe()
        got.append(listener.get_message(timeout=2))
        say("messages", got)


def generated() -> None:
    token = str(uuid.uuid4())
    client.set(f"session:{token}", f"user 1, session {token}", ex=60)
    say("session", (client.get(f"session:{token}") or b"").decode() == f"user 1, session {token}")
    client.zadd("seen", {token: time.time()})
    say("seen", client.zscore("seen", token) is not None)


def about() -> None:
    say("info", client.info("server")["redis_mode"])
    say("config", client.config_get("maxmemory"))
    say("name", [client.client_setname("worker"), client.client_getname()])
    say("ping", [client.ping(), client.echo("hi")])
    say("dbsize", client.dbsize() > 3)


for step in (
    strings,
    collections,
    errors,
    pipelines,
    scripts,
    streams,
    blocking,
    databases,
    published,
    generated,
    about,
):
    step()
client.close()
