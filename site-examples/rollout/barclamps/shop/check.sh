#!/bin/sh
set -eu
test "$(cat /etc/shop-release)" = "$(crowbar-get shop.release)"
