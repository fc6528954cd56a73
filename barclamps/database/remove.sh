#!/bin/sh
# Leaves the cluster for good. The data stays in /var/lib/mysql: `database-erase` deletes it.
set -eu
. ./galera.sh
if is_member; then
  printf "DELETE FROM crowbar_cluster.members WHERE node = '%s';\n" "$(crowbar-get crowbar.node.name)" | sql || true
fi
systemctl disable --quiet --now mariadb 2>/dev/null || true
rm -f "$SERVER_CNF" "$LIVE_CNF" "$STATE/started"
