#!/bin/sh
set -eu
mkdir -p /var/lib/shop
node=$(crowbar-get crowbar.node.name)
if [ "$CROWBAR_ACTION" = run ] && crowbar-get shop.broken | grep -qx "$node"; then
  echo "out of order"
  exit 3
fi
sleep "$(crowbar-get shop.seconds)"
echo "$CROWBAR_ACTION front $(crowbar-get shop.version)" >>/var/lib/shop/log
