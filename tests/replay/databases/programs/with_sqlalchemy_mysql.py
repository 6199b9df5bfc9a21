"""SQLAlchemy's ORM on PyMySQL or asyncmy: metadata, relationships, errors, savepoints."""

from __future__ import annotations

import asyncio
import os
import sys

from sqlalchemy import ForeignKey, String, create_engine, func, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

DRIVER = sys.argv[1]
URL = os.environ["DB_URL"].replace("mysql://", f"mysql+{DRIVER}://")


class Base(DeclarativeBase):
    """Tables."""


class Order(Base):
    """An order."""

    __tablename__ = "a_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    lines: Mapped[list[Line]] = relationship(cascade="all, delete-orphan")


class Line(Base):
    """A line of an order."""

    __tablename__ = "a_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("a_order.id"))
    sku: Mapped[str] = mapped_column(String(20))
    qty: Mapped[int]


Order.lines.property  # noqa: B018 - configured before it is used


def work(session: Session) -> None:
    """What both drivers do."""
    session.add_all([Order(code=f"o{n}", lines=[Line(sku=f"s{m}", qty=m) for m in range(n + 1)]) for n in range(3)])
    session.commit()
    for order in session.scalars(select(Order).options(selectinload(Order.lines)).order_by(Order.id)):
        print(order.id, order.code, [(line.sku, line.qty) for line in order.lines])
    with_savepoint = session.begin_nested()
    session.add(Order(code="o1"))
    try:
        session.flush()
    except IntegrityError as error:
        print(type(error.orig).__name__)
        with_savepoint.rollback()
    session.execute(text("update a_line set qty = qty + :more where sku = :sku"), {"more": 5, "sku": "s1"})
    print(session.execute(select(func.sum(Line.qty), func.count())).one())
    session.commit()
    first = session.get_one(Order, 1)
    session.delete(first)
    session.commit()
    print(session.scalars(select(Order.code).where(Order.code.in_(["o0", "o1", "o2"])).order_by(Order.code)).all())


def sync(engine: Engine) -> None:
    """Make the tables and work."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        work(session)
    engine.dispose()


async def in_loop() -> None:
    """The same in an event loop."""
    engine = create_async_engine(URL)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with engine.connect() as connection:
        await connection.run_sync(lambda made: work(Session(made)))
    await engine.dispose()


if DRIVER == "asyncmy":
    asyncio.run(in_loop())
else:
    sync(create_engine(URL, pool_pre_ping=True))
