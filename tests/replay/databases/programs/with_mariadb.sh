# The mariadb client: tables as it prints them, warnings, errors, a file, SQL's own prepared statements.
exec mariadb --no-defaults -h "$DB_HOST" -P "$DB_PORT" -u "$DB_USER" "-p$DB_PASSWORD" --local-infile=1 -t -f shop <<'SQL' 2>&1
drop table if exists q_item;
create table q_item (id int primary key, sku varchar(20) default 'none');
show tables like 'q\_%';
describe q_item;
insert into q_item values (1, 'one'), (2, 'two');
prepare find from 'select sku from q_item where id = ?';
set @id = 2;
execute find using @id;
deallocate prepare find;
insert into q_item values (1, 'again');
begin;
update q_item set sku = 'changed' where id = 1;
select * from q_item order by id;
rollback;
select broken;
select cast('12x' as signed) as n;
show warnings;
use information_schema;
use shop
select id, sku from q_item order by id\G
status_of_nothing;
SQL
