// The driver for Node.js: commands, cursors in batches, bulk writes, transactions, errors.
const { MongoClient, Long, UUID } = require("mongodb");

async function main() {
  const client = new MongoClient(process.env.DB_URL);
  await client.connect();
  const notes = client.db("shop").collection("node_notes");
  await notes.drop().catch(() => {});
  const made = await notes.insertOne({ text: "first", big: Long.fromString("5"), at: new Date(0), tags: ["a", "b"] });
  const found = await notes.findOne({ _id: made.insertedId });
  console.log(found._id.equals(made.insertedId), found.text, found.big, found.at, found.tags);
  await notes.insertMany(Array.from({ length: 30 }, (_, n) => ({ n, half: n / 2 })));
  console.log((await notes.find({ n: { $gte: 0 } }, { batchSize: 7 }).sort({ n: 1 }).toArray()).map((each) => each.n));
  console.log((await notes.updateMany({ n: { $lt: 3 } }, { $set: { seen: true } })).modifiedCount);
  console.log(await notes.countDocuments({ seen: true }), await notes.distinct("seen"));
  const bulk = await notes.bulkWrite([{ deleteOne: { filter: { n: 1 } } }, { insertOne: { document: { n: 99 } } }]);
  console.log(bulk.deletedCount, bulk.insertedCount);
  await notes.createIndex({ n: 1 }, { unique: true, sparse: true });
  await notes.insertOne({ n: 99 }).catch((error) => console.log(error.code));
  console.log(await notes.aggregate([{ $match: { n: { $gt: 25 } } }, { $group: { _id: null, n: { $sum: "$n" } } }]).toArray());
  const session = client.startSession();
  await session.withTransaction(async () => {
    await notes.updateOne({ n: 2 }, { $inc: { half: 1 } }, { session });
    await notes.deleteOne({ n: 3 }, { session });
  });
  await session.endSession();
  console.log((await notes.findOneAndUpdate({ n: 2 }, { $set: { last: 1 } }, { returnDocument: "after" })).half);
  await client.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
