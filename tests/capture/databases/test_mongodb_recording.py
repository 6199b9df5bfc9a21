"""A real driver and a server with a recorder between them: what is on the tape, and that nothing else changed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pymongo
import pytest
from database_kit import answer, exchanges, question, recording, recording_of, service_map
from mongodb_server import PASSWORD, MongoServer
from pymongo import MongoClient

from wiretape_capture.snapshot.exchange import Direction, Protocol

pytestmark = pytest.mark.xdist_group("mongodb")  # one server for all


SOON: dict[str, Any] = {"serverSelectionTimeoutMS": 2000}
"""For a client that will find no server."""


def connect(url: str, **options: Any) -> MongoClient[dict[str, Any]]:
    return MongoClient(url, **{"serverSelectionTimeoutMS": 10_000, **options})


def shop(url: str, **options: Any) -> list[Any]:
    with connect(url, **options) as client:
        shelf = client.shop.shelf
        shelf.drop()
        shelf.insert_many([{"_id": number, "sku": "a"} for number in range(5)])
        seen: list[Any] = list(shelf.find({"sku": "a"}, batch_size=2).sort("_id", 1))
        seen.append(shelf.update_one({"_id": 1}, {"$set": {"sku": "b"}}).modified_count)
        with pytest.raises(pymongo.errors.DuplicateKeyError):
            shelf.insert_one({"_id": 1})
        return seen


async def test_commands_are_recorded_with_their_replies(mongodb: MongoServer, tmp_path: Path) -> None:
    direct = await asyncio.to_thread(shop, mongodb.url)
    async with recording(tmp_path, mongodb.url) as job:
        recorded = await asyncio.to_thread(shop, job.environment["WIRETAPE_DB_URL"])
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    tape = await exchanges(tmp_path / "tape.tape")
    assert {(each.service, each.protocol, each.direction) for each in tape} == {
        ("db", Protocol.MONGODB, Direction.OUTBOUND)
    }
    commands = [each for each in tape if each.command != "CONNECT"]
    assert [each.started_ns for each in commands] == sorted(each.started_ns for each in commands)
    assert [each.command for each in commands if each.command != "endSessions"] == [
        "drop", "insert", "find", "getMore", "getMore", "update", "insert"
    ]  # fmt: skip
    insert, find, more = commands[1:4]
    assert insert.location == "insert shop.shelf documents=[{_id: ?, sku: ?} x5]"
    assert question(insert)["documents"][4] == {"_id": {"$numberInt": "4"}, "sku": "a"}
    assert answer(insert)["n"] == {"$numberInt": "5"}
    assert find.location == "find shop.shelf filter={sku: ?} sort={_id: 1}"
    assert question(more)["getMore"] == answer(find)["cursor"]["id"]
    assert [each.status for each in commands[5:7]] == ["ok", "11000"]
    assert commands[6].response is not None
    assert commands[6].response.status == 400


async def test_no_secret_is_on_the_tape(mongodb: MongoServer, tmp_path: Path) -> None:
    async with recording(tmp_path, mongodb.url) as job:
        url = job.environment["WIRETAPE_DB_URL"]
        assert "s3cr" not in url
        await asyncio.to_thread(shop, url)
        with connect(url, username="shop", password=PASSWORD, authSource="admin") as client:
            await asyncio.to_thread(client.admin.command, "createUser", "guest", pwd="gu3st", roles=[])
            await asyncio.to_thread(client.admin.command, "dropUser", "guest")
    for each in await exchanges(tmp_path / "tape.tape"):
        told = each.model_dump_json() + str(each.request.body.data) + str(each.response and each.response.body.data)
        assert "s3cr" not in told
        assert "gu3st" not in told
        assert "sasl" not in each.command


async def test_a_login_that_wiretape_does_not_know_passes(mongodb: MongoServer, tmp_path: Path) -> None:
    async with recording(tmp_path, f"mongodb://127.0.0.1:{mongodb.port}") as job:
        place = f"127.0.0.1:{job.port}"
        login = {"username": "shop", "authSource": "admin"}
        assert await asyncio.to_thread(lambda: shop(f"mongodb://{place}", password=PASSWORD, **login))
        with pytest.raises(pymongo.errors.OperationFailure, match="uthentication failed"):
            await asyncio.to_thread(lambda: shop(f"mongodb://{place}", password="wrong", **login))
    tape = await exchanges(tmp_path / "tape.tape")
    assert not any("sasl" in each.command for each in tape)


async def test_a_driver_that_looks_for_the_whole_set_is_led_back(mongodb: MongoServer, tmp_path: Path) -> None:
    def ask(place: str) -> Any:
        with connect(f"mongodb://{place}") as client:  # without directConnection: it goes where `hosts` says
            client.shop.shelf.find_one({"sku": "led"})
            return client.nodes, client.topology_description.topology_type_name

    async with recording(tmp_path, mongodb.url) as job:
        nodes, kind = await asyncio.to_thread(ask, f"127.0.0.1:{job.port}")
    assert nodes == {("127.0.0.1", job.port)}
    assert kind == "ReplicaSetWithPrimary"
    assert "find" in [each.command for each in await exchanges(tmp_path / "tape.tape")]


async def test_compression_is_not_agreed_on(mongodb: MongoServer, tmp_path: Path) -> None:
    async with recording(tmp_path, mongodb.url) as job:
        url = f"mongodb://127.0.0.1:{job.port}/?directConnection=true"
        assert await asyncio.to_thread(lambda: shop(url, compressors="zlib"))
    assert job.result is not None
    assert job.result.notes == ()


async def test_tls_to_the_server_is_wiretapes_affair(mongodb: MongoServer, tmp_path: Path) -> None:
    async with recording(tmp_path, mongodb.tls_url) as job:
        url = job.environment["WIRETAPE_DB_URL"]
        assert url.endswith("directConnection=true&tls=false")
        assert len(await asyncio.to_thread(shop, url)) == 6
    async with recording(tmp_path, mongodb.tls_url.partition("&tlsCAFile")[0], name="unknown") as job:
        with pytest.raises(pymongo.errors.ServerSelectionTimeoutError):
            await asyncio.to_thread(lambda: shop(job.environment["WIRETAPE_DB_URL"], **SOON))
    assert job.result is not None
    assert "tlsCAFile=FILE" in str(job.result.notes)


async def test_what_cannot_be_reached_or_entered_is_told(mongodb: MongoServer, tmp_path: Path, free_port: Any) -> None:
    wrong = mongodb.url.replace("s3cr", "wrong")
    for number, (url, said) in enumerate((
        (f"mongodb://127.0.0.1:{free_port()}", "could not connect to db"), (wrong, "could not log in to db"),
    )):  # fmt: skip
        async with recording(tmp_path, url, name=f"tape{number}") as job:
            with pytest.raises(pymongo.errors.ServerSelectionTimeoutError):
                url = job.environment["WIRETAPE_DB_URL"]
                await asyncio.to_thread(lambda: shop(url, **SOON))  # noqa: B023 - awaited here
        refused = (await exchanges(tmp_path / f"tape{number}.tape"))[0]
        assert refused.command == "CONNECT"
        assert refused.response is not None
        assert said in refused.response.reason
        assert job.result is not None
        assert said in str(job.result.notes)


async def test_a_client_in_tls_gets_it_where_it_trusts_us(mongodb: MongoServer, tmp_path: Path) -> None:
    async with recording(tmp_path, mongodb.url) as job:
        url = f"mongodb://127.0.0.1:{job.port}/?directConnection=true&tls=true&tlsCAFile="
        assert await asyncio.to_thread(lambda: shop(url + job.environment["SSL_CERT_FILE"]))
        with pytest.raises(pymongo.errors.ServerSelectionTimeoutError):
            await asyncio.to_thread(lambda: shop(url + str(mongodb.folder / "server.crt"), **SOON))
        assert "set tls=false where the app connects" in await job.told("with which TLS failed")
    assert "insert" in {each.command for each in await exchanges(tmp_path / "tape.tape")}


async def test_a_server_is_in_tls_where_only_the_app_knows_that(mongodb: MongoServer, tmp_path: Path) -> None:
    """Its authority is not known either: that is told; where it is, `test_redis_recording` has the same in full."""
    async with recording(tmp_path, f"mongodb://127.0.0.1:{mongodb.tls_port}") as job:
        url = f"mongodb://127.0.0.1:{job.port}/?directConnection=true&tls=true&tlsInsecure=true"
        with pytest.raises(pymongo.errors.ServerSelectionTimeoutError):
            await asyncio.to_thread(lambda: shop(url, serverSelectionTimeoutMS=5000))
        await job.told("its certificate does not verify")


async def test_a_login_inside_of_a_longer_text_lets_the_app_in(mongodb: MongoServer, tmp_path: Path) -> None:
    plain = service_map(f"mongodb://127.0.0.1:{mongodb.port}")
    async with recording_of(tmp_path, plain, env={"SETTINGS": f'{{"docs": "{mongodb.url}"}}'}) as job:
        settings = job.environment["SETTINGS"]
        assert "s3cr" not in settings
        assert await asyncio.to_thread(shop, json.loads(settings)["docs"])


async def test_a_wrong_login_in_a_text_does_not_keep_the_app_out(mongodb: MongoServer, tmp_path: Path) -> None:
    plain = service_map(f"mongodb://127.0.0.1:{mongodb.port}")
    help_text = {"HELP": f"such as mongodb://shop:example@127.0.0.1:{mongodb.port}/shop?authSource=admin"}
    async with recording_of(tmp_path, plain, env=help_text) as job:
        login = {"username": "shop", "password": PASSWORD, "authSource": "admin"}
        assert await asyncio.to_thread(lambda: shop(f"mongodb://127.0.0.1:{job.port}", **login))
