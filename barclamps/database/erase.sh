#!/bin/sh
# Deletes the data that a member left behind.
set -eu
. ./galera.sh
systemctl disable --quiet --now mariadb 2>/dev/null || true
[ ! -d "$DATA" ] || find "$DATA" -mindepth 1 -delete
rm -rf "$STATE"
