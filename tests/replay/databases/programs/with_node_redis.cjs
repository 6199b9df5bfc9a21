// node-redis: `with_node_redis.cjs 2|3` in that version of RESP.
const { createClient } = require("redis");

async function main() {
  const options = { url: process.env.DB_URL, RESP: Number(process.argv[2]) };
  const client = createClient(options);
  await client.connect();
  await client.flushAll();
  console.log("set", await client.set("user:1", "Ada", { EX: 60 }), await client.get("user:1"), await client.get("none"));
  console.log("hash", await client.hSet("h", { a: "1", b: "two" }), JSON.stringify(await client.hGetAll("h")));
  console.log("multi", JSON.stringify(await client.multi().set("m", "1").incr("m").get("m").exec()));
  await client.zAdd("z", [{ score: 1.5, value: "a" }, { score: 2, value: "b" }]);
  console.log("zset", JSON.stringify(await client.zRangeWithScores("z", 0, -1)), await client.zScore("z", "a"));
  console.log("set2", await client.sAdd("tags", ["x"]), JSON.stringify(await client.sMembers("tags")));
  console.log("all", await Promise.all([1, 2, 3].map((n) => client.set(`k:${n}`, String(n)))), await client.mGet(["k:1", "k:9"]));
  await client.xAdd("s", "1-1", { k: "v" });
  console.log("stream", JSON.stringify(await client.xRange("s", "-", "+")));
  try { await client.lPush("user:1", "x"); } catch (error) { console.log("error", error.message); }
  const listener = client.duplicate();
  await listener.connect();
  let hear;
  const heard = new Promise((resolve) => { hear = resolve; });
  await listener.subscribe("news", (message) => hear(message));
  console.log("publish", await client.publish("news", "hello"), "heard", await heard);
  await listener.close();
  await client.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
