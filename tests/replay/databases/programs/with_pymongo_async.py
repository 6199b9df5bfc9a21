"""pymongo's asyncio client: commands side by side, a cursor in batches, a transaction."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from pymongo import AsyncMongoClient


async def main() -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(os.environ["DB_URL"])
    notes = client.shop.notes
    await notes.drop()
    made = await asyncio.gather(*(notes.insert_one({"n": number, "text": f"note {number}"}) for number in range(20)))
    found = await asyncio.gather(*(notes.find_one({"_id": each.inserted_id}) for each in made))
    print([each and each["text"] for each in found])
    print([each["n"] async for each in notes.find({}, {"_id": 0}, batch_size=6).sort("n", -1)])
    await asyncio.gather(*(notes.update_one({"n": number}, {"$set": {"read": True}}) for number in range(0, 20, 2)))
    print(await notes.count_documents({"read": True}))
    async with client.start_session() as session, await session.start_transaction():
        await notes.delete_one({"n": 1}, session=session)
    print(await notes.find_one({"n": 1}), await notes.distinct("read"))
    await client.close()


asyncio.run(main())
