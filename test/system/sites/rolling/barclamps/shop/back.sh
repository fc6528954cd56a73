#!/bin/sh
set -eu
mkdir -p /var/lib/shop
echo "$CROWBAR_ACTION back" >>/var/lib/shop/log
