#!/bin/sh
# One order after another, each to the next member. /var/log/shop.log says which came through.
set -eu
member() { sed -n "$(($1 % $(wc -l < /etc/shop/endpoints) + 1))p" /etc/shop/endpoints; }
take() { mariadb --defaults-extra-file=/etc/shop/client.cnf --host="${1%:*}" --port="${1##*:}" 2>/dev/null; }
every=$(awk '{ print $1 / 1000 }' /etc/shop/every)
order=$(tail -n 1 /var/log/shop.log 2>/dev/null | cut -d' ' -f1)
order=${order:-0}
while :; do
  order=$((order + 1))
  to=$(member "$order")
  if echo "CREATE TABLE IF NOT EXISTS orders (id INT PRIMARY KEY); INSERT INTO orders VALUES ($order);" | take "$to"; then came=taken; else came=refused; fi
  echo "$order $to $came" >> /var/log/shop.log
  sleep "$every"
done
