"""pg8000: pure Python, unnamed and named statements, all values as text."""

from __future__ import annotations

import os
from datetime import date
from urllib.parse import unquote, urlsplit

import pg8000.dbapi
import pg8000.native

parts = urlsplit(os.environ["DB_URL"])
login = {"user": parts.username, "password": unquote(parts.password or ""), "host": parts.hostname, "port": parts.port,
         "database": parts.path[1:]}  # fmt: skip
with pg8000.native.Connection(**login) as connection:
    connection.run("drop table if exists g_item")
    connection.run("create table g_item (id int primary key, sku text, day date, tags text[], ok bool)")
    for n in range(3):
        connection.run("insert into g_item values (:id, :sku, :day, :tags, :ok)", id=n, sku=f"s{n}",
                       day=date(2024, 1, n + 1), tags=["x", "y z"], ok=n == 1)  # fmt: skip
    print(connection.run("select * from g_item order by id"))
    print([each["name"] for each in connection.columns])
    statement = connection.prepare("select sku from g_item where id = :id")
    print(statement.run(id=1), statement.run(id=2))
    try:
        connection.run("insert into g_item (id) values (:id)", id=1)
    except pg8000.exceptions.DatabaseError as error:
        print(error.args[0]["C"])
with pg8000.dbapi.connect(**login) as other:
    cursor = other.cursor()
    cursor.execute("select count(*) from g_item where ok = %s", (True,))
    print(cursor.fetchone())
    other.commit()
