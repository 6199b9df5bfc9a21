"""Real clients and a real server with a recorder between them: what is on the tape, and that nothing else changed."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from pathlib import Path
from typing import Any

import pymysql
import pytest
from database_kit import answer, exchanges, question, recording, recording_of, run, service_map
from mysql_client import Client
from mysql_server import PASSWORD, MysqlServer

from wiretape_capture.protocols.mysql import packets
from wiretape_capture.protocols.mysql.wire import Capability, Extended
from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol

pytestmark = pytest.mark.xdist_group("mysql")  # one server for all


def connect(port: int, **options: Any) -> pymysql.Connection[Any]:
    given = {"user": "shop", "password": PASSWORD, "database": "shop", "autocommit": True, **options}
    return pymysql.connect(host="127.0.0.1", port=port, **given)


def shop(port: int) -> list[Any]:
    seen: list[Any] = []
    with connect(port) as connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists shelf")
        cursor.execute("create table shelf (sku varchar(20) primary key, qty int, at datetime(3), raw blob)")
        cursor.execute("insert into shelf values (%s, %s, %s, %s)", ("a", 3, "2024-02-03 04:05:06.5", b"\xff\x00"))
        seen.append(cursor.rowcount)
        cursor.execute("select * from shelf where sku = %s", ("a",))
        seen += cursor.fetchall()
        with pytest.raises(pymysql.err.IntegrityError):
            cursor.execute("insert into shelf (sku) values ('a')")
        cursor.execute("drop table shelf")
    return seen


async def test_statements_are_recorded_with_values_and_rows_but_no_secret(mysql: MysqlServer, tmp_path: Path) -> None:
    direct = await asyncio.to_thread(shop, mysql.port)
    async with recording(tmp_path, mysql.dsn) as job:
        assert await asyncio.to_thread(shop, job.port) == direct
    assert job.result is not None
    assert job.result.notes == ()
    tape = await exchanges(tmp_path / "tape.tape")
    assert [each.started_ns for each in tape] == sorted(each.started_ns for each in tape)
    assert {(each.service, each.protocol, each.direction) for each in tape} == {
        ("db", Protocol.MYSQL, Direction.OUTBOUND)
    }
    assert [each.command for each in tape][:4] == ["CONNECT", "SET", "DROP", "CREATE"]
    insert, failed = (each for each in tape if each.command == "INSERT")
    assert insert.location == "insert into shelf values (?, ?, ?, ?)"
    assert answer(insert)["results"] == [{"affected": 1}]
    assert failed.status == "23000"
    assert failed.response is not None
    assert (failed.response.status, answer(failed)["error"]["code"]) == (400, 1062)
    (select,) = (each for each in tape if each.command == "SELECT")
    (result,) = answer(select)["results"]
    assert result["rows"] == [["a", "3", "2024-02-03 04:05:06.500", {"hex": "ff00"}]]
    assert [each["name"] for each in result["columns"]] == ["sku", "qty", "at", "raw"]
    assert "s3cr" not in job.environment["WIRETAPE_DB_URL"]
    for each in tape:
        told = (each.request.body.data or b"") + each.model_dump_json().encode()
        assert b"s3cr" not in told
        assert b"scramble" not in told


@pytest.mark.parametrize(("user", "password"), [("shop", PASSWORD), ("open", "")])
async def test_a_login_that_wiretape_does_not_know_passes(
    user: str, password: str, mysql: MysqlServer, tmp_path: Path
) -> None:
    def ask(port: int, password: str) -> Any:
        with connect(port, user=user, password=password) as connection, connection.cursor() as cursor:
            cursor.execute("select 7")
            return cursor.fetchall()

    async with recording(tmp_path, f"mysql://127.0.0.1:{mysql.port}") as job:
        assert await asyncio.to_thread(ask, job.port, password) == ((7,),)
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            await asyncio.to_thread(ask, job.port, "wrong")
    tape = await exchanges(tmp_path / "tape.tape")
    assert [each.status for each in tape if each.command == "CONNECT"] == ["00000", "28000"]


async def test_a_kind_of_login_that_wiretape_does_not_speak_passes(mysql: MysqlServer, tmp_path: Path) -> None:
    """ed25519, of the client's own plugin; with a password that wiretape should use it says that it cannot."""
    if shutil.which("mariadb") is None:
        pytest.skip("needs mariadb: install Debian's mariadb-client")
    words = ("mariadb", "--no-defaults", "-h", "127.0.0.1", "-u", "edward", "-ped", "-N", "-e", "select 8")
    async with recording(tmp_path, f"mariadb://127.0.0.1:{mysql.port}") as job:
        assert await run((*words, "-P", str(job.port)), {}) == "8\n"
    async with recording(tmp_path, f"mysql://edward:ed@127.0.0.1:{mysql.port}", name="known") as job:
        with pytest.raises(pymysql.OperationalError, match="wiretape speaks mysql_native_password"):
            await asyncio.to_thread(connect, job.port, user="edward", password="ed")
    assert job.result is not None
    assert any("logins to db that wiretape could not make" in note for note in job.result.notes)


@pytest.mark.parametrize("mode", ["DISABLED", "PREFERRED", "REQUIRED", "VERIFY_IDENTITY"])
async def test_tls_towards_the_server_is_as_the_app_asked(mode: str, mysql: MysqlServer, tmp_path: Path) -> None:
    url = f"{mysql.dsn}?ssl-mode={mode}&ssl-ca={mysql.folder / 'server.crt'}".replace("127.0.0.1", "localhost")

    def cipher(port: int) -> str:
        with connect(port, ssl_disabled=True) as connection, connection.cursor() as cursor:
            cursor.execute("show status like 'Ssl_cipher'")
            return str((cursor.fetchone() or ("", ""))[1])

    async with recording(tmp_path, url) as job:
        assert bool(await asyncio.to_thread(cipher, job.port)) is (mode != "DISABLED")


async def test_a_certificate_that_does_not_verify_is_told(mysql: MysqlServer, tmp_path: Path) -> None:
    url = f"{mysql.dsn}?ssl-mode=VERIFY_IDENTITY".replace("127.0.0.1", "localhost")
    async with recording(tmp_path, url) as job:
        with pytest.raises(pymysql.OperationalError, match="certificate does not verify"):
            await asyncio.to_thread(connect, job.port)


async def test_an_app_that_wants_tls_gets_it(mysql: MysqlServer, tmp_path: Path) -> None:
    def insisting(port: int, roots: Path) -> tuple[Any, str]:
        context = ssl.create_default_context(cafile=str(roots))
        with connect(port, ssl=context) as connection, connection.cursor() as cursor:
            cursor.execute("select 'encrypted'")
            return cursor.fetchall(), type(connection._sock).__name__  # type: ignore[attr-defined]

    async with recording(tmp_path, mysql.dsn) as job:
        roots = tmp_path / "ca" / "bundle.pem"
        assert await asyncio.to_thread(insisting, job.port, roots) == ((("encrypted",),), "SSLSocket")
        assert await asyncio.to_thread(_coalesced, job.port, roots) == b"\x00"
    assert job.result is not None
    assert job.result.notes == ()


def _coalesced(port: int, roots: Path) -> bytes:
    """The first byte of the answer to a login whose request for TLS comes in one piece with the begin of TLS."""
    import socket

    from wiretape_capture.protocols.mysql import login
    from wiretape_capture.protocols.mysql.login import Response
    from wiretape_capture.protocols.mysql.wire import packet

    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        greeting = login.read_greeting(sock.recv(4096)[4:])
        wanted = greeting.capabilities & ~(Capability.CONNECT_ATTRS | Capability.MULTI_FACTOR | Capability.COMPRESS)
        response = Response(wanted, 1 << 24, 45, "shop", b"", "shop", login.NATIVE, b"")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ssl.create_default_context(cafile=str(roots)).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        ahead = packet(1, login.write_tls_request(response))
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(ahead + outgoing.read())
                ahead = b""
                incoming.write(sock.recv(1 << 16))
        tls.write(packet(2, login.write_response(response)))
        sock.sendall(outgoing.read())
        while True:
            try:
                return tls.read(5)[4:]
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(1 << 16))


async def test_a_server_that_is_not_there_is_told_in_its_own_form(tmp_path: Path, free_port: Any) -> None:
    async with recording(tmp_path, f"mysql://u@127.0.0.1:{free_port()}/x") as job:
        with pytest.raises(pymysql.OperationalError, match="could not connect to db"):
            await asyncio.to_thread(connect, job.port)
    (refused,) = await exchanges(tmp_path / "tape.tape")
    assert (refused.command, refused.status) == ("CONNECT", "08001")


async def test_a_unix_socket_is_recorded(mysql: MysqlServer, tmp_path: Path) -> None:
    url = f"mysql://open@localhost/shop?unix_socket={mysql.socket}"
    async with recording(tmp_path, url) as job:
        connection = await asyncio.to_thread(connect, job.port, user="open", password="")
        connection.close()
    assert [each.command for each in await exchanges(tmp_path / "tape.tape")][:1] == ["CONNECT"]


BIG = (1 << 24) + 5
"""Characters of a value that takes two packets."""


async def through_a_cursor(port: int) -> None:
    """Five rows, fetched three at a time, by a client of either form of an end; and three of five."""
    for more in (0, Capability.DEPRECATE_EOF):
        client = await Client.connect(port, more=more)
        told = await client.prepare(f"select seq, {more} from seq_1_to_5 where seq > ?")
        number = told.statement.to_bytes(4, "little")
        for value in (1, 3):
            (count,) = await client.ask(b"\x17" + number + b"\x01\1\0\0\0\0\1\x08\0" + value.to_bytes(8, "little"))
            await client.columns(count)
            if more:
                await client.good()
            client.say(b"\x1c" + number + (3).to_bytes(4, "little"))
            assert len(await client.rows()) == (4 if value == 1 else 3)
        client.say(b"\x19" + number)
        await client.close()


async def in_parts(port: int) -> None:
    """A value that is sent ahead in two parts."""
    client = await Client.connect(port)
    number = (await client.prepare("select length(?), ?")).statement.to_bytes(4, "little")
    for part in (b"ab", b"c\xff"):
        client.say(b"\x18" + number + b"\0\0" + part)
    execute = b"\x17" + number + b"\0\1\0\0\0\0\1\xfc\0\x08\x80" + (200).to_bytes(8, "little")
    (count,) = await client.ask(execute)
    await client.columns(count)
    assert len(await client.rows()) == 2
    await client.ask(b"\x1a" + number)
    await client.close()


async def as_mariadb_does(port: int) -> None:
    """Bulk execution, and a statement that is executed before the answer to its preparation is here."""
    client = await Client.connect(port, extended=Extended.BULK | Extended.METADATA)
    assert client.terms.extended == Extended.BULK | Extended.METADATA
    await client.ask(b"\x03create or replace table bulky (id int, word varchar(9), extra json)")
    client.say(b"\x16insert into bulky (id, word) values (?, ?)")
    rows = b"".join(b"\0" + n.to_bytes(4, "little") + word for n, word in ((1, b"\0\x03one"), (2, b"\x01")))
    client.say(b"\xfa\xff\xff\xff\xff\x80\0\x03\0\xfe\0" + rows)
    await client.good()
    await client.columns(2)
    assert (await client.good())[1] == 2
    (count,) = await client.ask(b"\x03select * from bulky order by id")
    told = await client.columns(count)
    assert len(await client.rows()) == 3
    assert [bool(each.extended) for each in told] == [False, False, True]
    await client.close()


async def without_statements(port: int) -> None:
    """Commands of the connection, the last of them a login that is refused."""
    client = await Client.connect(port)
    await client.ask(b"\x0e")
    assert b"Uptime" in await client.ask(b"\x09")
    await client.ask(b"\x1b\x01\0")
    await client.ask(b"\x1f")
    await client.ask(b"\x02information_schema")
    client.say(b"\x04SCHEMATA\0%")
    assert len(await client.rows()) > 3
    client.say(b"\x17\x63\0\0\0\0\1\0\0\0")
    assert packets.read_error(await client.hear()).code == 1243
    client.say(b"\x11open\0\0mysql\0\x2d\0mysql_native_password\0")
    assert (await client.good())[0] in (0, 0xFE)
    await client.close()


def with_a_driver(port: int) -> None:
    """A large value, and double quotes around names."""
    with connect(port, max_allowed_packet=1 << 26) as connection, connection.cursor() as cursor:
        cursor.execute("select repeat('x', %s)", (BIG,))
        assert len((cursor.fetchone() or ("",))[0]) == BIG
    with connect(port, sql_mode="ANSI_QUOTES") as connection, connection.cursor() as cursor:
        cursor.execute('select "seq" from "seq_1_to_2" where "seq" = 2')
        assert cursor.fetchall() == ((2,),)


@pytest.fixture(scope="module")
def rare(mysql: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    """What no program of the drivers' tests does, in one recording."""
    folder = tmp_path_factory.mktemp("rare")

    async def record() -> list[Exchange]:
        async with recording(folder, mysql.dsn) as job:
            for scenario in (through_a_cursor, in_parts, as_mariadb_does, without_statements):
                await scenario(job.port)
            await asyncio.to_thread(with_a_driver, job.port)
        assert job.result is not None
        assert job.result.notes == ()
        return await exchanges(folder / "tape.tape")

    return asyncio.run(record())


def of(tape: list[Exchange], begin: str) -> list[Exchange]:
    found = [each for each in tape if str(question(each).get("sql", "")).startswith(begin)]
    assert found
    return found


@pytest.mark.parametrize("more", [0, Capability.DEPRECATE_EOF])
def test_rows_that_are_fetched_through_a_cursor_are_one_answer(more: int, rare: list[Exchange]) -> None:
    first, second = of(rare, f"select seq, {more} from")
    assert question(first)["params"] == ["1"]
    assert answer(first)["results"][0]["rows"] == [["2", str(more)], ["3", str(more)], ["4", str(more)]]
    assert answer(first)["results"][0]["suspended"]
    assert answer(second)["results"][0]["rows"] == [["4", str(more)], ["5", str(more)]]
    assert "suspended" not in answer(second)["results"][0]


def test_values_that_are_sent_in_parts_are_put_together(rare: list[Exchange]) -> None:
    (select,) = of(rare, "select length(?)")
    assert question(select)["params"] == [{"hex": "616263ff"}, "200"]
    assert answer(select)["results"][0]["rows"] == [["4", "200"]]


def test_mariadbs_own_ways_are_followed(rare: list[Exchange]) -> None:
    assert question(of(rare, "insert into bulky")[0])["bulk"] == [["1", "one"], ["2", None]]
    assert answer(of(rare, "select * from bulky")[0])["results"][0]["columns"][2]["extended"]


def test_commands_that_are_no_statements_pass_and_leave_nothing_behind(rare: list[Exchange]) -> None:
    assert of(rare, "use `information_schema`")[0].command == "USE"
    changed = [each for each in rare if each.command == "CONNECT" and question(each)["user"] == "open"]
    assert [question(each) for each in changed] == [{"user": "open", "database": "mysql"}]
    assert len({each.connection for each in rare}) == 7


def test_packets_beyond_16_mib_pass_and_are_recorded(rare: list[Exchange]) -> None:
    (select,) = of(rare, "select repeat")
    assert select.response is not None
    assert not select.error
    assert select.response.body.size > BIG


def test_quotes_are_around_names_where_the_app_says_so(rare: list[Exchange]) -> None:
    assert of(rare, 'select "seq"')[0].location == "select seq from seq_1_to_2 where seq = ?"


async def test_a_command_that_is_not_read_passes_and_is_told(mysql: MysqlServer, tmp_path: Path) -> None:
    async with recording(tmp_path, mysql.dsn) as job:
        client = await Client.connect(job.port)
        client.say(b"\x42?")
        assert (await client.hear())[0] == 0xFF
        await client.close()
    assert job.result is not None
    assert [note for note in job.result.notes if "0x42" in note]


def test_the_server_is_there_in_ci() -> None:
    """CI installs it: a skip there would hide everything above."""
    if os.environ.get("WIRETAPE_TEST_OUTSIDE") == "1":
        assert shutil.which("mariadb") is not None


async def test_a_password_inside_of_a_longer_text_lets_the_app_in(mysql: MysqlServer, tmp_path: Path) -> None:
    plain = service_map(f"mysql://127.0.0.1:{mysql.port}")
    async with recording_of(tmp_path, plain, env={"SETTINGS": f'{{"db": "{mysql.dsn}"}}'}) as job:
        assert f"mysql://shop:wiretape@127.0.0.1:{job.port}/shop" in job.environment["SETTINGS"]
        with connect(job.port, password="wiretape") as connection, connection.cursor() as cursor:
            assert cursor.execute("select 1") == 1
