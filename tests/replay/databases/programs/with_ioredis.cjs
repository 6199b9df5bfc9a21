// ioredis: pipelines, transactions, scripts, hashes, streams, a subscriber and errors.
const Redis = require("ioredis");

async function main() {
  const redis = new Redis(process.env.DB_URL);
  await redis.flushall();
  console.log("set", await redis.set("user:1", "Ada", "EX", 60), await redis.get("user:1"), await redis.get("none"));
  console.log("hash", await redis.hset("h", { a: 1, b: "two" }), await redis.hgetall("h"));
  console.log("buffer", await redis.set("bin", Buffer.from([0, 255, 13, 10])), (await redis.getBuffer("bin")).toString("hex"));
  console.log("pipeline", JSON.stringify(await redis.pipeline().incr("n").incr("n").get("n").lpush("user:1", "x").exec()
    .then((all) => all.map(([error, value]) => (error ? error.message : value)))));
  console.log("multi", JSON.stringify(await redis.multi().set("m", 1).incr("m").get("m").exec()));
  redis.defineCommand("double", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1]) * 2" });
  console.log("script", await redis.double("d", 4), await redis.double("d", 1));
  await redis.zadd("z", 1.5, "a", 2, "b");
  console.log("zset", await redis.zrange("z", 0, -1, "WITHSCORES"), await redis.zscore("z", "a"));
  await redis.xadd("s", "1-1", "k", "v");
  console.log("stream", JSON.stringify(await redis.xread("STREAMS", "s", "0")), await redis.xread("BLOCK", 50, "STREAMS", "s", "$"));
  console.log("all", await Promise.all([1, 2, 3].map((n) => redis.set(`k:${n}`, n))), await redis.mget("k:1", "k:2", "k:9"));
  const found = [];
  for await (const keys of redis.scanStream({ match: "k:*" })) found.push(...keys);
  console.log("scan", found.sort());
  try { await redis.call("NOSUCH"); } catch (error) { console.log("error", error.message); }
  const listener = new Redis(process.env.DB_URL);
  const heard = new Promise((resolve) => listener.on("message", (channel, message) => resolve([channel, message])));
  await listener.subscribe("news");
  console.log("publish", await redis.publish("news", "hello"), await heard);
  listener.disconnect();
  await redis.quit();
}

main().catch((error) => { console.error(error); process.exit(1); });
