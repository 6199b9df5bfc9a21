# redis-cli: arguments, commands from a file, formats, RESP3, an error, a transaction, a script.
set -eu
cli="redis-cli --no-auth-warning -u $(printf %s "$DB_URL" | sed s,//:,//default:,)"
$cli flushall
$cli set user:1 Ada
$cli get user:1
$cli -3 hset h a 1 b 2
$cli -3 hgetall h
printf 'multi\nincr n\nget n\nexec\nlrange n 0 1\nzadd z 1.5 a 2 b\n' | $cli
$cli -3 --json zrange z 0 -1 withscores
$cli eval "return {KEYS[1], ARGV[1]}" 1 k v
$cli -n 2 set elsewhere 1
$cli -n 2 dbsize
$cli ping
$cli --scan --pattern 'user:*'
