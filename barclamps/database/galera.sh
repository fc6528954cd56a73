# What the scripts of this barclamp have in common. POSIX shell; read with `. ./galera.sh`.
umask 077
DATA=/var/lib/mysql
STATE=/var/lib/crowbar-database
SERVER_CNF=/etc/mysql/mariadb.conf.d/90-crowbar-server.cnf
LIVE_CNF=/etc/mysql/mariadb.conf.d/91-crowbar-live.cnf
NIL=00000000-0000-0000-0000-000000000000

die() { echo "$*" >&2; exit 1; }

# As root over the server's own socket, which asks the kernel who we are. Statements on standard input.
sql() { mariadb --no-defaults --protocol=socket --user=root --batch --skip-column-names "$@"; }
# A variable of the server's status; empty when it does not answer.
status() { echo "SHOW GLOBAL STATUS LIKE '$1'" | sql 2>/dev/null | cut -f2; }
variable() { echo "SHOW GLOBAL VARIABLES LIKE '$1'" | sql 2>/dev/null | cut -f2; }
# A text as it stands between quotes in SQL.
quoted() { sed "s/\\\\/\\\\\\\\/g; s/'/\\\\'/g"; }

# It belongs to a working cluster, perhaps just giving another member its data, or getting what it lacks.
is_member() { [ "$(status wsrep_cluster_status)" = Primary ]; }
is_synced() { [ "$(status wsrep_local_state_comment)" = Synced ] && [ "$(status wsrep_ready)" = ON ] && is_member; }

# What the server keeps of a password, which is on standard input. Members hand each other statements as they are said, and keep
# them on disk for a while: so no statement that all of them carry out has the password itself in it.
hash_of() { printf "SELECT PASSWORD('%s')" "$(quoted)" | sql; }

# The cluster that the data of this node belongs to; empty: to none.
own_uuid() {
  uuid=$(sed -n 's/^uuid: *//p' "$DATA/grastate.dat" 2>/dev/null || true)
  [ "$uuid" = "$NIL" ] || echo "$uuid"
}

# `ADDRESS STATUS UUID` of each other member that answers. The password goes over a pipe: it is on no disk and no command line.
ask_peers() {
  port=$1
  shift
  for address in "$@"; do
    crowbar-get wants.monitor | quoted_cnf | mariadb --defaults-extra-file=/dev/stdin --protocol=tcp --host="$address" --port="$port" --connect-timeout=3 --batch --skip-column-names \
      --execute="SELECT CONCAT_WS(' ', '$address', (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='wsrep_cluster_status'), (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='wsrep_cluster_state_uuid'))" 2>/dev/null || true
  done
}
quoted_cnf() { printf '[client]\nuser=monitor\npassword="%s"\n' "$(sed 's/\\/\\\\/g; s/"/\\"/g')"; }
# The uuid of the cluster that other members form; empty: none is seen.
primary_among_peers() { ask_peers "$@" | awk '$2 == "Primary" { print $3; exit }'; }

# How many members there are to be: those that have joined once and still are members of the role.
expected_size() {
  joined=$(echo 'SELECT node FROM crowbar_cluster.members' | sql 2>/dev/null) || joined=
  count=0
  for node in $(member_nodes); do
    for one in $joined; do [ "$one" != "$node" ] || count=$((count + 1)); done
  done
  echo "$count"
}
member_nodes() {
  at=0
  while crowbar-get --has "crowbar.role.members.$at.node"; do
    crowbar-get "crowbar.role.members.$at.node"
    echo
    at=$((at + 1))
  done
}
is_whole() { [ "$(status wsrep_cluster_size)" -ge "$(expected_size)" ]; }

# Waits until this member has all data and the others see it.
wait_synced() {
  left=$1
  until is_synced; do
    if systemctl is-failed --quiet mariadb; then
      journalctl --unit mariadb --no-pager --lines 30 >&2 || true
      die "mariadb ended; its last words are above"
    fi
    left=$((left - 1))
    [ "$left" -gt 0 ] || die "this member is not synced after $1 seconds: $(status wsrep_local_state_comment) $(status wsrep_cluster_status)"
    sleep 1
  done
}

start_server() {
  systemctl start mariadb || {
    journalctl --unit mariadb --no-pager --lines 30 >&2 || true
    die "mariadb did not start; its last words are above"
  }
}

# A whole copy of the cluster's data takes the place of what is here: only of nothing, or of an older state of the same cluster.
guard_data() {
  [ "$(own_uuid)" = "$1" ] && return
  found=
  for path in "$DATA"/*/; do
    name=$(basename "$path")
    case $name in mysql | performance_schema | sys | test | crowbar_cluster | lost+found | '*' | '#'*) ;; *) found="$found $name" ;; esac
  done
  [ -z "$found" ] || die "there are databases in $DATA that are not of the cluster $1, and joining it would delete them:$found. Move them away, or bind database-erase to this node first"
}
