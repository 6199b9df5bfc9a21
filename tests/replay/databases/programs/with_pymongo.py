"""pymongo: every kind of command, cursors with several batches, bulk writes, transactions, GridFS, a change stream."""

from __future__ import annotations

import datetime
import os
import uuid
from typing import Any

import bson
import gridfs
import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import CursorType, DeleteOne, InsertOne, MongoClient, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure
from pymongo.write_concern import WriteConcern

client: MongoClient[dict[str, Any]] = MongoClient(os.environ["DB_URL"], uuidRepresentation="standard")
db = client.get_database("shop", codec_options=CodecOptions(uuid_representation=UuidRepresentation.STANDARD))


def show(*words: object) -> None:
    print(*words)


print(client.server_info()["versionArray"][:2], client.admin.command("ping")["ok"])
for name in ("orders", "stock", "fs.files", "fs.chunks"):
    db.drop_collection(name)

orders, stock = db.orders, db.stock
stock.create_index([("sku", 1)], unique=True)
show(sorted(stock.index_information()))
stock.insert_many([{"_id": number, "sku": sku, "qty": number * 10} for number, sku in enumerate(("ink", "pen", "pad"))])
made = orders.insert_one({
    "sku": "ink", "qty": 2, "price": bson.Decimal128("1.50"), "key": uuid.UUID("6b0b3ac7-546f-415f-9fe8-87a4546f015f"),
    "at": datetime.datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.UTC), "blob": b"\0\1\2", "none": None,
    "re": bson.Regex("^a", "i"), "big": bson.Int64(5), "float": 1.0, "nested": {"a": [1, {"b": True}]},
    "ts": bson.Timestamp(1, 2), "code": bson.Code("x"),
})  # fmt: skip
found = orders.find_one({"_id": made.inserted_id})
assert found is not None
assert found["_id"] == made.inserted_id
show({name: value for name, value in found.items() if name != "_id"})
show(type(found["big"]).__name__, type(found["float"]).__name__)

show(stock.update_one({"sku": "ink"}, {"$inc": {"qty": -2}}).matched_count, stock.find_one({"sku": "ink"}))
show(
    stock.find_one_and_update(
        {"sku": "pen"}, {"$set": {"tags": ["a", "b"]}}, return_document=pymongo.ReturnDocument.AFTER
    )
)
show(stock.replace_one({"sku": "cap"}, {"sku": "cap", "qty": 7}, upsert=True).upserted_id is not None)
try:
    stock.insert_one({"_id": 99, "sku": "ink"})
except DuplicateKeyError as error:
    show("duplicate", error.code)
try:
    stock.bulk_write([InsertOne({"_id": 50, "sku": "x"}), InsertOne({"_id": 51, "sku": "x"}), DeleteOne({"sku": "x"})],
                     ordered=False)  # fmt: skip
except BulkWriteError as error:
    assert error.details is not None
    show(error.details["nInserted"], [each["code"] for each in error.details["writeErrors"]])
result = stock.bulk_write([
    InsertOne({"_id": 60, "sku": "y"}), UpdateOne({"_id": 60}, {"$set": {"qty": 1}}),
    UpdateMany({}, {"$set": {"seen": True}}), ReplaceOne({"_id": 60}, {"sku": "z"}), DeleteOne({"_id": 60}),
])  # fmt: skip
show(result.inserted_count, result.modified_count > 0, result.deleted_count)

orders.insert_many([{"n": number, "odd": number % 2 == 1} for number in range(250)])
show(sum(each["n"] for each in orders.find({"n": {"$gte": 0}}, {"n": 1}, batch_size=50).sort("n", 1)))
show(sum(each["n"] for each in orders.find({"n": {"$lt": 90}}, batch_size=20, cursor_type=CursorType.EXHAUST)))
show([each["n"] for each in orders.find({"odd": True}).sort([("n", -1)]).skip(2).limit(3)])
partly = orders.find({"n": {"$in": [3, 1, 2]}}, batch_size=2)
show(sorted(next(partly)["n"] for _ in range(1)) != [])
partly.close()
show(list(orders.aggregate([{"$match": {"odd": {"$exists": True}}}, {"$group": {"_id": "$odd", "n": {"$sum": "$n"}}},
                            {"$sort": {"_id": 1}}])))  # fmt: skip
show(sorted(each["n"] for each in orders.aggregate([{"$match": {"n": {"$lt": 120}}}], batchSize=50))[-1])
show(sorted(stock.distinct("sku")), orders.count_documents({"odd": True}), orders.estimated_document_count())
orders.aggregate([{"$match": {"n": {"$lt": 3}}}, {"$project": {"n": 1}}, {"$out": "few"}])
show(db.few.count_documents({}), sorted(db.list_collection_names()))
orders.with_options(write_concern=WriteConcern(w=0)).insert_one({"fire": "and forget"})
show(orders.count_documents({"fire": "and forget"}))
show(orders.delete_many({"n": {"$gte": 200}}).deleted_count)
try:
    db.command("noSuchCommand", 1)
except OperationFailure as error:
    show(error.code, error.details and error.details["codeName"])

with client.start_session() as session:
    with session.start_transaction():
        orders.insert_one({"in": "transaction"}, session=session)
        show(orders.count_documents({"in": "transaction"}, session=session))
    session.start_transaction()
    orders.insert_one({"in": "vain"}, session=session)
    session.abort_transaction()
    show(orders.count_documents({"in": "transaction"}), orders.count_documents({"in": "vain"}))
    session.with_transaction(lambda s: stock.update_one({"sku": "pad"}, {"$inc": {"qty": 1}}, session=s))
show(stock.find_one({"sku": "pad"}, {"_id": 0}))

files = gridfs.GridFS(db)
kept = files.put(b"0123456789" * 60_000, filename="digits")
show(len(files.get(kept).read()), files.exists({"filename": "digits"}))

with stock.watch(max_await_time_ms=200) as stream:
    stock.update_one({"sku": "pen"}, {"$set": {"qty": 1}})
    change = next(stream)
    show(change["operationType"], change["updateDescription"]["updatedFields"])
client.close()
