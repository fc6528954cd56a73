#!/bin/sh
# Starts the shop with its settings.
set -eu
umask 077
install -d -m 0700 /etc/shop
printf '[client]\nuser=shop\npassword="%s"\ndatabase=shop\nconnect-timeout=2\n' "$(crowbar-get wants.password)" > /etc/shop/client.cnf
crowbar-get wants.endpoints > /etc/shop/endpoints
crowbar-get shop.everyMs > /etc/shop/every
[ "$(crowbar-get wants.cluster | sort -u | wc -l)" = 1 ] || { echo "the members are of several clusters" >&2; exit 1; }
install -m 0755 orders.sh /usr/local/sbin/shop-orders
cat > /etc/systemd/system/shop.service <<'UNIT'
[Unit]
Description=Shop
After=network-online.target

[Service]
ExecStart=/usr/local/sbin/shop-orders
Restart=always

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet shop
systemctl restart shop
