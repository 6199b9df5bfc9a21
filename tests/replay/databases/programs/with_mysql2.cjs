// mysql2: text and binary protocol, a pool, errors, transactions, several statements in one text.
const mysql = require("mysql2/promise");

async function main() {
  const client = await mysql.createConnection({ uri: process.env.DB_URL, multipleStatements: true });
  await client.query("drop table if exists n_item");
  await client.query("create table n_item (id int auto_increment primary key, sku varchar(20) unique, at datetime(3), extra json, price double, raw blob, ok boolean)");
  for (let n = 0; n < 3; n++) {
    const [done] = await client.execute("insert into n_item (sku, at, extra, price, raw, ok) values (?, ?, ?, ?, ?, ?)",
      [`s${n}`, new Date(1700000000000 + n), { n, tags: ["a"] }, n / 3, Buffer.from([0, n, 255]), n === 1]);
    console.log(done.insertId, done.affectedRows);
  }
  console.log(JSON.stringify((await client.query("select * from n_item where ok = ? order by id", [false]))[0]));
  for (const id of [1, 2, 9]) {
    console.log(JSON.stringify((await client.execute("select sku, price, at, raw from n_item where id = ?", [id]))[0]));
  }
  for (const sql of ["insert into n_item (sku) values ('s1')", "select nothing from n_item"]) {
    try {
      await client.execute(sql);
    } catch (error) {
      console.log(error.code, error.errno, error.sqlState);
    }
  }
  await client.beginTransaction();
  await client.execute("update n_item set ok = true");
  await client.rollback();
  console.log(JSON.stringify((await client.query("select 1 as a; select 2 as b; set @x = 3"))[0].map((each) => each.length ?? each.affectedRows)));
  await client.ping();
  await client.end();
  const pool = mysql.createPool({ uri: process.env.DB_URL, connectionLimit: 2 });
  const found = await Promise.all([1, 2, 3].map((id) => pool.execute("select sku from n_item where id = ?", [id])));
  console.log(JSON.stringify(found.map((each) => each[0])));
  await pool.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
