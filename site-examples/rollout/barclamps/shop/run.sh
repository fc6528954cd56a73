#!/bin/sh
set -eu
crowbar-get shop.release >/etc/shop-release
rm -f /etc/shop-drained
