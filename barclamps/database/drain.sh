#!/bin/sh
# Leaves the cluster, when the others do without this member.
set -eu
. ./galera.sh
systemctl is-active --quiet mariadb || { crowbar-unchanged; exit 0; }
if [ "$(member_nodes | wc -l)" -gt 1 ] && is_member; then
  wait_synced "$(crowbar-get database.joinSeconds)"
  is_whole || die "$(status wsrep_cluster_size) of $(expected_size) members are there: bring the others back first"
  echo "SET GLOBAL wsrep_reject_queries = ALL" | sql
fi
systemctl stop mariadb
