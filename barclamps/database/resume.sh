#!/bin/sh
# Comes back into the cluster, and waits until all data is there.
set -eu
. ./galera.sh
start_server
echo "SET GLOBAL wsrep_reject_queries = NONE" | sql
wait_synced "$(crowbar-get database.joinSeconds)"
left=60
until is_whole; do
  left=$((left - 1))
  [ "$left" -gt 0 ] || die "$(status wsrep_cluster_size) of $(expected_size) members are there"
  sleep 1
done
