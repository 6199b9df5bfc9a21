"""SQLAlchemy's ORM on the driver that the URL names: tables, bulk inserts, relations, errors, nested transactions."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "l_author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    born: Mapped[datetime | None]
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "l_book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("l_author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def story(connection: Any) -> None:
    Base.metadata.drop_all(connection)
    Base.metadata.create_all(connection)
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        born = datetime(1920, 1, 2, tzinfo=UTC).replace(tzinfo=None)
        session.add_all([Author(name=f"a{n}", born=born, books=[Book(title=f"t{n}-{m}") for m in range(n)])
                         for n in range(4)])  # fmt: skip
        session.commit()
        found = session.scalars(select(Author).options(selectinload(Author.books)).order_by(Author.id)).all()
        print([(each.name, each.born, [book.title for book in each.books]) for each in found])
        session.add(Author(name="a1"))
        try:
            session.commit()
        except IntegrityError as error:
            print(type(error.orig).__name__)
            session.rollback()
        with session.begin_nested():
            found[0].name = "changed"
        session.commit()
        print(session.scalar(select(func.count()).select_from(Book).where(Book.title.in_(["t1-0", "t2-1", "x"]))))
        print([each.name for each in (session.get(Author, 1), session.get(Author, 99)) if each])


async def asynchronous(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(story)
    await engine.dispose()


URL = os.environ["DB_URL"].replace("postgres://", f"postgresql+{sys.argv[1]}://")
if sys.argv[1] == "asyncpg":
    asyncio.run(asynchronous(URL.replace("sslmode=disable", "ssl=disable")))
else:
    engine = create_engine(URL, pool_pre_ping=True)
    with engine.begin() as connection:
        story(connection)
    with engine.connect() as connection:
        print(connection.scalar(select(func.count()).select_from(Author)))
