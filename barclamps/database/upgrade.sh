#!/bin/sh
# After new packages: the running server is the installed one, and the system tables fit it.
set -eu
. ./galera.sh
pid=$(systemctl show --property MainPID --value mariadb)
case $(readlink "/proc/$pid/exe" 2>/dev/null) in
  '' | *' (deleted)')
    if is_member; then wait_synced "$(crowbar-get database.joinSeconds)"; is_whole || die "$(status wsrep_cluster_size) of $(expected_size) members are there: bring the others back before a restart"; fi
    systemctl restart mariadb
    wait_synced "$(crowbar-get database.joinSeconds)"
    ;;
esac
mariadb-upgrade --no-defaults --protocol=socket --user=root --skip-write-binlog
