"""Django's ORM: migrations' tables, queries, prefetching, transactions, server-side iteration, errors."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

import django
import pymysql
from django.conf import settings

parts = urlsplit(os.environ["DB_URL"])
on_mysql = parts.scheme == "mysql"
if on_mysql:
    pymysql.version_info = (2, 2, 8, "final", 0)  # Django asks for mysqlclient, which PyMySQL stands for
    pymysql.install_as_MySQLdb()
settings.configure(
    DATABASES={"default": {
        "ENGINE": f"django.db.backends.{'mysql' if on_mysql else 'postgresql'}",
        "NAME": parts.path[1:], "USER": parts.username, "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname, "PORT": parts.port,
    }},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True, PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)  # fmt: skip
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402 - needs the settings
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, transaction  # noqa: E402

with connection.cursor() as cursor:
    if on_mysql:
        cursor.execute("set foreign_key_checks = 0")
    for table in connection.introspection.table_names():
        if table.startswith(("auth_", "django_")):
            cursor.execute(f"drop table {table} cascade")
    if on_mysql:
        cursor.execute("set foreign_key_checks = 1")
call_command("migrate", verbosity=0)
editors, readers = Group.objects.bulk_create([Group(name="editors"), Group(name="readers")])
for n in range(4):
    user = User(username=f"u{n}", email=f"u{n}@example.org", date_joined="2024-01-01T00:00:00Z")
    user.save()
    user.groups.add(editors if n % 2 else readers)
print([(user.username, [group.name for group in user.groups.all()])
       for user in User.objects.prefetch_related("groups").order_by("username")])  # fmt: skip
try:
    with transaction.atomic():
        User(username="u1", date_joined="2024-01-01T00:00:00Z").save()
except IntegrityError as error:
    print(type(error.__cause__).__name__)
with transaction.atomic():
    print(User.objects.select_for_update().get(username="u2").email)
    User.objects.filter(username="u2").update(email="new@example.org")
print(User.objects.filter(email__icontains="NEW").count(), User.objects.get(username="u2").email)
print([user.username for user in User.objects.order_by("id").iterator(chunk_size=2)])
print(User.objects.filter(username__in=["u0", "u3"]).delete()[0], Group.objects.filter(user__isnull=False).count())
