#!/bin/sh
# Makes this node a member as the site says: founds the cluster, joins it, or changes what has changed.
set -eu
. ./galera.sh

me=$(crowbar-get crowbar.node.name)
port=$(crowbar-get database.port)
cluster=$(crowbar-get database.cluster)
join=$(crowbar-get database.joinSeconds)
members=$(crowbar-get wants.members)
own=$(ip -o address show | awk '{ sub("/.*", "", $4); print $4 }' | grep -Fx "$members" | head -n 1) || die "none of the members' addresses is one of this node: $members"
peers=$(echo "$members" | grep -Fxv "$own" || true)

before=$(sed -n 's/^wsrep_cluster_name *= *//p' "$SERVER_CNF" 2>/dev/null || true)
[ -z "$before" ] || [ "$before" = "$cluster" ] || [ -z "$(own_uuid)" ] || die "the cluster is called $before: a member with another name ($cluster) would leave it and could not come back. Put the name back"

write_server_cnf() {
  cat <<CNF
# Written by crowbar. What is in here takes a restart.
[mariadbd]
bind_address = $(crowbar-get database.bind)
port = $port
binlog_format = ROW
default_storage_engine = InnoDB
innodb_autoinc_lock_mode = 2
innodb_buffer_pool_size = $(crowbar-get database.bufferPool)M
skip_name_resolve = ON
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_cluster_name = $cluster
wsrep_node_name = $me
wsrep_node_address = $own
wsrep_provider_options = "gmcast.listen_addr=tcp://$own:4567;ist.recv_addr=$own:4568"
wsrep_sst_method = $(crowbar-get database.sst)
wsrep_sst_receive_address = $own:4444
wsrep_sst_auth = "mysql:"
CNF
  crowbar-get database.settings | while read -r name; do
    [ -z "$name" ] || printf '%s = %s\n' "$name" "$(crowbar-get "database.settings.$name")"
  done
}
write_live_cnf() {
  # With one member there is nobody to ask.
  addresses=$(echo "$members" | paste -sd,)
  [ -n "$peers" ] || addresses=
  slow=$(crowbar-get database.slowSeconds)
  cat <<CNF
# Written by crowbar. What is in here is changed while the server runs.
[mariadbd]
max_connections = $(crowbar-get database.maxConnections)
slow_query_log = $([ "$slow" = 0 ] && echo OFF || echo ON)
long_query_time = $([ "$slow" = 0 ] && echo 10 || echo "$slow")
wsrep_cluster_address = gcomm://$addresses
CNF
}
put() {
  cat >"$1.new"
  chmod 0644 "$1.new"
  mv "$1.new" "$1"
}

install -d -m 0755 "$STATE"
write_server_cnf | put "$SERVER_CNF"
write_live_cnf | put "$LIVE_CNF"
wanted=$(sha256sum <"$SERVER_CNF")

if is_member; then
  # A member that gives another one its data is left alone until that is done.
  wait_synced "$join"
  if [ "$(cat "$STATE/started" 2>/dev/null)" = "$wanted" ]; then
    sed -n 's/^\(max_connections\|slow_query_log\|long_query_time\) = \(.*\)/SET GLOBAL \1 = \2;/p' "$LIVE_CNF" | sql
  elif [ -z "$peers" ]; then
    systemctl restart mariadb
  else
    # Whoever restarts has to find somebody to come back to.
    [ "$(status wsrep_cluster_size)" -gt 1 ] || die "this is the only member that is left, and a restart would end the cluster: bring the others back first"
    [ "$(crowbar-get database.restartDegraded)" = true ] || is_whole || die "$(status wsrep_cluster_size) of $(expected_size) members are there: bring the others back before a restart, or set database.restartDegraded"
    echo "restarting with other settings"
    systemctl restart mariadb
  fi
else
  primary=$(primary_among_peers "$port" $peers)
  if [ -n "$primary" ]; then
    echo "joining the cluster $primary"
    guard_data "$primary"
    systemctl stop mariadb
    start_server
  elif [ -z "$peers" ] && [ -n "$(own_uuid)" ]; then
    systemctl restart mariadb
  elif [ -n "$(own_uuid)" ]; then
    die "no member of this node's cluster $(own_uuid) is to be seen, and a second cluster is not founded over it. Start the others; when all were stopped, see \"All members were off\" in the README of this barclamp"
  elif [ "$(crowbar-get crowbar.role.bootstrapped)" = true ]; then
    die "the cluster was founded already, and none of its members answers here ($(echo $peers)): another one is not founded"
  elif [ "$(crowbar-get crowbar.role.founder)" != "$me" ]; then
    die "the cluster is to be founded by $(crowbar-get crowbar.role.founder), which does not answer"
  else
    echo "founding the cluster"
    systemctl stop mariadb
    galera_new_cluster || {
      journalctl --unit mariadb --no-pager --lines 30 >&2 || true
      die "mariadb did not start; its last words are above"
    }
  fi
fi
wait_synced "$join"
echo "$wanted" >"$STATE/started"
systemctl enable --quiet mariadb

# One statement at a time goes through the whole cluster, so it does not matter that every member says them.
{
  cat <<'SQL'
CREATE DATABASE IF NOT EXISTS crowbar_cluster;
CREATE TABLE IF NOT EXISTS crowbar_cluster.members (node VARCHAR(64) PRIMARY KEY);
CREATE USER IF NOT EXISTS 'mysql'@'localhost' IDENTIFIED VIA unix_socket;
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICATION SLAVE ADMIN ON *.* TO 'mysql'@'localhost';
SQL
  printf "REPLACE INTO crowbar_cluster.members VALUES ('%s');\n" "$me"
  printf "ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket OR mysql_native_password USING '%s';\n" "$(crowbar-get wants.root | hash_of)"
  printf "CREATE USER IF NOT EXISTS 'monitor'@'%%';\nALTER USER 'monitor'@'%%' IDENTIFIED BY PASSWORD '%s' WITH MAX_USER_CONNECTIONS 20;\n" "$(crowbar-get wants.monitor | hash_of)"
  crowbar-get database.databases | while read -r name; do
    [ -n "$name" ] || continue
    user=$(crowbar-get "database.databases.$name.user")
    from=$(crowbar-get --default % "database.databases.$name.from")
    printf "CREATE DATABASE IF NOT EXISTS \`%s\`;\nCREATE USER IF NOT EXISTS '%s'@'%s';\n" "$name" "$user" "$from"
    printf "ALTER USER '%s'@'%s' IDENTIFIED BY PASSWORD '%s';\n" "$user" "$from" "$(crowbar-get "database.databases.$name.password" | hash_of)"
    printf "GRANT ALL PRIVILEGES ON \`%s\`.* TO '%s'@'%s';\n" "$(printf %s "$name" | sed 's/_/\\_/g')" "$user" "$from"
  done
} | sql || die "the users of the cluster could not be set"

crowbar-provide uuid "$(status wsrep_cluster_state_uuid)"
