# psql: meta commands, \copy, variables, prepared statements, errors.
psql -X -q -v ON_ERROR_STOP=0 "$DB_URL" <<'SQL' 2>&1
set client_min_messages = warning;
drop table if exists q_item;
create table q_item (id int primary key, sku text default 'none');
\d q_item
\copy q_item (id, sku) from pstdin
1	one
2	two
\.
prepare find (int) as select sku from q_item where id = $1;
execute find(2);
insert into q_item values (1, 'again');
begin;
update q_item set sku = 'changed' where id = 1;
select * from q_item order by id;
savepoint here;
select broken;
rollback to here;
commit;
\copy (select * from q_item order by id) to pstdout
select id, sku from q_item order by id \gset x_
\echo :x_id :x_sku
\dt q_*
SQL
