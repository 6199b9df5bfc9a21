// node-postgres: text protocol, parameters, named statements, a pool, errors, cursors of the protocol.
const { Client, Pool } = require("pg");

async function main() {
  const client = new Client({ connectionString: process.env.DB_URL });
  await client.connect();
  await client.query("drop table if exists n_item");
  await client.query("create table n_item (id serial primary key, sku text unique, at timestamptz, extra jsonb, ok boolean)");
  for (let n = 0; n < 3; n++) {
    await client.query("insert into n_item (sku, at, extra, ok) values ($1, $2, $3, $4)",
      [`s${n}`, new Date(1700000000000 + n), { n, tags: ["a"] }, n === 1]);
  }
  console.log(JSON.stringify((await client.query("select * from n_item where ok = $1 order by id", [false])).rows));
  for (const id of [1, 2, 9]) {
    console.log(JSON.stringify((await client.query({ name: "one", text: "select sku from n_item where id = $1", values: [id] })).rows));
  }
  try {
    await client.query("insert into n_item (sku) values ($1)", ["s1"]);
  } catch (error) {
    console.log(error.code, error.constraint);
  }
  await client.query("begin");
  await client.query("update n_item set ok = true");
  await client.query("rollback");
  console.log(JSON.stringify((await client.query("select 1 as a; select 2 as b")).map((each) => each.rows)));
  await client.end();
  const pool = new Pool({ connectionString: process.env.DB_URL, max: 2 });
  const found = await Promise.all([1, 2, 3].map((id) => pool.query("select sku from n_item where id = $1", [id])));
  console.log(JSON.stringify(found.map((each) => each.rows)));
  await pool.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
