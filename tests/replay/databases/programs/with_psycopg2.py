"""psycopg2: everything in the simple protocol, with values written into the text."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime

import psycopg2
import psycopg2.extras

connection = psycopg2.connect(os.environ["DB_URL"])
cursor = connection.cursor()
cursor.execute("drop table if exists p_item")
cursor.execute("create table p_item (id serial primary key, sku text unique, price float, at timestamptz, raw bytea)")
at = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
for n in range(4):
    cursor.execute("insert into p_item (sku, price, at, raw) values (%s, %s, %s, %s) returning id",
                   (f"it's {n}", n / 2, at, psycopg2.Binary(b"\0\\'")))  # fmt: skip
    print(cursor.fetchone())
psycopg2.extras.execute_values(cursor, "insert into p_item (sku) values %s", [("v1",), ("v2",)])
connection.commit()
cursor.execute("select * from p_item where price >= %s order by id", (0.5,))
print([[str(cell) for cell in row[:4]] + [bytes(row[4])] for row in cursor.fetchall()])
try:
    cursor.execute("insert into p_item (sku) values (%s)", ("v1",))
except psycopg2.Error as error:
    print(error.pgcode, error.diag.constraint_name)
connection.rollback()
named = connection.cursor("named")
named.itersize = 2
named.execute("select sku from p_item order by id")
print(list(named))
named.close()
cursor.copy_expert("copy p_item (sku) from stdin", io.StringIO("c1\nc2\n"))
out = io.StringIO()
cursor.copy_expert("copy (select sku from p_item order by id) to stdout", out)
print(out.getvalue())
cursor.callproc("upper", ["abc"])
print(cursor.fetchall(), cursor.mogrify("select %s", (None,)))
connection.commit()
connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
cursor.execute("select count(*) from p_item")
print(cursor.fetchone(), connection.encoding)
