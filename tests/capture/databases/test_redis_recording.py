"""A real client and a real server with a recorder between them: what is on the tape, and that nothing else changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from database_kit import answer, exchanges, question, recording, recording_of, service_map
from redis_server import PASSWORD, QUOTED, RedisServer

from wiretape_capture.snapshot.exchange import Direction, Protocol

pytestmark = pytest.mark.xdist_group("redis")  # one server for all


def shop(url: str, **options: Any) -> list[Any]:
    with redis.Redis.from_url(url, **options) as client:
        client.flushall()
        seen: list[Any] = [client.set("user:1", "Ada"), client.get("user:1"), client.get("user:2")]
        with client.pipeline() as pipe:
            seen += pipe.incr("n").hset("h", "a", "b\xff").hgetall("h").execute()
        seen += [client.zadd("z", {"a": 1.5}), client.zrange("z", 0, -1, withscores=True), client.get("user:1")]
    return seen


@pytest.mark.parametrize("protocol", [2, 3])
async def test_commands_are_recorded_with_what_they_got(
    redis_server: RedisServer, tmp_path: Path, protocol: int
) -> None:
    direct = await asyncio.to_thread(shop, redis_server.url, protocol=protocol)
    async with recording(tmp_path, redis_server.url) as job:
        recorded = await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"], protocol=protocol)
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    tape = await exchanges(tmp_path / "tape.tape")
    assert {(each.service, each.protocol, each.direction) for each in tape} == {
        ("db", Protocol.REDIS, Direction.OUTBOUND)
    }
    known = [each for each in tape if each.command not in ("HELLO", "AUTH", "CLIENT SETINFO")
             and not each.command.startswith("CLIENT")]  # fmt: skip
    assert [(each.command, each.location, each.status) for each in known] == [
        ("FLUSHALL", "FLUSHALL", "OK"), ("SET", "SET user:{n} ?", "OK"), ("GET", "GET user:{n}", "OK"),
        ("GET", "GET user:{n}", "OK"), ("MULTI", "MULTI INCRBY n ?; HSET h ?; HGETALL h", "OK"),
        ("ZADD", "ZADD z ?", "OK"), ("ZRANGE", "ZRANGE z ? WITHSCORES", "OK"), ("GET", "GET user:{n}", "OK"),
    ]  # fmt: skip
    assert question(known[1]) == {"command": ["SET", "user:1", "Ada"], "db": 0, "resp": protocol}
    assert [answer(each)["reply"] for each in known[1:4]] == [{"simple": "OK"}, "Ada", None]
    scores = {2: ["a", "1.5"], 3: [["a", {"double": "1.5"}]]}
    assert answer(known[6])["reply"] == scores[protocol]


@pytest.mark.parametrize(
    ("way", "login"), [("tcp", f"shop:{QUOTED}@"), ("tls", f":{QUOTED}@"), ("socket", f"default:{QUOTED}@")]
)
async def test_wiretape_logs_in_and_no_password_is_kept(
    redis_server: RedisServer, tmp_path: Path, login: str, way: str
) -> None:
    url = {"tcp": redis_server.url, "tls": redis_server.tls_url, "socket": redis_server.socket_url}[way]
    async with recording(tmp_path, url.replace(f":{QUOTED}@", login)) as job:
        local = job.environment["WIRETAPE_DB_URL"]
        assert "s3cr" not in local
        seen = await asyncio.to_thread(shop, local)
        without = await asyncio.to_thread(shop, f"redis://127.0.0.1:{job.port}")
        other = await asyncio.to_thread(shop, f"redis://127.0.0.1:{job.port}", username="shop", password=PASSWORD)
    assert seen == without == other
    assert job.result is not None
    assert job.result.notes == ()
    assert b"s3cr" not in (tmp_path / "tape.tape").read_bytes()
    for each in await exchanges(tmp_path / "tape.tape"):
        assert b"s3cr" not in (each.request.body.data or b"") + (
            each.response.body.data or b"" if each.response else b""
        )


@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_login_that_wiretape_does_not_know_passes(
    redis_server: RedisServer, tmp_path: Path, protocol: int
) -> None:
    async with recording(tmp_path, f"redis://127.0.0.1:{redis_server.port}") as job:
        url = f"redis://127.0.0.1:{job.port}"
        await asyncio.to_thread(shop, url, password=PASSWORD, protocol=protocol)
        with pytest.raises(redis.AuthenticationError):
            await asyncio.to_thread(shop, url, password="wrong", protocol=protocol)
    tape = await exchanges(tmp_path / "tape.tape")
    logins = [each for each in tape if each.command in ("AUTH", "HELLO") and "(secret)" in str(question(each))]
    assert [each.status for each in logins] == ["OK", "WRONGPASS"]
    assert "s3cr" not in str([question(each) for each in tape])


async def test_a_password_that_is_wrong_is_told_to_the_app(redis_server: RedisServer, tmp_path: Path) -> None:
    async with recording(tmp_path, f"redis://:wrong@127.0.0.1:{redis_server.port}") as job:
        with pytest.raises(redis.RedisError, match=r"WRONGPASS|invalid username-password"):
            await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"])
    tape = await exchanges(tmp_path / "tape.tape")
    assert {(each.command, each.status) for each in tape} == {("CONNECT", "WRONGPASS")}


async def test_a_server_that_is_not_there_is_noted(tmp_path: Path, free_port: Callable[[], int]) -> None:
    async with recording(tmp_path, f"redis://127.0.0.1:{free_port()}") as job:
        with pytest.raises(redis.ConnectionError):
            await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"])
    assert job.result is not None
    assert any("connections to db that could not be made" in note for note in job.result.notes)


async def test_a_certificate_that_is_not_trusted_is_said_with_what_to_do(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    url = redis_server.tls_url.partition("?")[0]
    async with recording(tmp_path, url) as job:
        with pytest.raises(redis.ConnectionError):
            await asyncio.to_thread(shop, f"redis://127.0.0.1:{job.port}")
    assert job.result is not None
    assert any("ssl_ca_certs=FILE" in note for note in job.result.notes)
    async with recording(tmp_path, f"{url}?ssl_ca_certs=/no/such/file", name="missing") as job:
        with pytest.raises(redis.ConnectionError):
            await asyncio.to_thread(shop, f"redis://127.0.0.1:{job.port}")
    assert job.result is not None
    assert any("missing: /no/such/file" in note for note in job.result.notes)
    async with recording(tmp_path, f"{url}?ssl_cert_reqs=none", name="unverified") as job:
        await asyncio.to_thread(shop, f"redis://127.0.0.1:{job.port}")
    assert job.result is not None
    assert job.result.notes == ()


async def test_monitor_passes_unrecorded_and_is_told(redis_server: RedisServer, tmp_path: Path) -> None:
    async with recording(tmp_path, redis_server.url) as job:
        url = f"redis://127.0.0.1:{job.port}"

        def watch() -> Any:
            with redis.Redis.from_url(url) as client, redis.Redis.from_url(url) as other, client.monitor() as monitor:
                other.set("seen", "1")
                return next(each["command"] for each in monitor.listen() if "seen" in each["command"])

        assert "SET seen 1" in await asyncio.to_thread(watch)
    assert job.result is not None
    assert [note for note in job.result.notes if "MONITOR" in note and "not recorded from there on" in note]
    assert "SET" in {each.command for each in await exchanges(tmp_path / "tape.tape")}


@pytest.mark.parametrize("trusts", [True, False])
async def test_a_client_that_begins_with_tls_gets_it_where_it_trusts_us(
    redis_server: RedisServer, tmp_path: Path, trusts: bool
) -> None:
    async with recording(tmp_path, redis_server.url) as job:
        url = f"rediss://127.0.0.1:{job.port}"
        roots = job.environment["SSL_CERT_FILE"] if trusts else str(redis_server.folder / "server.crt")
        if trusts:
            assert await asyncio.to_thread(shop, url, ssl_ca_certs=roots)
        else:
            with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
                await asyncio.to_thread(shop, url, ssl_ca_certs=roots)
            assert "use redis://" in await job.told("with which TLS failed")
    tape = await exchanges(tmp_path / "tape.tape") if trusts else []
    assert ("SET" in {each.command for each in tape}) == trusts


async def test_a_server_is_in_tls_where_only_the_app_knows_that(redis_server: RedisServer, tmp_path: Path) -> None:
    """A map without a URL's scheme, and an app that is told the parts of an address and asks for TLS itself."""
    spec = service_map(f"127.0.0.1:{redis_server.tls_port}", "redis")
    authority = {"NODE_EXTRA_CA_CERTS": str(redis_server.folder / "server.crt")}
    async with recording_of(tmp_path, spec, env=authority) as job:
        roots = job.environment["SSL_CERT_FILE"]
        url = f"rediss://:{QUOTED}@127.0.0.1:{job.port}"
        assert await asyncio.to_thread(shop, url, ssl_ca_certs=roots)
    assert job.result is not None
    assert job.result.notes == ()


async def test_a_server_that_hangs_up_at_a_plain_login_is_told(redis_server: RedisServer, tmp_path: Path) -> None:
    async with recording(tmp_path, f"redis://:{QUOTED}@127.0.0.1:{redis_server.tls_port}") as job:
        with pytest.raises(redis.ConnectionError):
            await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"])
        await job.told("hung up during the login: where it speaks TLS, write rediss://")


@pytest.mark.parametrize("text", ['{"cache": "URL"}', "Cache=URL;Ttl=5", "--cache=URL --ttl 5"])
async def test_a_password_inside_of_a_longer_text_lets_the_app_in(
    redis_server: RedisServer, tmp_path: Path, text: str
) -> None:
    plain = service_map(f"redis://127.0.0.1:{redis_server.port}/0")
    async with recording_of(tmp_path, plain, env={"SETTINGS": text.replace("URL", redis_server.url)}) as job:
        settings = job.environment["SETTINGS"]
        assert "s3cr" not in settings
        url = settings[settings.index("redis://") : settings.index("/0") + 2]
        assert await asyncio.to_thread(shop, url)
    assert job.result is not None
    assert job.result.notes == ()


async def test_a_wrong_password_in_a_text_does_not_keep_the_app_out(redis_server: RedisServer, tmp_path: Path) -> None:
    plain = service_map(f"redis://127.0.0.1:{redis_server.port}/0")
    help_text = {"HELP": f"such as redis://:example@127.0.0.1:{redis_server.port}/0"}
    async with recording_of(tmp_path, plain, env=help_text) as job:
        assert await asyncio.to_thread(shop, f"redis://:{QUOTED}@127.0.0.1:{job.port}")


async def test_large_values_pass_and_what_is_not_kept_is_said(redis_server: RedisServer, tmp_path: Path) -> None:
    large = b"x" * (17 << 20)

    def keep(url: str) -> Any:
        with redis.Redis.from_url(url) as client:
            return client.set("large", large), client.get("large") == large, client.get("large") == large

    async with recording(tmp_path, redis_server.url) as job:
        assert await asyncio.to_thread(keep, job.environment["WIRETAPE_DB_URL"]) == (True, True, True)
    tape = {each.command: each for each in await exchanges(tmp_path / "tape.tape")}
    assert question(tape["SET"])["command"][2] == {"omitted": len(large)}
    assert answer(tape["GET"])["reply"] == {"omitted": len(large)}
    assert tape["GET"].response is not None
    assert not tape["GET"].response.body.complete
    assert "not kept" in tape["GET"].error
