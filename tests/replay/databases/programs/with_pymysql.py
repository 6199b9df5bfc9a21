"""PyMySQL: the text protocol, with values written into the text."""

from __future__ import annotations

import datetime
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT

AT = datetime.datetime.fromisoformat("2024-02-03 04:05:06.007")
place = urlsplit(os.environ["DB_URL"])
login: dict[str, Any] = {
    "host": place.hostname, "port": place.port, "user": place.username, "password": unquote(place.password or ""),
    "database": place.path[1:],
}  # fmt: skip
connection = pymysql.connect(**login, local_infile=True, client_flag=CLIENT.MULTI_STATEMENTS)
cursor = connection.cursor()
cursor.execute("drop table if exists y_item")
cursor.execute("""create table y_item (id int auto_increment primary key, sku varchar(40) unique, price double,
    small float, cost decimal(12,4), day date, at datetime(3), clock time, raw blob, extra json, bits bit(9),
    kind enum('a', 'b'), padded int(6) zerofill, big bigint unsigned, yr year)""")
rows = [
    (f"it's \"{n}\" \\ %", n / 3, 1.1, Decimal("12.3456"), datetime.date(2024, 2, n + 1),
     AT, datetime.timedelta(hours=30, seconds=n), bytes(range(250, 256)),
     '{"n": 1}', "a", n, 2**64 - 1 - n, 2024)
    for n in range(4)
]  # fmt: skip
insert = """insert into y_item (sku, price, small, cost, day, at, clock, raw, extra, kind, padded, big, yr)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
cursor.execute(insert, rows[0])
print(cursor.lastrowid, cursor.rowcount)
print(cursor.executemany(insert, rows[1:]), cursor.lastrowid)
connection.commit()
cursor.execute("select * from y_item where price >= %s order by id", (0.3,))
print(cursor.description)
print(cursor.fetchall())
cursor.execute("select last_insert_id(), @@version_comment is null, row_count()")
print(cursor.fetchall())
for sql in ("insert into y_item (sku) values ('x'), ('x')", "selec broken", "select * from y_missing"):
    try:
        cursor.execute(sql)
    except pymysql.Error as error:
        print(error)
connection.rollback()
connection.begin()
cursor.execute("update y_item set price = price + 1 where id in (%s, %s)", (1, 2))
print(cursor.rowcount)
cursor.execute("savepoint here")
cursor.execute("delete from y_item where id = 1")
cursor.execute("rollback to savepoint here")
cursor.execute("select count(*), sum(price) from y_item")
print(cursor.fetchone())
connection.rollback()
cursor.execute("select 1 as a; select 'b' as b, null as c; update y_item set yr = 2000 where id = 1")
print(cursor.fetchall(), cursor.nextset(), cursor.fetchall(), cursor.nextset(), cursor.rowcount)
cursor.execute("drop procedure if exists y_twice")
cursor.execute("""create procedure y_twice(in n int, out double_n int) begin
    select sku from y_item where id <= n order by id; set double_n = n * 2; select 'second' as word; end""")
cursor.callproc("y_twice", (2, 0))
print(cursor.fetchall(), cursor.nextset(), cursor.fetchall())
while cursor.nextset():
    pass
cursor.execute("select @_y_twice_0, @_y_twice_1")
print(cursor.fetchall())
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    Path("lines.csv").write_text("f1,1.5\nf2,2.5\n")
    cursor.execute("load data local infile 'lines.csv' into table y_item fields terminated by ',' (sku, price)")
    print(cursor.rowcount)
os.chdir("/")
cursor.execute("select 1/0")
print(cursor.fetchall(), connection.show_warnings())  # type: ignore[no-untyped-call]
connection.commit()
streaming = connection.cursor(pymysql.cursors.SSDictCursor)
streaming.execute("select sku, price from y_item order by id")
print(list(streaming))
connection.select_db("information_schema")
connection.select_db(place.path[1:])
connection.ping()
cursor.execute("/* trace 0af7651916cd43dd */ select /*! 1 */ + 1 # end")
print(cursor.fetchall())
cursor.execute("set names latin1")
cursor.execute("select cast('é' as char)")
print(cursor.fetchall() != ())
connection.close()
second = pymysql.connect(**login, autocommit=True, charset="utf8mb4", init_command="set time_zone = '+01:00'")
with second.cursor() as other:
    other.execute("select @@session.time_zone, @@autocommit, database(), current_user() like 'shop%'")
    print(other.fetchall())
second.close()
