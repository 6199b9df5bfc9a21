"""MySQL Connector/Python: TLS where it is offered, prepared statements in the binary protocol, procedures with OUT."""

from __future__ import annotations

import datetime
import os
from decimal import Decimal
from urllib.parse import unquote, urlsplit

import mysql.connector

AT = datetime.datetime.fromisoformat("2024-02-03 04:05:06")
place = urlsplit(os.environ["DB_URL"])
connection = mysql.connector.connect(
    host=place.hostname, port=place.port, user=place.username, password=unquote(place.password or ""),
    database=place.path[1:], use_pure=True, charset="utf8mb4", collation="utf8mb4_general_ci",
)  # fmt: skip
cursor = connection.cursor()
cursor.execute("drop table if exists c_item")
cursor.execute("""create table c_item (id int auto_increment primary key, sku varchar(40) unique, ok tinyint,
    short smallint, medium mediumint, big bigint, price double, small float, cost decimal(12,4), day date,
    at datetime(6), clock time(3), raw varbinary(20), extra json, bits bit(9), padded int(6) zerofill)""")
prepared = connection.cursor(prepared=True)
insert = """insert into c_item (sku, ok, short, medium, big, price, small, cost, day, at, clock, raw, extra, bits,
    padded) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
for n in range(3):
    prepared.execute(insert, (
        f"s{n}'é", n, -n * 300, -n * 70000, 2**40 + n, n / 3, 0.1, Decimal("1.5000"), datetime.date(2024, 2, 1 + n),
        AT.replace(microsecond=n * 1000), datetime.timedelta(hours=-30 * n, seconds=1), bytes((0, n, 255)),
        None, n, n,
    ))  # fmt: skip
    print(prepared.lastrowid, prepared.rowcount)
connection.commit()
read = connection.cursor(prepared=True)
for n in (1, 2, 7):
    read.execute("select * from c_item where id = ? and price > ?", (n, 0.1))
    print(read.fetchall())
cursor.execute("select * from c_item where id = %s", (1,))
print(cursor.fetchall(), [each[0] for each in cursor.description or ()])
try:
    prepared.execute(insert, ("s0'é", *[None] * 14))
except mysql.connector.Error as error:
    print(error.errno, error.sqlstate)
try:
    connection.cursor(prepared=True).execute("select * from c_missing where id = ?", (1,))
except mysql.connector.Error as error:
    print(error.errno, error.sqlstate)
connection.rollback()
cursor.execute("drop procedure if exists c_add")
cursor.execute("create procedure c_add(in a int, in b int, out c int) begin set c = a + b; select a as first; end")
print(cursor.callproc("c_add", (2, 3, 0)), [each.fetchall() for each in cursor.stored_results()])
connection.start_transaction(isolation_level="READ COMMITTED")
cursor.execute("update c_item set ok = 9 where id = 1")
print(connection.in_transaction)
connection.rollback()
print(connection.in_transaction, connection.is_connected())
connection.ping()
connection.cmd_reset_connection()
cursor = connection.cursor(dictionary=True)
cursor.execute("select sku, ok from c_item order by id")
print(cursor.fetchall())
cursor = connection.cursor()
cursor.execute("select count(*) from c_item")
print(cursor.fetchone())
connection.close()
